"""What the inbox answers when an activity comes again: stored by another inbox, repeated by the same one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from adapters.activitypub.signatures import VerifiedRequest
from adapters.codec import Codec, Pepper
from adapters.postgres.reads import Pool
from adapters.postgres.received import Inbox, Receipt, new_stream
from adapters.postgres.writer import GroupWriter
from adapters.unavailable import Unavailable
from tests.adapters.postgres.held_log import held_head, waiting_writer
from tests.database import MASTER_KEY, Database

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 10, 14, 19, 6, 5, tzinfo=UTC)
OURS = "received test"
ERA = 2**19


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


def move_head(database: Database, position: int) -> None:
    """As if so many events stood in the log."""
    with psycopg.connect(database.owner) as owner:
        owner.execute("UPDATE log.head SET position = greatest(position, %s)", [position])


async def receive(inbox: Inbox, signature: bytes, path: str, name: str = "https://peer.test/1") -> Receipt:
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
    return await inbox.receive(verified, name, "Create", path, NOW)


async def test_a_copy_by_another_inbox_is_noted_once(inbox: Inbox) -> None:
    assert await receive(inbox, b"1", "/inbox") == "stored"
    assert await receive(inbox, b"2", "/inbox") == "repeated"
    assert await receive(inbox, b"3", "/ap/users/1/inbox") == "stored again"
    assert await receive(inbox, b"4", "/ap/users/1/inbox") == "repeated"


async def test_a_copy_is_noted_though_the_first_came_long_before(inbox: Inbox, database: Database) -> None:
    assert await receive(inbox, b"1", "/inbox") == "stored"
    move_head(database, 2 * ERA)
    assert await receive(inbox, b"2", "/ap/users/1/inbox") == "stored again"
    assert await receive(inbox, b"3", "/ap/users/1/inbox") == "repeated"


async def test_what_stands_is_found_though_its_era_is_over_by_then(pool: Pool, database: Database) -> None:
    class Late:
        def connection(self) -> AbstractAsyncContextManager[psycopg.AsyncConnection[Any]]:
            move_head(database, 3 * ERA)
            return pool.connection()

    writer = GroupWriter(database.app)
    inbox = Inbox(writer, cast("Pool", Late()), Codec(MASTER_KEY), Pepper(b"p" * 32))
    assert await receive(inbox, b"1", "/inbox") == "stored"
    move_head(database, 3 * ERA - 1)
    assert await receive(inbox, b"2", "/inbox") == "repeated"
    writer.close()


async def test_what_only_a_replayed_request_repeats_is_stored(inbox: Inbox, database: Database) -> None:
    await receive(inbox, b"1", "/inbox")
    move_head(database, 4 * ERA)
    with held_head(database):
        first = asyncio.create_task(receive(inbox, b"0", "/inbox", "https://peer.test/0"))
        await asyncio.sleep(0)
        waiting_writer(database)
        group = [asyncio.create_task(receive(inbox, signature, "/inbox")) for signature in (b"1", b"2")]
        await asyncio.sleep(0)
    assert await asyncio.gather(first, *group) == ["stored", "replayed", "stored"]


async def test_what_was_erased_is_not_taken_in_again(inbox: Inbox, database: Database) -> None:
    await receive(inbox, b"1", "/inbox")
    with psycopg.connect(database.owner) as owner:
        owner.execute("DELETE FROM keys.event_keys")
    assert await receive(inbox, b"2", "/ap/users/1/inbox") == "repeated"


def test_streams_are_named_in_the_order_of_time_and_behind_all_others() -> None:
    streams = [new_stream(NOW + timedelta(milliseconds=n)) for n in range(3)]
    assert streams == sorted(streams)
    assert streams[0] > max(f"{name}:" for name in ("activity", "document", "post", "username", "waiting"))
    assert new_stream(NOW) != new_stream(NOW)


async def test_a_copy_that_comes_while_the_connection_breaks_is_asked_to_come_later(
    inbox: Inbox, database: Database
) -> None:
    await receive(inbox, b"1", "/inbox")
    with psycopg.connect(database.owner, autocommit=True) as owner:
        owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s", [OURS])
    with pytest.raises(Unavailable):
        await receive(inbox, b"2", "/ap/users/1/inbox")
    assert await receive(inbox, b"3", "/ap/users/1/inbox") == "stored again"
