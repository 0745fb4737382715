"""Following, and how accounts stand to each other."""

import pytest

from domain.account import Profile
from tests.adapters.interpreter.peers import actor, answer, create, fetched, received
from tests.api.mastodon.world import ORIGIN, World

pytestmark = pytest.mark.anyio

ANN = "https://far.test/u/ann"


async def test_an_open_account_here_is_followed_at_once(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    await world.settled()
    followed = await alice.follow(bob)
    assert (followed["following"], followed["requested"], followed["showing_reblogs"]) == (True, False, True)
    assert await alice.follow(bob) == followed
    assert await alice.get("/api/v1/accounts/relationships", **{"id[]": bob.id}) == [followed]
    await world.settled()
    assert (await bob.get(f"/api/v1/accounts/{alice.id}"))["following_count"] == 1
    assert (await bob.get(f"/api/v1/accounts/{bob.id}"))["followers_count"] == 1
    (seen,) = await bob.get("/api/v1/accounts/relationships", id=alice.id)
    assert (seen["following"], seen["followed_by"]) == (False, True)
    left = await alice.unfollow(bob)
    assert (left["following"], left["showing_reblogs"]) == (False, False)
    assert await alice.unfollow(bob) == left


async def test_a_locked_account_is_asked(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob", Profile(locked=True))
    await world.settled()
    asked = await alice.follow(bob)
    assert (asked["following"], asked["requested"]) == (False, True)
    assert asked == (await alice.get("/api/v1/accounts/relationships", **{"id[]": [bob.id]}))[0]
    await world.settled()
    assert (await bob.get("/api/v1/accounts/verify_credentials"))["source"]["follow_requests_count"] == 1
    taken_back = await alice.unfollow(bob)
    assert (taken_back["following"], taken_back["requested"]) == (False, False)


async def test_a_remote_account_that_accepts_shows_in_home_from_then_on(world: World) -> None:
    alice = await world.person("alice")
    await world.hear(fetched(ANN, actor(ANN)), received(ANN, create(f"{ANN}/1", ANN)))
    ann = (await alice.get("/api/v1/accounts/lookup", acct="@ann@far.test"))["id"]
    asked = await alice.ask("POST", f"/api/v1/accounts/{ann}/follow")
    assert (asked["following"], asked["requested"]) == (False, True)
    await world.settled()
    rows = await world.server.reads.view().execute("SELECT request FROM follows", [])
    assert rows[0][0].startswith(f"{ORIGIN}/ap/users/{alice.id}/follows/")
    await world.hear(received(ANN, answer("Accept", ANN, rows[0][0])), received(ANN, create(f"{ANN}/2", ANN)))
    (seen,) = await alice.get("/api/v1/accounts/relationships", **{"id[]": ann})
    assert (seen["following"], seen["requested"]) == (True, False)
    assert [status["uri"] for status in await alice.get("/api/v1/timelines/home")] == [f"{ANN}/2"]
    remote = await alice.get("/api/v1/timelines/public", remote="true")
    assert {status["account"]["acct"] for status in remote} == {"ann@far.test"}


async def test_relationships_come_in_the_order_asked_without_the_unknown(world: World) -> None:
    alice, bob, carol = await world.person("alice"), await world.person("bob"), await world.person("carol")
    await world.settled()
    asked = [carol.id, "1", "nonsense", bob.id, carol.id, "9" * 30]
    found = await alice.get("/api/v1/accounts/relationships", **{"id[]": asked})
    assert [one["id"] for one in found] == [carol.id, bob.id]
    assert await alice.get("/api/v1/accounts/relationships") == []


async def test_following_oneself_or_nobody_is_refused(world: World) -> None:
    alice = await world.person("alice")
    await world.settled()
    refused = await alice.ask("POST", f"/api/v1/accounts/{alice.id}/follow", 422)
    assert refused == {"error": "Validation failed: You can't follow yourself"}
    await alice.ask("POST", "/api/v1/accounts/1/follow", 404)
    await alice.ask("POST", "/api/v1/accounts/1/unfollow", 404)
