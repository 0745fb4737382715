"""The group writer: who waits is told once, in one waking, and nobody's going away or misfit harms another."""

import asyncio
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
    return NewEvent(stream, version, Sealed("topic", f"state of {stream}".encode(), b"key"))


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


def test_a_closed_log_says_so_at_once(writer: GroupWriter) -> None:
    writer.close()
    with pytest.raises(Unavailable, match="closed"):
        writer.submit([new("s")]).result(TIMEOUT_S)
    with pytest.raises(Unavailable, match="closed"):
        asyncio.run(writer.append([new("s")]))
