"""Threads: ancestors from the root, descendants depth first; what they said before; muting them whole."""

import random

import pytest

from api.mastodon.threads import in_order, promoted
from tests.adapters.interpreter.peers import actor, create, fetched, received
from tests.api.mastodon.world import PUBLIC, Person, World

pytestmark = pytest.mark.anyio


async def context(person: Person, status: str) -> tuple[list[str], list[str]]:
    found = await person.get(f"/api/v1/statuses/{status}/context")
    return [one["id"] for one in found["ancestors"]], [one["id"] for one in found["descendants"]]


async def test_a_context_has_ancestors_root_first_and_descendants_depth_first(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")

    async def say(who: Person, to: str | None = None, **more: str) -> str:
        said = (await who.post("hello", in_reply_to_id=to, **more))["id"]
        await world.settled()
        return said

    root = await say(alice)
    first = await say(bob, root)
    second = await say(bob, root)
    under_first = await say(alice, first)
    own = await say(alice, root)
    under_own = await say(alice, own)
    deep = await say(bob, under_first)
    private = await say(alice, second, visibility="private")
    orphan = await say(alice, private)
    assert await context(bob, root) == ([], [own, under_own, first, under_first, deep, second, orphan])
    assert await context(alice, root) == ([], [own, under_own, first, under_first, deep, second, private, orphan])
    assert await context(world.anybody(), deep) == ([root, first, under_first], [])
    assert await context(bob, orphan) == ([root, second], [])
    await bob.ask("DELETE", f"/api/v1/statuses/{first}")
    await world.settled()
    assert await context(bob, root) == ([], [own, under_own, second, orphan])
    assert await context(bob, deep) == ([under_first], [])
    assert (await bob.get(f"/api/v1/statuses/{under_first}"))["in_reply_to_id"] is None


async def test_answers_that_came_before_what_they_answer_find_their_thread(world: World) -> None:
    alice = await world.person("alice")
    ann = "https://far.test/u/ann"
    notes = [f"{ann}/{number}" for number in range(4)]
    said = [create(uri, ann, to=[PUBLIC], inReplyTo=up) for uri, up in zip(notes, [None, *notes], strict=False)]
    await world.hear(fetched(ann, actor(ann)), *(received(ann, one) for one in reversed(said)))
    account = await alice.get("/api/v1/accounts/lookup", acct="ann@far.test")
    shown = {one["uri"]: one["id"] for one in await alice.get(f"/api/v1/accounts/{account['id']}/statuses")}
    numbers = [shown[uri] for uri in notes]
    assert await context(alice, numbers[1]) == (numbers[:1], numbers[2:])


async def test_a_thread_tied_into_a_ring_ends(world: World) -> None:
    alice = await world.person("alice")
    ann = "https://far.test/u/ann"
    ring = [f"{ann}/{number}" for number in range(3)]
    said = [create(uri, ann, to=[PUBLIC], inReplyTo=ring[number - 1]) for number, uri in enumerate(ring)]
    await world.hear(fetched(ann, actor(ann)), *(received(ann, one) for one in said))
    account = await alice.get("/api/v1/accounts/lookup", acct="ann@far.test")
    shown = {one["uri"]: one["id"] for one in await alice.get(f"/api/v1/accounts/{account['id']}/statuses")}
    a, b, c = (shown[uri] for uri in ring)
    assert await context(alice, a) == ([b, c], [b, c])
    muted = await alice.ask("POST", f"/api/v1/statuses/{a}/mute")
    assert muted["muted"] is True


async def test_muting_a_thread_covers_all_of_it_and_unmuting_too(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    root = (await alice.post("root"))["id"]
    await world.settled()
    answer = (await alice.post("answer", in_reply_to_id=root))["id"]
    await world.settled()
    beside = (await alice.post("another", in_reply_to_id=root))["id"]
    other = (await alice.post("something else"))["id"]
    await world.settled()

    async def muted() -> set[str]:
        return {one["id"] for one in await bob.get("/api/v1/timelines/public") if one["muted"]}

    await bob.ask("POST", f"/api/v1/statuses/{answer}/mute")
    assert await muted() == {root, answer, beside}
    assert other not in await muted()
    await bob.ask("POST", f"/api/v1/statuses/{beside}/unmute")
    assert await muted() == set()


async def test_history_has_every_revision_and_source_what_was_typed(world: World) -> None:
    alice = await world.person("alice")
    status = await alice.post("first <b>", spoiler_text="careful")
    path = f"/api/v1/statuses/{status['id']}"
    await alice.ask("PUT", path, json={"status": "second"})
    await world.settled()
    first, second = await alice.get(f"{path}/history")
    assert (first["content"], first["spoiler_text"], first["sensitive"]) == ("<p>first &lt;b&gt;</p>", "careful", True)
    assert first["created_at"] == status["created_at"]
    edited = await alice.get(path)
    assert (second["content"], second["created_at"]) == ("<p>second</p>", edited["edited_at"])
    assert set(second) == {
        *("content", "spoiler_text", "sensitive", "created_at", "account", "media_attachments", "emojis")
    }
    assert second["account"]["id"] == alice.id
    assert await alice.get(f"{path}/source") == {"id": status["id"], "text": "second", "spoiler_text": ""}
    assert len(await world.anybody().get(f"{path}/history")) == 2
    await world.anybody().get(f"{path}/source", 401)


def test_order_is_depth_first_and_bounded_in_depth() -> None:
    seed = random.SystemRandom().randrange(1_000_000)
    dice = random.Random(seed)  # noqa: S311 - repeatable, not secret
    parents = {number: dice.randrange(number) for number in range(1, 200)}
    children: dict[int, list[int]] = {}
    for number, parent in parents.items():
        children.setdefault(parent, []).append(number)

    def paths(number: int) -> list[int]:
        return [*paths(parents[number]), number] if number else []

    by_path = sorted(parents, key=paths)
    assert in_order(0, children, 200) == by_path, seed
    assert in_order(0, children, 2) == [number for number in by_path if len(paths(number)) <= 2], seed


def test_what_the_author_adds_comes_first_and_keeps_its_order() -> None:
    known = {2: (1, 8), 3: (2, 7), 4: (1, 7), 5: (4, 7), 6: (4, 8), 9: (6, 7)}
    assert promoted(1, 7, [2, 3, 4, 5, 6, 9], known) == [4, 5, 2, 3, 6, 9]
