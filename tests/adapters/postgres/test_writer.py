"""The group writer: who waits is told once, in one waking, and nobody's going away or misfit harms another."""

import asyncio
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import psycopg
import pytest

from adapters.codec import Sealed
from adapters.postgres.writer import Appended, GroupWriter, NewEvent
from adapters.unavailable import Unavailable
from tests.adapters.postgres.held_log import held_head, waiting_writer
from tests.database import Database

TIMEOUT_S = 30


class CountingLoop(asyncio.SelectorEventLoop):
    """An event loop that counts how often another thread woke it."""

    woken = 0

    def call_soon_threadsafe(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> asyncio.Handle:
        self.woken += 1
        return super().call_soon_threadsafe(callback, *args, **kwargs)


@pytest.fixture
def writer(database: Database) -> Iterator[GroupWriter]:
    writer = GroupWriter(database.app)
    yield writer
    writer.close()


def new(stream: str, version: int | None = 1) -> NewEvent:
    return NewEvent(stream, version, Sealed("topic", f"state of {stream!a}".encode(), b"key"))


def terminate(database: Database, process: int) -> None:
    with psycopg.connect(database.owner, autocommit=True) as owner:
        owner.execute("SELECT pg_terminate_backend(%s)", [process])


def stored(database: Database) -> list[tuple[str, int]]:
    with psycopg.connect(database.app) as connection:
        return connection.execute(
            "SELECT originator_id, originator_version FROM log.events ORDER BY notification_id"
        ).fetchall()


def test_a_group_wakes_its_event_loop_once_however_many_wait(database: Database, writer: GroupWriter) -> None:
    async def write(loop: CountingLoop) -> list[Appended]:
        with held_head(database):
            first = asyncio.create_task(writer.append([new("first")]))
            await asyncio.sleep(0)
            waiting_writer(database)
            others = [asyncio.create_task(writer.append([new(f"s{number}")])) for number in range(20)]
            await asyncio.sleep(0)
            before = loop.woken
        answers = await asyncio.gather(first, *others)
        assert loop.woken - before == 2
        return answers

    with asyncio.Runner(loop_factory=CountingLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, CountingLoop)
        answers = runner.run(write(loop))
    assert [answer.positions for answer in answers] == [(position,) for position in range(1, 22)]


def test_a_caller_that_goes_away_disturbs_nobody_and_takes_nothing_back(
    database: Database, writer: GroupWriter
) -> None:
    async def write() -> Appended:
        with held_head(database):
            gone, stays = (asyncio.create_task(writer.append([new(stream)])) for stream in ("gone", "stays"))
            await asyncio.sleep(0)
            waiting_writer(database)
            gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        return await asyncio.wait_for(stays, TIMEOUT_S)

    assert asyncio.run(write()).outcome == "stored"
    assert stored(database) == [("gone", 1), ("stays", 1)]


def test_an_event_loop_that_is_closed_disturbs_no_other(database: Database, writer: GroupWriter) -> None:
    async def go_away() -> None:
        asyncio.create_task(writer.append([new("gone")]))  # noqa: RUF006 - not to be waited for is its part here
        await asyncio.sleep(0)

    with held_head(database):
        asyncio.run(go_away())
        stays = writer.submit([new("stays")])
    assert stays.result(TIMEOUT_S).outcome == "stored"
    assert stored(database) == [("gone", 1), ("stays", 1)]


def test_event_loops_and_threads_share_groups_and_get_their_own_answers(
    database: Database, writer: GroupWriter
) -> None:
    together = Barrier(4)

    async def write(stream: str) -> list[Appended]:
        together.wait(TIMEOUT_S)
        return [await writer.append([new(stream, version)]) for version in range(1, 51)]

    def submit(stream: str) -> list[Appended]:
        together.wait(TIMEOUT_S)
        return [writer.submit([new(stream, version)]).result(TIMEOUT_S) for version in range(1, 51)]

    with ThreadPoolExecutor(4) as threads:
        loops = [threads.submit(asyncio.run, write(f"loop {number}")) for number in range(2)]
        others = [threads.submit(submit, f"thread {number}") for number in range(2)]
        told = [answer for future in (*loops, *others) for answer in future.result(TIMEOUT_S)]
    assert [answer.versions for answer in told] == [(version,) for version in range(1, 51)] * 4
    assert sorted(answer.positions[0] for answer in told) == list(range(1, 201))


@pytest.mark.parametrize("version", [1, None])
def test_what_was_committed_before_its_answer_was_lost_is_stored_once(
    database: Database, writer: GroupWriter, version: int | None
) -> None:
    event = new("s", version)
    with held_head(database) as owner:
        answer = writer.submit([event])
        # Whoever reads the log can't tell this from the writer's own commit.
        owner.execute(
            "SELECT FROM log.append('{0}', '{s}', '{null}', '{topic}', %b::bytea[], '{key}', '{null}', '{null}')",
            [[event.sealed.state]],
        )
        terminate(database, waiting_writer(database))
    assert answer.result(TIMEOUT_S) == Appended("stored", (1,), (1,))
    assert stored(database) == [("s", 1)]


@pytest.mark.parametrize("version", [1, None])
def test_what_was_not_committed_when_its_answer_was_lost_is_stored_once(
    database: Database, writer: GroupWriter, version: int | None
) -> None:
    with held_head(database):
        answer = writer.submit([new("s", version)])
        terminate(database, waiting_writer(database))
    assert answer.result(TIMEOUT_S) == Appended("stored", (1,), (1,))
    assert stored(database) == [("s", 1)]


# Refused by the client library, by its encoding, by the server; the last is an OperationalError that never passes.
UNFIT = {"NUL": "a\0b", "half a character": "\ud800", "too long for an index": secrets.token_hex(3_000)}


@pytest.mark.parametrize("stream", UNFIT.values(), ids=UNFIT.keys())
def test_a_command_that_does_not_fit_fails_alone_in_its_group(
    database: Database, writer: GroupWriter, stream: str
) -> None:
    with held_head(database):
        first = writer.submit([new("first")])
        waiting_writer(database)
        before, unfit, after = (writer.submit([new(name)]) for name in ("before", stream, "after"))
    assert [answer.result(TIMEOUT_S).positions for answer in (first, before, after)] == [(1,), (2,), (3,)]
    with pytest.raises((psycopg.Error, UnicodeError)):
        unfit.result(TIMEOUT_S)
    assert stored(database) == [("first", 1), ("before", 1), ("after", 1)]


def test_a_closed_log_says_so_at_once(writer: GroupWriter) -> None:
    writer.close()
    with pytest.raises(Unavailable, match="closed"):
        writer.submit([new("s")]).result(TIMEOUT_S)
    with pytest.raises(Unavailable, match="closed"):
        asyncio.run(writer.append([new("s")]))
