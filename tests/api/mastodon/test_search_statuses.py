"""Searching what was said: by which words, and by whom."""

from typing import Any

import pytest

from domain import bookmark, favourite
from domain.account import Profile
from domain.bookmark import BookmarkPost
from domain.favourite import FavouritePost
from projections import documents
from projections.documents import KEPT_MAX
from tests.adapters.interpreter.peers import actor, create, fetched, received
from tests.api.mastodon.world import PUBLIC, Person, World

pytestmark = pytest.mark.anyio

ANN, BEN = "https://far.test/u/ann", "https://far.test/u/ben"


async def found(person: Person, q: str, **params: Any) -> list[str]:
    return [one["id"] for one in (await person.get("/api/v2/search", q=q, **params))["statuses"]]


async def test_a_post_is_found_by_all_the_words_that_it_says_now(world: World) -> None:
    alice = await world.person("alice")
    status = (await alice.post("Crème <b>brûlée</b>", spoiler_text="Dessert"))["id"]
    other = (await alice.post("creme only"))["id"]
    await world.settled()
    assert await found(alice, "creme") == [other, status]
    assert await found(alice, "CREME dessert") == [status]
    assert await found(alice, "creme", limit=1, offset=1) == [status]
    for question in ("creme lemon", "' & !", "%", "b'rûlée"):
        assert status not in await found(alice, question), question
    assert await found(alice, "creme", type="accounts") == []
    await alice.ask("PUT", f"/api/v1/statuses/{other}", json={"status": "lemon cake"})
    await world.settled()
    assert await found(alice, "creme") == [status]
    assert await found(alice, "cake") == [other]
    await alice.ask("DELETE", f"/api/v1/statuses/{other}")
    await world.settled()
    assert await found(alice, "cake") == []


async def test_people_find_their_own_what_is_for_them_what_they_kept_and_what_may_be_found(world: World) -> None:
    alice, bob, carol = [await world.person(name, Profile(indexable=True)) for name in ("alice", "bob", "carol")]
    await bob.follow(alice)
    await world.settled()
    public = (await alice.post("needle"))["id"]
    unlisted = (await alice.post("needle", visibility="unlisted"))["id"]
    private = (await alice.post("needle", visibility="private"))["id"]
    direct = (await alice.post("@carol needle", visibility="direct"))["id"]
    await world.settled()
    assert set(await found(alice, "needle")) == {public, unlisted, private, direct}
    assert await found(bob, "needle") == [public]
    assert set(await found(carol, "needle")) == {public, direct}
    assert await found(world.anybody(), "needle") == []
    await bob.ask("POST", f"/api/v1/statuses/{private}/favourite")
    await bob.ask("POST", f"/api/v1/statuses/{unlisted}/bookmark")
    await world.settled()
    assert set(await found(bob, "needle")) == {public, unlisted, private}
    await bob.unfollow(alice)
    assert set(await found(bob, "needle")) == {public, unlisted}
    await world.block(bob, alice.number)
    assert await found(bob, "needle") == []


async def test_a_public_post_is_found_by_others_only_while_its_author_wants_that(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    status = (await alice.post("needle"))["id"]
    await world.settled()
    for wanted, finding in ((False, []), (True, [status]), (False, [])):
        await alice.ask("PATCH", "/api/v1/accounts/update_credentials", json={"indexable": wanted})
        await world.settled()
        assert await found(bob, "needle") == finding, wanted
        assert await found(alice, "needle") == [status]


async def test_a_remote_post_is_found_only_where_its_author_wants_that_or_it_is_addressed_here(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    to_alice = f"http://localhost:3000/ap/users/{alice.id}"
    await world.hear(
        fetched(ANN, actor(ANN, indexable=True)),
        fetched(BEN, actor(BEN)),
        received(ANN, create(f"{ANN}/1", ANN, to=[PUBLIC], content="<p>nee<span>dle</span></p>")),
        received(BEN, create(f"{BEN}/1", BEN, to=[PUBLIC], content="<p>needle</p>")),
        received(BEN, create(f"{BEN}/2", BEN, to=[to_alice], content="<p>needle</p>")),
    )

    async def uris(person: Person) -> set[str]:
        return {one["uri"] for one in (await person.get("/api/v2/search", q="needle"))["statuses"]}

    assert await uris(alice) == {f"{ANN}/1", f"{BEN}/2"}
    assert await uris(bob) == {f"{ANN}/1"}
    (kept,) = [one for one in await bob.get("/api/v1/timelines/public") if one["uri"] == f"{BEN}/1"]
    for deed in ("favourite", "bookmark", "reblog"):
        await bob.ask("POST", f"/api/v1/statuses/{kept['id']}/{deed}")
        await world.settled()
        assert await uris(bob) == {f"{ANN}/1", f"{BEN}/1"}, deed
        assert await uris(alice) == {f"{ANN}/1", f"{BEN}/2"}
        await bob.ask("POST", f"/api/v1/statuses/{kept['id']}/un{deed}")
    await world.hear(fetched(ANN, actor(ANN, indexable=False)))
    assert await uris(bob) == set()


async def test_of_what_somebody_likes_and_keeps_no_more_than_the_latest_is_read_through(world: World) -> None:
    alice = await world.person("alice")
    notes = [
        received(BEN, create(f"{BEN}/{number}", BEN, to=[PUBLIC], content="<p>needle</p>"))
        for number in range(KEPT_MAX + 2)
    ]
    await world.hear(fetched(BEN, actor(BEN)), *notes)
    rows = await world.server.reads.view().execute("SELECT id, uri FROM statuses", [])
    posts = {uri: number for number, uri in rows}
    for number in range(KEPT_MAX + 2):
        post = posts[f"{BEN}/{number}"]
        if number % 2:
            await world.server.do(bookmark, BookmarkPost(account=alice.number, post=post))
        else:
            like = f"http://localhost:3000/ap/users/{alice.id}/likes/{number}"
            await world.server.do(favourite, FavouritePost(account=alice.number, post=post, activity=like))
    await world.settled()
    kept = await world.server.reads.view().rows(documents.kept_by(alice.number))
    assert {row[0] for row in kept} == set(posts.values()) - {posts[f"{BEN}/0"], posts[f"{BEN}/1"]}
    assert await found(alice, "needle", limit=1) == [str(max(posts.values()))]
