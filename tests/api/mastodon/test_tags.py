"""Hashtags: who is in their timelines, as posts say now; finding them; how much they are used."""

from typing import Any

import pytest

from tests.api.mastodon.world import Person, World

pytestmark = pytest.mark.anyio


async def tagged(person: Person, tag: str, **params: Any) -> list[str]:
    return [one["content"] for one in await person.get(f"/api/v1/timelines/tag/{tag}", **params)]


def plain(contents: list[str]) -> list[str]:
    """The first word of each."""
    return [content.removeprefix("<p>").split()[0] for content in contents]


async def test_a_tags_timeline_has_the_public_posts_that_have_it_now(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    first = await alice.post("first #Cats")
    await alice.post("second #cats #dogs")
    await bob.post("third #dogs")
    for visibility in ("unlisted", "private", "direct"):
        await alice.post("hidden #cats", visibility=visibility)
    gone = await bob.post("gone #cats")
    await bob.ask("DELETE", f"/api/v1/statuses/{gone['id']}")
    await world.settled()
    for person in (alice, bob, world.anybody()):
        assert plain(await tagged(person, "CATS")) == ["second", "first"]
    assert plain(await tagged(bob, "cats", **{"any[]": "dogs"})) == ["third", "second", "first"]
    assert plain(await tagged(bob, "cats", **{"all[]": "dogs"})) == ["second"]
    assert plain(await tagged(bob, "cats", **{"none[]": "dogs"})) == ["first"]
    assert plain(await tagged(bob, "cats", limit=1)) == ["second"]
    assert plain(await tagged(bob, "cats", max_id=first["id"])) == []
    assert plain(await tagged(bob, "cats", remote=True)) == []
    await alice.ask("PUT", f"/api/v1/statuses/{first['id']}", json={"status": "changed #birds"})
    await world.settled()
    assert plain(await tagged(bob, "cats")) == ["second"]
    assert plain(await tagged(bob, "birds")) == ["changed"]
    own = await bob.get(f"/api/v1/accounts/{alice.id}/statuses", tagged="Birds")
    assert [one["id"] for one in own] == [first["id"]]
    await world.block(bob, alice.number)
    assert await tagged(bob, "cats") == []


async def test_hashtags_are_found_by_their_beginnings_and_say_how_much_they_are_used(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    await alice.post("#Catnip and #cats")
    await bob.post("#cats again")
    await bob.post("#catalogue for few", visibility="private")
    await world.settled()
    found = (await alice.get("/api/v2/search", q="#CAT"))["hashtags"]
    assert [tag["name"] for tag in found] == ["Catnip", "cats"]
    assert set(found[1]) == {"id", "name", "url", "history", "following", "featuring"}
    assert (await alice.get("/api/v2/search", q="cat", type="accounts"))["hashtags"] == []
    assert (await alice.get("/api/v2/search", q="cat", type="hashtags"))["accounts"] == []
    for question in ("cat nip", "@cat", "%", "dog", "https://x.test/cat"):
        assert (await alice.get("/api/v2/search", q=question))["hashtags"] == [], question
    tag = await world.anybody().get("/api/v1/tags/Cats")
    assert set(tag) == {"id", "name", "url", "history"}
    assert len(tag["history"]) == 7
    assert (tag["history"][0]["uses"], tag["history"][0]["accounts"]) == ("2", "2")
    unused = await alice.get("/api/v1/tags/nobody")
    assert (unused["name"], {day["uses"] for day in unused["history"]}) == ("nobody", {"0"})
    await alice.get("/api/v1/tags/" + "x" * 401, 404)
