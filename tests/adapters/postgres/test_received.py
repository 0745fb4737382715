"""What the inbox answers when an activity comes again: stored by another inbox, repeated by the same one."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from adapters.activitypub.signatures import VerifiedRequest
from adapters.codec import Codec, Pepper
from adapters.postgres.reads import Pool
from adapters.postgres.received import Inbox, Receipt
from adapters.postgres.writer import GroupWriter
from adapters.unavailable import Unavailable
from tests.database import MASTER_KEY, Database

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 10, 14, 19, 6, 5, tzinfo=UTC)
OURS = "received test"


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    keywords = {"autocommit": True, "application_name": OURS}
    async with AsyncConnectionPool(database.app, min_size=1, max_size=1, open=False, kwargs=keywords) as pool:
        await pool.wait()
        yield pool


@pytest.fixture
async def inbox(database: Database, pool: Pool) -> AsyncIterator[Inbox]:
    writer = GroupWriter(database.app)
    yield Inbox(writer, pool, Codec(MASTER_KEY), Pepper(b"p" * 32))
    writer.close()


async def receive(inbox: Inbox, signature: bytes, path: str) -> Receipt:
    """The same Create once more, newly signed."""
    verified = VerifiedRequest(
        signer="https://peer.test/users/a",
        key_id="https://peer.test/users/a#main-key",
        body=b"{}",
        signing_string=b"",
        signature=signature,
        key=b"",
        valid_until=NOW,
    )
    return await inbox.receive(verified, "https://peer.test/1", "Create", path, NOW)


async def test_a_copy_by_another_inbox_is_noted_once(inbox: Inbox) -> None:
    assert await receive(inbox, b"1", "/inbox") == "stored"
    assert await receive(inbox, b"2", "/inbox") == "repeated"
    assert await receive(inbox, b"3", "/ap/users/1/inbox") == "stored again"
    assert await receive(inbox, b"4", "/ap/users/1/inbox") == "repeated"


async def test_a_copy_that_comes_while_the_connection_breaks_is_asked_to_come_later(
    inbox: Inbox, database: Database
) -> None:
    await receive(inbox, b"1", "/inbox")
    with psycopg.connect(database.owner, autocommit=True) as owner:
        owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s", [OURS])
    with pytest.raises(Unavailable):
        await receive(inbox, b"2", "/ap/users/1/inbox")
    assert await receive(inbox, b"3", "/ap/users/1/inbox") == "stored again"
