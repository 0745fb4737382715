"""A post that several people boost is in a home once: where it showed first."""

from datetime import timedelta
from typing import Any

import pytest

from tests.api.mastodon.world import Person, World

pytestmark = pytest.mark.anyio


class Crowd:
    """Alice, who follows Bob, Carol and Dan; and Zoe, whose post they boost and whom nobody follows."""

    def __init__(self, alice: Person, others: list[Person], zoe: Person, world: World) -> None:
        self.alice, self.zoe, self.world = alice, zoe, world
        self.bob, self.carol, self.dan = others

    async def boost(self, who: Person, post: str) -> str:
        wrapper = await who.ask("POST", f"/api/v1/statuses/{post}/reblog")
        await self.world.settled()
        return wrapper["id"]


@pytest.fixture
async def crowd(world: World) -> Crowd:
    alice, *others, zoe = [await world.person(name) for name in ("alice", "bob", "carol", "dan", "zoe")]
    for other in others:
        await alice.follow(other)
    await world.settled()
    return Crowd(alice, others, zoe, world)


async def posted(world: World, who: Person, text: str = "hello", **more: Any) -> str:
    status = await who.post(text, **more)
    await world.settled()
    return status["id"]


async def test_the_first_boost_stays_and_later_ones_are_folded_into_it(world: World, crowd: Crowd) -> None:
    post, other = await posted(world, crowd.zoe), await posted(world, crowd.zoe, "another")
    first = await crowd.boost(crowd.bob, post)
    own = await posted(world, crowd.alice)
    await crowd.boost(crowd.carol, post)
    another = await crowd.boost(crowd.carol, other)
    await crowd.boost(crowd.alice, post)
    assert await crowd.alice.home() == [another, own, first]


async def test_a_boost_of_what_the_home_shows_itself_is_folded(world: World, crowd: Crowd) -> None:
    post = await posted(world, crowd.bob)
    await crowd.boost(crowd.carol, post)
    assert await crowd.alice.home() == [post]


async def test_what_does_not_show_folds_nothing(world: World, crowd: Crowd) -> None:
    alice, bob, carol, dan, zoe = crowd.alice, crowd.bob, crowd.carol, crowd.dan, crowd.zoe
    answer = await posted(world, bob, "to a stranger", in_reply_to_id=await posted(world, zoe))
    of_answer = await crowd.boost(carol, answer)
    post = await posted(world, zoe, "a post")
    first, second, third = [await crowd.boost(who, post) for who in (bob, carol, dan)]
    assert await alice.home() == [first, of_answer]
    await alice.ask("POST", f"/api/v1/accounts/{bob.id}/follow", json={"reblogs": False})
    await world.settled()
    assert await alice.home() == [second, of_answer]
    await alice.ask("POST", f"/api/v1/accounts/{carol.id}/mute")
    await world.settled()
    assert await alice.home() == [third]
    await alice.ask("POST", f"/api/v1/accounts/{carol.id}/unmute")
    await carol.ask("POST", f"/api/v1/statuses/{post}/unreblog")
    await world.settled()
    assert await alice.home() == [third, of_answer]
    await alice.follow(bob)
    await alice.unfollow(bob)
    await world.settled()
    assert await alice.home() == [third, of_answer]


async def test_a_boost_half_a_day_later_shows_again(world: World, crowd: Crowd) -> None:
    now, post = world.server.now, await posted(world, crowd.zoe)
    first = await crowd.boost(crowd.bob, post)
    for hours in (11, 13):
        world.server.ids._now = world.server.dispatch._now = lambda: now() + timedelta(hours=hours)  # noqa: B023
        late = await crowd.boost(crowd.carol if hours == 11 else crowd.dan, post)
    assert await crowd.alice.home() == [first], "a boost that is folded folds in turn"
    world.server.ids._now = world.server.dispatch._now = lambda: now() + timedelta(hours=26)
    late = await crowd.boost(crowd.alice, post)
    assert await crowd.alice.home() == [late, first]


async def test_pages_lose_and_repeat_nothing_whichever_way_they_are_read(world: World, crowd: Crowd) -> None:
    posts = [await posted(world, crowd.zoe, f"post {number}") for number in range(4)]
    for who in (crowd.bob, crowd.carol, crowd.dan):
        for post in posts:
            await who.ask("POST", f"/api/v1/statuses/{post}/reblog")
        await who.post(f"{who.name} was here")
    await world.settled()
    whole = await crowd.alice.get("/api/v1/timelines/home", limit=40)
    assert sorted(one["reblog"]["id"] for one in whole if one["reblog"]) == sorted(posts)
    ids = [one["id"] for one in whole]
    down: list[str] = []
    while page := await crowd.alice.home(limit=2, **({"max_id": down[-1]} if down else {})):
        down += page
    up: list[str] = []
    while page := await crowd.alice.home(limit=2, min_id=up[0] if up else "1"):
        up = page + up
    assert down == up == ids and len(ids) == 7
