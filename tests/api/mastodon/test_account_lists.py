"""Who follows whom, who asks to, and who has gone or moved."""

from typing import Any

import pytest

from domain import account as accounts
from domain.account import DeleteAccount, MoveAccount, Profile
from tests.api.mastodon.world import Person, World

pytestmark = pytest.mark.anyio


async def ids(person: Person, path: str, **params: Any) -> list[str]:
    return [one["id"] for one in await person.get(path, **params)]


async def test_followers_and_followed_are_listed_latest_first_page_by_page(world: World) -> None:
    alice, anybody = await world.person("alice"), world.anybody()
    others = [await world.person(f"p{number}") for number in range(3)]
    for other in others:
        await other.follow(alice)
        await alice.follow(other)
    await world.settled()
    wanted = [other.id for other in reversed(others)]
    for path in (f"/api/v1/accounts/{alice.id}/followers", f"/api/v1/accounts/{alice.id}/following"):
        assert await ids(anybody, path) == await ids(alice, path) == wanted
        page = await anybody.raw("GET", path, params={"limit": 2})
        assert [one["id"] for one in page.json()] == wanted[:2]
        following = page.headers["link"].split(">")[0].removeprefix("<")
        assert [one["id"] for one in (await anybody.raw("GET", following)).json()] == wanted[2:]
    await others[0].unfollow(alice)
    await world.settled()
    assert await ids(alice, f"/api/v1/accounts/{alice.id}/followers") == wanted[:2]
    await anybody.get("/api/v1/accounts/1/followers", 404)


async def test_whom_the_viewer_blocks_or_is_blocked_by_is_not_listed_among_anothers_followers(world: World) -> None:
    alice, bob, carol = await world.person("alice"), await world.person("bob"), await world.person("carol")
    await bob.follow(alice)
    await carol.follow(alice)
    await bob.ask("POST", f"/api/v1/accounts/{carol.id}/block")
    await world.settled()
    path = f"/api/v1/accounts/{alice.id}/followers"
    assert await ids(bob, path) == [bob.id]
    assert await ids(carol, path) == [carol.id]
    assert await ids(alice, path) == [carol.id, bob.id]


async def test_who_follows_somebody_and_whom_they_follow_is_kept_from_whom_they_block(world: World) -> None:
    alice, bob, carol = await world.person("alice"), await world.person("bob"), await world.person("carol")
    await carol.follow(alice)
    await alice.follow(carol)
    await bob.follow(carol)
    await world.settled()
    familiar = "/api/v1/accounts/familiar_followers"
    assert [who["id"] for who in (await bob.get(familiar, id=alice.id))[0]["accounts"]] == [carol.id]
    await world.block(alice, bob.number)
    for path in (f"/api/v1/accounts/{alice.id}/followers", f"/api/v1/accounts/{alice.id}/following"):
        assert await ids(bob, path) == []
        assert await ids(world.anybody(), path) == await ids(alice, path) == [carol.id]
    assert await bob.get(familiar, id=alice.id) == [{"id": alice.id, "accounts": []}]


async def test_familiar_followers_are_those_that_the_viewer_follows(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    carol, dave = await world.person("carol"), await world.person("dave")
    await alice.follow(carol)
    for person in (carol, dave):
        await person.follow(bob)
    await world.settled()
    path = "/api/v1/accounts/familiar_followers"
    found = await alice.get(path, **{"id[]": [bob.id, dave.id]})
    assert [(one["id"], [who["id"] for who in one["accounts"]]) for one in found] == [
        (bob.id, [carol.id]),
        (dave.id, []),
    ]
    assert await dave.get(path, id=bob.id) == [{"id": bob.id, "accounts": []}]


async def test_a_request_is_listed_and_counted_until_it_is_answered(world: World) -> None:
    alice = await world.person("alice", Profile(locked=True))
    bob, carol = await world.person("bob"), await world.person("carol")
    for person in (bob, carol):
        assert (await person.follow(alice))["requested"] is True
    await world.settled()
    assert await ids(alice, "/api/v1/follow_requests") == [carol.id, bob.id]
    assert (await alice.get("/api/v1/accounts/verify_credentials"))["source"]["follow_requests_count"] == 2
    (about,) = await alice.get("/api/v1/accounts/relationships", **{"id[]": bob.id})
    assert (about["requested_by"], about["followed_by"]) == (True, False)
    answer = await alice.ask("POST", f"/api/v1/follow_requests/{bob.id}/authorize")
    assert (answer["requested_by"], answer["followed_by"]) == (False, True)
    answer = await alice.ask("POST", f"/api/v1/follow_requests/{carol.id}/reject")
    assert (answer["requested_by"], answer["followed_by"]) == (False, False)
    assert await ids(alice, "/api/v1/follow_requests") == []
    assert await ids(alice, f"/api/v1/accounts/{alice.id}/followers") == [bob.id]
    await alice.ask("POST", f"/api/v1/follow_requests/{carol.id}/authorize", 404)
    await alice.ask("POST", f"/api/v1/follow_requests/{bob.id}/reject", 404)
    assert (await alice.ask("POST", f"/api/v1/accounts/{bob.id}/remove_from_followers"))["followed_by"] is False
    assert await ids(alice, f"/api/v1/accounts/{alice.id}/followers") == []


async def test_what_a_follower_wants_is_told_until_they_follow_no_longer(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    path = f"/api/v1/accounts/{bob.id}/follow"
    told = await alice.ask("POST", path, json={"reblogs": False, "notify": True, "languages": ["en", "de"]})
    assert (told["showing_reblogs"], told["notifying"], told["languages"]) == (False, True, ["en", "de"])
    assert await alice.get("/api/v1/accounts/relationships", **{"id[]": bob.id}) == [told]
    told = await alice.ask("POST", path, json={"reblogs": True})
    assert (told["showing_reblogs"], told["notifying"], told["languages"]) == (True, True, ["en", "de"])
    assert await alice.get("/api/v1/accounts/relationships", **{"id[]": bob.id}) == [told]
    told = await alice.ask("POST", path, data={"languages[]": ""})
    assert told["languages"] is None
    await alice.unfollow(bob)
    told = await alice.follow(bob)
    assert (told["showing_reblogs"], told["notifying"], told["languages"]) == (True, False, None)
    assert await alice.get("/api/v1/accounts/relationships", **{"id[]": bob.id}) == [told]


async def test_an_account_that_is_deleted_is_gone_with_its_follows_and_posts(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    await alice.follow(bob)
    await bob.follow(alice)
    await world.settled()
    post = (await bob.post("b"))["id"]
    await world.server.do(accounts, DeleteAccount(account=bob.number))
    await world.settled()
    assert await alice.home() == [] and not await alice.sees(post)
    for path in ("", "/followers", "/statuses"):
        await alice.get(f"/api/v1/accounts/{bob.id}{path}", 404)
    for verb in ("follow", "block", "mute"):
        await alice.ask("POST", f"/api/v1/accounts/{bob.id}/{verb}", 404)
    counted = await alice.get("/api/v1/accounts/verify_credentials")
    assert (counted["followers_count"], counted["following_count"]) == (0, 0)
    assert await alice.get("/api/v1/accounts/relationships", **{"id[]": bob.id}) == []


async def test_an_account_that_moved_says_where_it_is_and_takes_no_followers(world: World) -> None:
    alice, bob, carol = await world.person("alice"), await world.person("bob"), await world.person("carol")
    await bob.follow(alice)
    await world.server.do(accounts, MoveAccount(account=bob.number, target=carol.number, named_by_target=True))
    await world.settled()
    for shown in (
        await alice.get(f"/api/v1/accounts/{bob.id}"),
        (await alice.get(f"/api/v1/accounts/{alice.id}/followers"))[0],
    ):
        assert (shown["id"], shown["moved"]["id"]) == (bob.id, carol.id)
    assert "moved" not in await alice.get(f"/api/v1/accounts/{carol.id}")
    await alice.ask("POST", f"/api/v1/accounts/{bob.id}/follow", 403)
