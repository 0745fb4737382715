"""Signatures are remembered for as long as they could be sent again, and no longer."""

import datetime as dt
from collections.abc import AsyncIterator

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from adapters.postgres.seen_signatures import KEPT_FOR, SeenSignatures
from adapters.postgres.short_statements import Pool
from tests.database import Database

pytestmark = pytest.mark.anyio
MARGIN = dt.timedelta(minutes=1)


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    keywords = {"autocommit": True}
    async with AsyncConnectionPool(database.app, min_size=1, max_size=1, open=False, kwargs=keywords) as pool:
        yield pool


@pytest.fixture
def two_seen(database: Database) -> None:
    """One signature that is just too old to come again, and one that just is not."""
    with psycopg.connect(database.owner) as owner:
        for key, age in ((b"old", KEPT_FOR + MARGIN), (b"fresh", KEPT_FOR - MARGIN)):
            owner.execute("INSERT INTO app.signatures (key, seen_at) VALUES (%s, now() - %s)", [key, age])


async def remembered(pool: Pool) -> list[bytes]:
    async with pool.connection() as connection:
        cursor = await connection.execute("SELECT key FROM app.signatures", binary=True)
        return [key for (key,) in await cursor.fetchall()]


@pytest.mark.usefixtures("two_seen")
async def test_a_signature_is_forgotten_when_it_could_no_longer_be_taken(pool: Pool) -> None:
    assert await SeenSignatures(pool).forget() == 1
    assert await remembered(pool) == [b"fresh"]
