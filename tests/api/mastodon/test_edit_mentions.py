"""An edit tells those whom it mentions first, and nobody twice; whoever was addressed once stays addressed."""

from typing import Any

import pytest

from tests.adapters.interpreter.peers import ANN, PUBLIC, actor, create, fetched, received, update
from tests.api.mastodon.world import ORIGIN, Person, World

pytestmark = pytest.mark.anyio
POST = f"{ANN}/n/1"


async def told(person: Person) -> list[tuple[str, str]]:
    """Kind and text of what somebody was told, the newest first."""
    notes = await person.get("/api/v1/notifications")
    return [(note["type"], note["status"]["content"]) for note in notes]


async def edited(world: World, who: Person, status: Any, text: str) -> Any:
    answer = await who.ask("PUT", f"/api/v1/statuses/{status['id']}", json={"status": text})
    await world.settled()
    return answer


def named(status: Any) -> list[str]:
    return [mention["username"] for mention in status["mentions"]]


async def test_an_edit_tells_whom_it_mentions_first_and_shows_whom_it_names(world: World) -> None:
    alice, bob, carol = [await world.person(name) for name in ("alice", "bob", "carol")]
    status = await alice.post("Hello @bob")
    await world.settled()
    answer = await edited(world, alice, status, "Hello @carol and @bob")
    shown = await bob.get(f"/api/v1/statuses/{status['id']}")
    assert named(answer) == named(shown) == ["carol", "bob"]
    assert [kind for kind, _ in await told(carol)] == ["mention"] and len(await told(bob)) == 1
    answer = await edited(world, alice, status, "Hello nobody")
    assert named(answer) == named(await bob.get(f"/api/v1/statuses/{status['id']}")) == []
    await edited(world, alice, status, "Hello @bob, once more")
    assert named(await bob.get(f"/api/v1/statuses/{status['id']}")) == ["bob"]
    assert len(await told(carol)) == len(await told(bob)) == 1
    assert await told(alice) == []


async def test_whom_an_edit_mentions_sees_a_direct_post_from_then_on_and_whoever_saw_it_still_does(
    world: World,
) -> None:
    alice, bob, carol, dan = [await world.person(name) for name in ("alice", "bob", "carol", "dan")]
    status = await alice.post("psst @bob", visibility="direct")
    await world.settled()
    assert not await carol.sees(status["id"])
    await edited(world, alice, status, "psst @carol")
    assert [await who.sees(status["id"]) for who in (bob, carol, dan)] == [True, True, False]
    assert [kind for kind, _ in await told(carol)] == ["mention"]


async def test_what_somebody_elsewhere_edits_tells_whom_it_mentions_here(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    here = [{"type": "Mention", "href": f"{ORIGIN}/ap/users/{one.id}", "name": "@x"} for one in (alice, bob)]
    await world.hear(fetched(ANN, actor(ANN)), received(ANN, create(POST, ANN, to=[alice_of(here)], tag=here[:1])))
    await world.hear(received(ANN, update(POST, ANN, "2026-04-30T13:00:00Z", to=[PUBLIC], tag=here)))
    assert [kind for kind, _ in await told(alice)] == [kind for kind, _ in await told(bob)] == ["mention"]
    (note,) = await bob.get("/api/v1/notifications")
    assert named(note["status"]) == ["alice", "bob"] and note["status"]["visibility"] == "direct"
    await world.hear(received(ANN, update(POST, ANN, "2026-04-30T12:30:00Z", tag=here)))
    assert len(await told(bob)) == 1


async def test_a_post_that_was_fetched_first_tells_once_whom_it_mentions(world: World) -> None:
    alice = await world.person("alice")
    here = [{"type": "Mention", "href": f"{ORIGIN}/ap/users/{alice.id}", "name": "@x"}]
    note = create(POST, ANN, tag=here)
    await world.hear(fetched(ANN, actor(ANN)), fetched(POST, note["object"]))
    assert await told(alice) == []
    await world.hear(received(ANN, note), received(ANN, update(POST, ANN, "2026-04-30T13:00:00Z", tag=here)))
    assert [kind for kind, _ in await told(alice)] == ["mention"]


def alice_of(here: list[dict[str, str]]) -> str:
    return here[0]["href"]
