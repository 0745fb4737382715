"""Liking, boosting, keeping, featuring: each answer, each counter, each list, and who may see them."""

from typing import Any

import psycopg
import pytest

from domain.pin import PINS_MAX
from projections.pins import SHOWN_MAX
from tests.adapters.interpreter.peers import act, actor, create, fetched, received
from tests.api.mastodon.test_pages import links
from tests.api.mastodon.world import ORIGIN, PUBLIC, Person, World

pytestmark = pytest.mark.anyio


async def did(person: Person, deed: str, status: Any, code: int = 200, **params: Any) -> Any:
    return await person.ask("POST", f"/api/v1/statuses/{status['id']}/{deed}", code, json=params)


async def ids(person: Person, path: str, **params: Any) -> list[str]:
    return [one["id"] for one in await person.get(path, **params)]


async def friends(world: World) -> tuple[Person, Person]:
    """Alice, and Bob, who follows her."""
    alice, bob = await world.person("alice"), await world.person("bob")
    await bob.follow(alice)
    await world.settled()
    return alice, bob


@pytest.mark.parametrize(
    ("deed", "undoing", "flag", "counter"),
    [
        ("favourite", "unfavourite", "favourited", "favourites_count"),
        ("bookmark", "unbookmark", "bookmarked", None),
        ("mute", "unmute", "muted", None),
    ],
)
async def test_a_deed_done_twice_is_done_once_and_its_undoing_too(
    world: World, deed: str, undoing: str, flag: str, counter: str | None
) -> None:
    alice, bob = await friends(world)
    status = await alice.post("hello")
    await world.settled()
    once, twice = await did(bob, deed, status), await did(bob, deed, status)
    assert once == twice and once["id"] == status["id"]
    assert once[flag] is True and (counter is None or once[counter] == 1)
    await world.settled()
    assert await bob.get(f"/api/v1/statuses/{status['id']}") == once
    seen_by_alice = await alice.get(f"/api/v1/statuses/{status['id']}")
    assert seen_by_alice[flag] is False and (counter is None or seen_by_alice[counter] == 1)
    undone, undone_twice = await did(bob, undoing, status), await did(bob, undoing, status)
    assert undone == undone_twice
    assert undone[flag] is False and (counter is None or undone[counter] == 0)
    await world.settled()
    assert await bob.get(f"/api/v1/statuses/{status['id']}") == undone


async def test_boosting_answers_with_a_wrapper_and_its_undoing_with_the_post(world: World) -> None:
    alice, bob = await friends(world)
    status = await alice.post("pass it on")
    await world.settled()
    wrapper = await did(bob, "reblog", status, visibility="unlisted")
    assert wrapper["id"] != status["id"] and wrapper["account"]["id"] == bob.id
    assert (wrapper["content"], wrapper["visibility"], wrapper["reblogged"]) == ("", "unlisted", True)
    assert wrapper["uri"] == wrapper["url"] == f"{ORIGIN}/ap/users/{bob.id}/statuses/{wrapper['id']}/activity"
    inner = wrapper["reblog"]
    assert (inner["id"], inner["reblogged"], inner["reblogs_count"], inner["reblog"]) == (status["id"], True, 1, None)
    assert set(wrapper) == set(inner) - {"pinned"}
    await world.settled()
    assert await did(bob, "reblog", status) == wrapper
    assert await bob.get(f"/api/v1/statuses/{wrapper['id']}") == wrapper
    undone = await did(bob, "unreblog", status)
    assert (undone["id"], undone["reblogged"], undone["reblogs_count"]) == (status["id"], False, 0)
    await world.settled()
    assert not await bob.sees(wrapper["id"])
    assert await bob.get(f"/api/v1/statuses/{status['id']}") == undone
    again = await did(bob, "reblog", status)
    assert again["id"] != wrapper["id"]
    await world.settled()
    deleted = await bob.ask("DELETE", f"/api/v1/statuses/{again['id']}")
    assert (deleted["id"], deleted["reblogged"], deleted["reblogs_count"]) == (status["id"], False, 0)


async def test_what_is_done_to_a_boost_is_done_to_the_post(world: World) -> None:
    alice, bob = await friends(world)
    status = await alice.post("hello")
    await world.settled()
    wrapper = await did(bob, "reblog", status)
    await world.settled()
    assert (await did(alice, "favourite", wrapper))["id"] == status["id"]
    assert (await did(alice, "reblog", wrapper))["reblog"]["id"] == status["id"]
    assert (await bob.get(f"/api/v1/statuses/{wrapper['id']}/source"))["text"] == "hello"
    assert len(await bob.get(f"/api/v1/statuses/{wrapper['id']}/history")) == 1
    await bob.ask("PUT", f"/api/v1/statuses/{wrapper['id']}", 404, json={"status": "mine now"})
    answer = await alice.post("an answer", in_reply_to_id=wrapper["id"])
    assert answer["in_reply_to_id"] == status["id"]


async def test_a_boost_comes_into_the_homes_of_the_boosters_followers_and_their_own(world: World) -> None:
    alice, bob = await friends(world)
    carol = await world.person("carol")
    status = await carol.post("hello")
    await world.settled()
    wrapper = await did(alice, "reblog", status)
    await world.settled()
    assert await bob.home() == await alice.home() == [wrapper["id"]]
    (shown,) = await bob.get("/api/v1/timelines/home")
    assert shown["reblog"]["content"] == "<p>hello</p>" and shown["reblog"]["account"]["id"] == carol.id
    assert await ids(bob, f"/api/v1/accounts/{alice.id}/statuses") == [wrapper["id"]]
    assert await ids(bob, f"/api/v1/accounts/{alice.id}/statuses", exclude_reblogs=True) == []
    assert await ids(world.anybody(), "/api/v1/timelines/public") == [status["id"]]
    assert (await bob.get(f"/api/v1/accounts/{alice.id}"))["statuses_count"] == 1
    await bob.unfollow(alice)
    assert await bob.home() == []
    await bob.follow(alice)
    await carol.ask("DELETE", f"/api/v1/statuses/{status['id']}")
    await world.settled()
    assert await bob.home() == await alice.home() == []
    assert (await bob.get(f"/api/v1/accounts/{alice.id}"))["statuses_count"] == 0


async def test_what_is_for_followers_is_boosted_by_its_author_alone_and_for_them_alone(world: World) -> None:
    alice, bob = await friends(world)
    carol = await world.person("carol")
    private = await alice.post("for my followers", visibility="private")
    direct = await alice.post("for @bob", visibility="direct")
    await world.settled()
    await did(bob, "reblog", private, 422)
    await did(bob, "reblog", direct, 404)
    wrapper = await did(alice, "reblog", private)
    assert wrapper["visibility"] == "private"
    await world.settled()
    assert await bob.sees(wrapper["id"])
    assert wrapper["id"] in await ids(bob, f"/api/v1/accounts/{alice.id}/statuses")
    for stranger in (carol, world.anybody()):
        assert not await stranger.sees(wrapper["id"])
        assert await ids(stranger, f"/api/v1/accounts/{alice.id}/statuses") == []


async def test_whoever_may_not_see_a_status_can_do_nothing_with_it(world: World) -> None:
    alice, _ = await friends(world)
    carol = await world.person("carol")
    private = await alice.post("for my followers", visibility="private")
    await world.settled()
    for deed in ("favourite", "unfavourite", "reblog", "unreblog", "bookmark", "unbookmark", "pin", "unpin", "mute"):
        await did(carol, deed, private, 404)
    for what in ("context", "source", "history", "favourited_by", "reblogged_by"):
        await carol.get(f"/api/v1/statuses/{private['id']}/{what}", 404)


async def test_whom_the_author_blocks_takes_back_what_they_did_and_sees_no_more_of_it(world: World) -> None:
    alice, bob = await friends(world)
    status, other = await alice.post("hello"), await alice.post("hello again")
    await world.settled()
    for deed in ("favourite", "bookmark"):
        await did(bob, deed, status)
    wrappers = [await did(bob, "reblog", one) for one in (status, other)]
    await world.block(alice, bob.number)
    assert not await bob.sees(status["id"])
    await did(bob, "favourite", status, 404)
    for deed, flag in (("favourite", "favourited"), ("bookmark", "bookmarked"), ("reblog", "reblogged")):
        undone = await did(bob, f"un{deed}", status)
        assert (undone["id"], undone[flag]) == (status["id"], False)
        await did(bob, f"un{deed}", status, 404)
    await bob.ask("PUT", f"/api/v1/statuses/{wrappers[1]['id']}", 404, json={"status": "mine now"})
    await bob.ask("DELETE", f"/api/v1/statuses/{other['id']}", 404)
    assert (await bob.ask("DELETE", f"/api/v1/statuses/{wrappers[1]['id']}"))["id"] == other["id"]
    await bob.ask("DELETE", f"/api/v1/statuses/{wrappers[1]['id']}", 404)
    await world.settled()
    for one in (status, other):
        shown = await alice.get(f"/api/v1/statuses/{one['id']}")
        assert (shown["reblogs_count"], shown["favourites_count"]) == (0, 0)
        assert not await bob.sees(one["id"])


async def test_who_likes_and_boosts_is_listed_the_latest_first(world: World) -> None:
    alice, bob = await friends(world)
    carol = await world.person("carol")
    status = await alice.post("hello")
    await world.settled()
    for person in (bob, carol, alice):
        await did(person, "favourite", status)
        await did(person, "reblog", status)
    await world.settled()
    for what in ("favourited_by", "reblogged_by"):
        path = f"/api/v1/statuses/{status['id']}/{what}"
        assert await ids(world.anybody(), path) == [alice.id, carol.id, bob.id]
        found: list[str] = []
        answer = await bob.raw("GET", path, params={"limit": 1})
        while answer.json():
            found += [account["id"] for account in answer.json()]
            assert set(links(answer)) == {"next", "prev"}
            answer = await bob.raw("GET", answer.links["next"]["url"])
        assert found == [alice.id, carol.id, bob.id]
    await did(carol, "unfavourite", status)
    await did(carol, "unreblog", status)
    await world.settled()
    for what in ("favourited_by", "reblogged_by"):
        assert await ids(bob, f"/api/v1/statuses/{status['id']}/{what}") == [alice.id, bob.id]


@pytest.mark.parametrize(("deed", "path"), [("favourite", "favourites"), ("bookmark", "bookmarks")])
async def test_what_somebody_likes_and_keeps_is_listed_by_when_they_did(world: World, deed: str, path: str) -> None:
    alice, bob = await friends(world)
    posts = [await alice.post(f"post {number}") for number in range(4)]
    private = await alice.post("for my followers", visibility="private")
    await world.settled()
    for number in (2, 0, 3, 1):
        await did(bob, deed, posts[number])
    await did(bob, deed, private)
    await world.settled()
    expected = [private["id"], *(posts[number]["id"] for number in (1, 3, 0, 2))]
    assert await ids(bob, f"/api/v1/{path}") == expected
    assert await ids(alice, f"/api/v1/{path}") == []
    answers = [await bob.raw("GET", f"/api/v1/{path}", params={"limit": 2})]
    while "next" in answers[-1].links:
        answers.append(await bob.raw("GET", answers[-1].links["next"]["url"]))
    found = [status["id"] for answer in answers for status in answer.json()]
    assert found == expected
    up = await bob.raw("GET", answers[1].links["prev"]["url"])
    assert [status["id"] for status in up.json()] == expected[:2]
    await bob.unfollow(alice)
    assert await ids(bob, f"/api/v1/{path}") == expected[1:]
    await did(bob, f"un{deed}", posts[1])
    assert await ids(bob, f"/api/v1/{path}") == expected[2:]


async def test_a_pinned_post_is_featured_on_its_authors_page(world: World) -> None:
    alice, bob = await friends(world)
    posts = [await alice.post(f"post {number}") for number in range(6)]
    private = await alice.post("for my followers", visibility="private")
    await world.settled()
    path = f"/api/v1/accounts/{alice.id}/statuses"
    assert (await did(alice, "pin", posts[1]))["pinned"] is True
    await did(alice, "pin", private)
    await did(alice, "pin", posts[0])
    await world.settled()
    shown = await alice.get(path, pinned=True)
    assert [status["id"] for status in shown] == [private["id"], posts[1]["id"], posts[0]["id"]]
    assert all(status["pinned"] for status in shown)
    assert await ids(bob, path, pinned=True) == [private["id"], posts[1]["id"], posts[0]["id"]]
    assert await ids(world.anybody(), path, pinned=True) == [posts[1]["id"], posts[0]["id"]]
    assert "someone else" in (await did(bob, "pin", posts[1], 422))["error"].lower()
    for number in (2, 3):
        await did(alice, "pin", posts[number])
    assert "maximum" in (await did(alice, "pin", posts[4], 422))["error"]
    assert (await did(alice, "unpin", posts[1]))["pinned"] is False
    await did(alice, "pin", posts[4])
    await world.settled()
    await alice.ask("DELETE", f"/api/v1/statuses/{posts[0]['id']}")
    await did(alice, "pin", posts[5])


async def test_what_is_deleted_before_its_pin_can_be_read_takes_no_place_among_the_featured(world: World) -> None:
    alice = await world.person("alice")
    posts = [await alice.post(f"post {number}") for number in range(PINS_MAX + 1)]
    for status in posts[2:]:
        await did(alice, "pin", status)
    await world.settled()
    # Elsewhere she does not wait for what she does here.
    elsewhere = world.client(await world.token(alice.number))
    with psycopg.connect(str(world.settings.database_url)) as connection:
        for (schema,) in connection.execute("SELECT schemaname FROM pg_tables WHERE tablename = 'pins'").fetchall():
            connection.execute(f"LOCK TABLE {schema}.pins IN SHARE MODE".encode())
        await did(alice, "pin", posts[1])
        assert (await elsewhere.delete(f"/api/v1/statuses/{posts[1]['id']}")).status_code == 200
    await did(alice, "pin", posts[0])


async def test_flags_come_with_every_page(world: World) -> None:
    alice, bob = await friends(world)
    status = await alice.post("hello")
    await world.settled()
    for deed in ("favourite", "reblog", "bookmark", "mute"):
        await did(bob, deed, status)
    await did(alice, "pin", status)
    await world.settled()
    flags = ("favourited", "reblogged", "bookmarked", "muted")
    for path in ("/api/v1/timelines/home", "/api/v1/timelines/public", f"/api/v1/accounts/{alice.id}/statuses"):
        shown = (await bob.get(path))[-1]
        assert [shown[flag] for flag in flags] == [True] * 4 and "pinned" not in shown, path
        own = (await alice.get(path))[-1]
        assert [own[flag] for flag in (*flags, "pinned")] == [False] * 4 + [True], path
    (boosted,) = await bob.get(f"/api/v1/accounts/{bob.id}/statuses")
    assert [boosted["reblog"][flag] for flag in flags] == [boosted[flag] for flag in flags] == [True] * 4
    assert not set(flags) & set((await world.anybody().get("/api/v1/timelines/public"))[0])


async def test_a_blocked_author_is_gone_from_boosts_favourites_and_bookmarks(world: World) -> None:
    alice, bob = await friends(world)
    ann = "https://far.test/u/ann"
    await world.hear(fetched(ann, actor(ann)), received(ann, create(f"{ann}/1", ann, to=[PUBLIC])))
    (status,) = await alice.get("/api/v1/timelines/public")
    for person in (alice, bob):
        for deed in ("reblog", "favourite", "bookmark"):
            await did(person, deed, status)
    await world.settled()
    assert len(await bob.home()) == 1
    await world.block(bob, int(status["account"]["id"]))
    assert await bob.home() == []
    for path in ("favourites", "bookmarks"):
        assert await ids(bob, f"/api/v1/{path}") == []
        assert await ids(alice, f"/api/v1/{path}") == [status["id"]]


async def test_of_what_an_account_elsewhere_features_the_latest_are_shown(world: World) -> None:
    ann = "https://far.test/u/ann"
    featured, posts = f"{ann}/featured", [f"{ann}/{number}" for number in range(SHOWN_MAX + 3)]
    await world.hear(
        fetched(ann, actor(ann, featured=featured)),
        *(received(ann, create(post, ann, to=[PUBLIC])) for post in posts),
        *(received(ann, act("Add", ann, post, f"add{post}", target=featured)) for post in posts),
    )
    (found,) = (await world.anybody().get("/api/v1/timelines/public", limit=1))[:1]
    path = f"/api/v1/accounts/{found['account']['id']}/statuses"
    shown = await world.anybody().get(path, pinned=True, limit=40)
    assert {status["uri"] for status in shown} == set(posts[3:])


async def test_clients_are_told_how_many_posts_they_may_pin(world: World) -> None:
    told = await world.anybody().get("/api/v2/instance")
    assert told["configuration"]["accounts"]["max_pinned_statuses"] == PINS_MAX
