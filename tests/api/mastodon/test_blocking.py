"""Blocks and mutes: what each of the two sees of the other from then on, and when it is taken back."""

from datetime import timedelta
from typing import Any

import pytest

from domain import account as accounts
from domain.account import DeleteAccount
from tests.adapters.interpreter.peers import actor, fetched
from tests.api.mastodon.world import Person, World
from workers.schedule import end_mutes

pytestmark = pytest.mark.anyio


async def about(person: Person, other: Person) -> Any:
    (found,) = await person.get("/api/v1/accounts/relationships", **{"id[]": other.id})
    return found


async def do(person: Person, verb: str, other: Person, **params: Any) -> Any:
    return await person.ask("POST", f"/api/v1/accounts/{other.id}/{verb}", json=params)


async def test_a_block_ends_the_follows_both_ways_and_the_answer_says_so_at_once(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    await alice.follow(bob)
    await bob.follow(alice)
    await world.settled()
    answer = await do(alice, "block", bob)
    assert (answer["blocking"], answer["following"], answer["followed_by"]) == (True, False, False)
    assert await about(alice, bob) == answer
    await world.settled()
    assert await do(alice, "block", bob) == answer
    seen = await about(bob, alice)
    assert (seen["blocked_by"], seen["following"], seen["followed_by"]) == (True, False, False)
    for person in (alice, bob):
        counted = await person.get("/api/v1/accounts/verify_credentials")
        assert (counted["followers_count"], counted["following_count"]) == (0, 0)
    answer = await do(alice, "unblock", bob)
    assert (answer["blocking"], answer["following"], answer["followed_by"]) == (False, False, False)
    assert await about(alice, bob) == answer


async def test_neither_of_the_two_is_shown_the_other_and_both_are_again_when_it_is_undone(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    hers, his = (await alice.post("a"))["id"], (await bob.post("b"))["id"]
    await world.settled()

    async def public(person: Person) -> list[str]:
        return [status["id"] for status in await person.get("/api/v1/timelines/public")]

    assert await public(alice) == await public(bob) == [his, hers]
    await do(alice, "block", bob)
    await world.settled()
    assert (await public(alice), await public(bob)) == ([hers], [his])
    assert await bob.get(f"/api/v1/accounts/{alice.id}/statuses") == []
    assert not await bob.sees(hers) and await alice.sees(his)
    await do(alice, "unblock", bob)
    await world.settled()
    assert await public(alice) == await public(bob) == [his, hers]


async def test_who_is_blocked_or_blocks_cannot_be_followed(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    await do(alice, "block", bob)
    await world.settled()
    for person, other in ((alice, bob), (bob, alice)):
        refused = await person.ask("POST", f"/api/v1/accounts/{other.id}/follow", 403)
        assert refused == {"error": "This action is not allowed"}


async def test_a_mute_hides_from_lists_and_from_nothing_else(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    await alice.follow(bob)
    await world.settled()
    post = (await bob.post("b"))["id"]
    await world.settled()
    muted = await do(alice, "mute", bob, notifications=False)
    assert (muted["muting"], muted["muting_notifications"], muted["muting_expires_at"]) == (True, False, None)
    assert muted["following"] is True
    assert await about(alice, bob) == muted
    assert await alice.home() == [] and await alice.get("/api/v1/timelines/public") == []
    assert [one["id"] for one in await alice.get(f"/api/v1/accounts/{bob.id}/statuses")] == [post]
    assert await alice.sees(post)
    assert (await about(bob, alice))["muting"] is False
    again = await do(alice, "mute", bob)
    assert again["muting_notifications"] is True
    unmuted = await do(alice, "unmute", bob)
    assert (unmuted["muting"], unmuted["muting_notifications"]) == (False, False)
    assert await alice.home() == [post]


async def test_threads_leave_out_whom_the_reader_mutes_or_blocks_and_keep_what_answers_them(world: World) -> None:
    alice, bob, carol = await world.person("alice"), await world.person("bob"), await world.person("carol")
    root = (await alice.post("a"))["id"]
    await world.settled()
    his = (await bob.post("b", in_reply_to_id=root))["id"]
    await world.settled()
    hers = (await carol.post("c", in_reply_to_id=his))["id"]
    await world.settled()

    async def below(person: Person) -> list[str]:
        return [one["id"] for one in (await person.get(f"/api/v1/statuses/{root}/context"))["descendants"]]

    assert await below(alice) == [his, hers]
    for verb in ("mute", "block"):
        await do(alice, verb, bob)
        assert await below(alice) == [hers]
        assert await below(carol) == [his, hers]
        await do(alice, f"un{verb}", bob)
        assert await below(alice) == [his, hers]


async def test_a_boost_shows_to_whom_neither_booster_nor_author_is_blocked_muted_or_unwanted(world: World) -> None:
    alice, bob, carol = await world.person("alice"), await world.person("bob"), await world.person("carol")
    await alice.follow(bob)
    await world.settled()
    post = (await carol.post("c"))["id"]
    await world.settled()
    boost = (await bob.ask("POST", f"/api/v1/statuses/{post}/reblog"))["id"]
    await world.settled()
    assert await alice.home() == [boost]
    for verb, other in (("mute", bob), ("mute", carol), ("block", carol)):
        await do(alice, verb, other)
        assert await alice.home() == [], (verb, other.name)
        assert await alice.sees(boost) is True
        await do(alice, f"un{verb}", other)
        assert await alice.home() == [boost]
    await do(carol, "block", alice)
    await world.settled()
    assert await alice.home() == [] and await alice.sees(boost) is False
    assert await alice.get(f"/api/v1/accounts/{bob.id}/statuses") == []
    await do(carol, "unblock", alice)
    await world.settled()
    await alice.ask("POST", f"/api/v1/accounts/{bob.id}/follow", json={"reblogs": False})
    assert await alice.home() == []
    await alice.follow(bob)
    assert await alice.home() == []
    await alice.ask("POST", f"/api/v1/accounts/{bob.id}/follow", json={"reblogs": True})
    assert await alice.home() == [boost]


async def test_a_mute_is_over_when_its_time_is(world: World) -> None:
    alice, bob, carol = await world.person("alice"), await world.person("bob"), await world.person("carol")
    now = world.server.now
    muted = await do(alice, "mute", bob, duration=3_600)
    await do(alice, "mute", carol, duration=2 * 3_600)
    assert muted["muting_expires_at"] is not None
    assert await about(alice, bob) == muted
    listed = {one["id"]: one["mute_expires_at"] for one in await alice.get("/api/v1/mutes")}
    assert listed[bob.id] == muted["muting_expires_at"] and len(listed) == 2
    await end_mutes(world.server)
    await world.settled()
    assert (await about(alice, bob))["muting"] is True
    world.server.now = world.server.dispatch._now = lambda: now() + timedelta(seconds=3_700)
    await end_mutes(world.server)
    await world.settled()
    assert (await about(alice, bob))["muting"] is False
    assert [one["id"] for one in await alice.get("/api/v1/mutes")] == [carol.id]


async def test_blocked_and_muted_are_listed_latest_first_with_cursors_that_last(world: World) -> None:
    alice = await world.person("alice")
    others = [await world.person(f"p{number}") for number in range(5)]
    for other in others:
        await do(alice, "block", other)
        await do(alice, "mute", other)
    await world.settled()
    wanted = [other.id for other in reversed(others)]
    for path in ("/api/v1/blocks", "/api/v1/mutes"):
        first = await alice.raw("GET", path, params={"limit": 2})
        assert [one["id"] for one in first.json()] == wanted[:2]
        following = first.headers["link"].split(">")[0].removeprefix("<")
        second = await alice.raw("GET", following)
        assert [one["id"] for one in second.json()] == wanted[2:4]
        newer = second.headers["link"].rpartition("<")[2].partition(">")[0]
        assert "since_id" in newer
        assert [one["id"] for one in (await alice.raw("GET", newer)).json()] == wanted[:2]
        last = await alice.raw("GET", path, params={"limit": 5})
        assert 'rel="next"' in last.headers["link"]
        assert 'rel="next"' not in (await alice.raw("GET", path, params={"limit": 6})).headers["link"]
    assert all("mute_expires_at" not in one for one in await alice.get("/api/v1/blocks"))


async def test_the_blocked_and_muted_are_all_listed_though_some_of_them_are_gone(world: World) -> None:
    alice = await world.person("alice")
    others = [await world.person(f"p{number}") for number in range(4)]
    for other in others:
        await do(alice, "block", other)
        await do(alice, "mute", other)
    await world.server.do(accounts, DeleteAccount(account=others[2].number))
    await world.settled()
    for path in ("/api/v1/blocks", "/api/v1/mutes"):
        first = await alice.raw("GET", path, params={"limit": 2})
        assert [one["id"] for one in first.json()] == [others[3].id, others[1].id]
        following = await alice.raw("GET", first.links["next"]["url"])
        assert [one["id"] for one in following.json()] == [others[0].id]


async def test_nobody_blocks_themselves_or_nobody(world: World) -> None:
    alice = await world.person("alice")
    for verb in ("block", "mute"):
        await alice.ask("POST", f"/api/v1/accounts/{alice.id}/{verb}", 422)
    for verb in ("block", "unblock", "mute", "unmute", "remove_from_followers"):
        await alice.ask("POST", f"/api/v1/accounts/1/{verb}", 404)


async def test_a_remote_account_is_blocked_under_a_uri_of_ours(world: World) -> None:
    alice, ann = await world.person("alice"), "https://far.test/u/ann"
    await world.hear(fetched(ann, actor(ann)))
    found = await alice.get("/api/v1/accounts/lookup", acct="ann@far.test")
    await alice.ask("POST", f"/api/v1/accounts/{found['id']}/block")
    await world.settled()
    rows = await world.server.reads.view().execute("SELECT activity FROM blocks", [])
    assert rows[0][0].startswith(f"http://localhost:3000/ap/users/{alice.id}/blocks/")
