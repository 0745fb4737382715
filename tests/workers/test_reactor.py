"""What can't be decided yet holds up nothing that stands behind it, and is neither lost nor done twice."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import redis

from adapters.embedded.valkey import EmbeddedValkey
from adapters.postgres import generations
from adapters.replaying import replaying
from tests.adapters.interpreter.peers import ANN, BEN, actor, create, fetched, follow, received, undo
from tests.api.mastodon.world import ORIGIN, World, running_world
from tests.database import Database
from workers.jobs import Hands
from workers.lives import until
from workers.reactor import react

pytestmark = pytest.mark.anyio
TIMEOUT_S = 20.0
LOOK_AGAIN_S = 0.05


@pytest.fixture
async def world(database: Database, valkey_server: EmbeddedValkey, tmp_path: Path) -> AsyncIterator[World]:
    with redis.Redis.from_url(valkey_server.url) as client:
        client.flushall()
    async with running_world(database, valkey_server.url, tmp_path) as world:
        yield world


@contextmanager
def reacting(world: World) -> Iterator[None]:
    stopping = threading.Event()
    thread = threading.Thread(target=react, args=(world.settings, stopping))
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


async def rows(world: World, sql: str) -> list[tuple[object, ...]]:
    async with world.server.pool.connection() as connection:
        return [tuple(row) for row in await (await connection.execute(sql.encode())).fetchall()]


async def becomes(world: World, sql: str, wanted: list[tuple[object, ...]]) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while await rows(world, sql) != wanted:
            await until(asyncio.Event(), LOOK_AGAIN_S)


DECISIONS = "SELECT subject FROM app.jobs WHERE kind = 'decide' ORDER BY id"
ACCEPTED = "SELECT count(*) FROM log.events WHERE topic = 'follow.accepted'"


async def test_a_follow_that_cannot_be_answered_yet_holds_up_nothing_and_is_answered_once(world: World) -> None:
    alice = await world.person("alice")
    uri, post = f"{ORIGIN}/ap/users/{alice.id}", f"{ANN}/n/1"
    people = [fetched(one, actor(one)) for one in (ANN, BEN)]
    await world.hear(*people, received(ANN, create(post, ANN)))
    await world.hear(received(ANN, follow(ANN, uri)), received(BEN, follow(BEN, uri)))
    (status,) = await alice.get("/api/v1/timelines/public")
    await alice.ask("POST", f"/api/v1/statuses/{status['id']}/favourite")
    await world.settled()
    position, _ = await world.server.reads.head()
    ((number,),) = await rows(world, "SELECT n FROM app.generations WHERE status = 'live'")
    with psycopg.connect(str(world.settings.database_url)) as lock:
        # The projector can't go on, and so the facts stay behind the head.
        lock.execute(f"LOCK TABLE read_{number}.facts IN SHARE MODE".encode())
        await alice.post("One more")
        with reacting(world):
            await becomes(world, "SELECT position FROM app.reactor", [(position,)])
        assert await rows(world, ACCEPTED) == [(0,)]
        assert len(await rows(world, DECISIONS)) == 2
        assert await rows(world, "SELECT count(*) FROM app.outbox_activities") == [(1,)], "the like is on its way"
    await decided(world)
    assert await rows(world, ACCEPTED) == [(2,)]
    assert (await alice.get("/api/v1/accounts/verify_credentials"))["followers_count"] == 2


async def test_a_block_acted_upon_late_ends_what_it_found_and_not_what_came_after_it_was_lifted(world: World) -> None:
    alice = await world.person("alice")
    uri = f"{ORIGIN}/ap/users/{alice.id}"
    await world.hear(fetched(BEN, actor(BEN)), received(BEN, follow(BEN, uri)))
    with reacting(world):
        await becomes(world, ACCEPTED, [(1,)])
    (ben,) = await alice.get(f"/api/v1/accounts/{alice.id}/followers")
    await alice.ask("POST", f"/api/v1/accounts/{ben['id']}/block")
    await alice.ask("POST", f"/api/v1/accounts/{ben['id']}/unblock")
    await world.hear(received(BEN, undo(BEN, follow(BEN, uri))), received(BEN, follow(BEN, uri, "f2")))
    with reacting(world):
        await becomes(world, ACCEPTED, [(2,)])
    await world.settled()
    assert [one["id"] for one in await alice.get(f"/api/v1/accounts/{alice.id}/followers")] == [ben["id"]]


async def decided(world: World) -> None:
    """Do the jobs until none is left to decide, and whatever they come to is projected."""
    stopped = asyncio.Event()
    working = asyncio.create_task(Hands(world.server).work(stopped))
    await becomes(world, DECISIONS, [])
    stopped.set()
    await working
    await world.settled()


def switch_to_a_part(world: World) -> None:
    """What `daybook replay --only home` does, without a word."""
    with replaying(world.settings) as run:
        run.begin_part(frozenset({"home"}), say_nothing)
        run.build(say_nothing)
        run.switch(say_nothing)
        assert run.drop_old()


def say_nothing(reached: int, goal: int) -> None:
    """Nobody watches."""


async def test_what_happens_after_a_switch_to_a_part_made_anew_is_sent_as_before(world: World) -> None:
    alice = await world.person("alice")
    uri = f"{ORIGIN}/ap/users/{alice.id}"
    await world.hear(fetched(ANN, actor(ANN)), received(ANN, follow(ANN, uri)))
    with reacting(world):
        await becomes(world, ACCEPTED, [(1,)])
        await world.settled()
        await asyncio.to_thread(switch_to_a_part, world)
        await alice.post("Still on its way")
        sent = "SELECT count(*) FROM app.outbox_activities WHERE body LIKE '%Still on its way%'"
        await becomes(world, sent, [(1,)])
    head, _ = await world.server.reads.head()
    await world.settled()
    assert await world.server.reads.view().position() == head
    with psycopg.connect(str(world.settings.database_url)) as owner:
        live = generations.live(owner)
        assert live is not None and generations.is_part(owner, live)
        assert generations.position_of(owner, live) == head
