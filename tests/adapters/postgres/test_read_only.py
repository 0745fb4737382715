"""A database that is read-only for a while (a replica, an upgrade): whoever would write is told to come again."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from adapters.activitypub.fetch_documents import FetchedDocument
from adapters.activitypub.remote_keys import StoredKey
from adapters.codec import Codec, Pepper, Sealed
from adapters.postgres.passing import PASSING
from adapters.postgres.received import FetchedKeys
from adapters.postgres.schedule import keeping
from adapters.postgres.short_statements import Pool, ShortStatements
from adapters.postgres.writer import Appended, GroupWriter, NewEvent
from adapters.unavailable import Unavailable
from tests.database import MASTER_KEY, Database, read_only

pytestmark = pytest.mark.anyio
TIMEOUT_S = 60
NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
VISIT = "INSERT INTO app.visits (account, last_at) VALUES (%(account)s, now())"


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    read_only(database, "on")
    async with AsyncConnectionPool(database.app, min_size=1, open=False, kwargs={"autocommit": True}) as pool:
        yield pool


async def in_one_statement(database: Database, pool: Pool) -> None:
    await ShortStatements(pool).run(VISIT, {"account": 1})


async def in_a_transaction(database: Database, pool: Pool) -> None:
    async with ShortStatements(pool).transaction() as connection:
        await connection.execute(VISIT, {"account": 1})


async def on_schedule(database: Database, pool: Pool) -> None:
    async with keeping(database.app) as schedule:
        assert schedule is not None
        await schedule.begin("visits", timedelta(seconds=1))


async def with_a_key_that_was_fetched(database: Database, pool: Pool) -> None:
    with psycopg.connect(database.owner) as owner:
        owner.execute("INSERT INTO app.documents (uri, digest) VALUES ('u', %s)", [hashlib.sha256(b"same").digest()])
    writer = GroupWriter(database.app)
    try:
        document = FetchedDocument("u", "u", b"same", {}, "t", NOW)
        await FetchedKeys(writer, pool, Codec(MASTER_KEY), Pepper(bytes(32))).save([StoredKey("k", "u", "p")], document)
    finally:
        writer.close()


@pytest.mark.parametrize("writes", [in_one_statement, in_a_transaction, on_schedule, with_a_key_that_was_fetched])
async def test_who_would_write_is_told_to_come_again(
    database: Database, pool: Pool, writes: Callable[[Database, Pool], Awaitable[None]]
) -> None:
    with pytest.raises(Unavailable, match="PostgreSQL"):
        await writes(database, pool)


def test_what_is_appended_meanwhile_is_stored_once_that_is_over(database: Database) -> None:
    read_only(database, "on")
    writer = GroupWriter(database.app)
    try:
        answer = writer.submit([NewEvent("s", None, Sealed("t", b"state", bytes(60)))])
        with pytest.raises(TimeoutError):
            answer.result(1)
        read_only(database, "off")
        assert answer.result(TIMEOUT_S) == Appended("stored", (1,), (1,))
    finally:
        writer.close()


@pytest.mark.parametrize(
    "error", [psycopg.errors.AdminShutdown, psycopg.errors.CrashShutdown, psycopg.errors.CannotConnectNow]
)
def test_a_server_that_stops_or_starts_passes_too(error: type[Any]) -> None:
    assert issubclass(error, PASSING)
