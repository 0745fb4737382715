"""Counting what is turned away: by the hour, bounded whoever knocks, and kept for a while."""

import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import pytest
from psycopg_pool import AsyncConnectionPool

from adapters.postgres.refusals import HOSTS_AN_HOUR_MAX, KEPT_FOR, OTHERS, Refusals
from adapters.unavailable import Unavailable
from tests.database import Database

NOW = dt.datetime(2026, 10, 14, 19, 6, 5, tzinfo=dt.UTC)


class Clock:
    """Turned by hand."""

    def __init__(self) -> None:
        self.time = NOW

    def __call__(self) -> dt.datetime:
        return self.time


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[AsyncConnectionPool[Any]]:
    async with AsyncConnectionPool[Any](database.app, min_size=1, max_size=2, open=False) as pool:
        yield pool


async def stored(pool: AsyncConnectionPool[Any]) -> list[Any]:
    async with pool.connection() as connection:
        cursor = await connection.execute("SELECT hour, host, reason, count FROM app.refusals ORDER BY hour, host")
        return await cursor.fetchall()


@pytest.mark.anyio
async def test_two_processes_add_to_the_same_hour(pool: AsyncConnectionPool[Any]) -> None:
    for _ in range(2):
        refusals = Refusals(pool, Clock())
        refusals.count("peer.test", "signature")
        refusals.count("peer.test", "signature")
        await refusals.flush()
        await refusals.flush()
    assert await stored(pool) == [(NOW.replace(minute=0, second=0), "peer.test", "signature", 4)]


@pytest.mark.anyio
async def test_more_hosts_than_that_in_an_hour_are_counted_together(pool: AsyncConnectionPool[Any]) -> None:
    refusals = Refusals(pool, Clock())
    for number in range(HOSTS_AN_HOUR_MAX + 50):
        refusals.count(f"h{number}.test", "signature")
    refusals.count("h0.test", "signature")
    await refusals.flush()
    rows = {host: count for _, host, _, count in await stored(pool)}
    assert len(rows) == HOSTS_AN_HOUR_MAX + 1
    assert (rows[OTHERS], rows["h0.test"]) == (50, 2)


@pytest.mark.anyio
async def test_what_is_old_is_forgotten(pool: AsyncConnectionPool[Any]) -> None:
    clock = Clock()
    refusals = Refusals(pool, clock)
    refusals.count("peer.test", "size")
    await refusals.flush()
    clock.time += KEPT_FOR + dt.timedelta(hours=1)
    await refusals.forget()
    assert await stored(pool) == []


@pytest.mark.anyio
async def test_nothing_is_lost_while_the_database_is_away(database: Database, pool: AsyncConnectionPool[Any]) -> None:
    away = AsyncConnectionPool[Any](database.app, min_size=0, max_size=1, open=False)
    refusals = Refusals(away, Clock())
    refusals.count("peer.test", "size")
    with pytest.raises(Unavailable):
        await refusals.flush()
    await away.open()
    await refusals.flush()
    await away.close()
    assert [row[3] for row in await stored(pool)] == [1]


@pytest.mark.anyio
async def test_what_was_counted_is_written_at_the_end(pool: AsyncConnectionPool[Any]) -> None:
    refusals = Refusals(pool, Clock())
    async with refusals.running():
        refusals.count("", "not JSON")
    assert [row[1:] for row in await stored(pool)] == [("", "not JSON", 1)]
