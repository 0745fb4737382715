"""How far somebody has read."""

import asyncio

import pytest

from tests.api.mastodon.world import World

pytestmark = pytest.mark.anyio


async def test_a_marker_is_kept_for_the_timelines_that_are_named_and_its_version_grows(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    assert await alice.get("/api/v1/markers", **{"timeline[]": ["home", "notifications"]}) == {}
    told = await alice.ask("POST", "/api/v1/markers", json={"home": {"last_read_id": "103"}})
    assert list(told) == ["home"] and (told["home"]["last_read_id"], told["home"]["version"]) == ("103", 1)
    assert told["home"]["updated_at"].endswith("Z")
    assert await alice.get("/api/v1/markers", timeline="home") == told
    told = await alice.ask(
        "POST", "/api/v1/markers", data={"home[last_read_id]": "9", "notifications[last_read_id]": 4}
    )
    assert {name: (one["last_read_id"], one["version"]) for name, one in told.items()} == {
        "home": ("9", 2),
        "notifications": ("4", 1),
    }
    assert await alice.get("/api/v1/markers", **{"timeline[]": ["home", "notifications", "other"]}) == told
    assert await alice.get("/api/v1/markers") == {}
    assert await bob.get("/api/v1/markers", timeline="home") == {}


async def test_of_two_clients_that_set_it_at_once_one_is_told_to_try_again(world: World) -> None:
    alice = await world.person("alice")
    body = {"home": {"last_read_id": "1"}}
    answers = await asyncio.gather(*(alice.raw("POST", "/api/v1/markers", json=body) for _ in range(12)))
    stored = [answer for answer in answers if answer.status_code == 200]
    stale = [answer for answer in answers if answer.status_code == 409]
    assert len(stored) + len(stale) == 12 and stored and stale
    assert all(answer.json() == {"error": "Conflict during update, please try again"} for answer in stale)
    now = await alice.get("/api/v1/markers", timeline="home")
    assert now["home"]["version"] == len(stored)


async def test_what_is_no_id_is_refused(world: World) -> None:
    alice = await world.person("alice")
    for nonsense in ("x", "-1", "9" * 30):
        await alice.ask("POST", "/api/v1/markers", 422, json={"home": {"last_read_id": nonsense}})
    await alice.ask("POST", "/api/v1/markers", 400, json={"home": {}})
    assert await alice.ask("POST", "/api/v1/markers", json={}) == {}
