"""The schedule is kept by one process, which begins each thing when its time has come, whatever happens in another."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import msgspec
import psycopg
import pytest

from adapters.config import Settings
from adapters.embedded.valkey import EmbeddedValkey
from adapters.postgres.schedule import keeping
from adapters.wiring import Server
from tests.database import Database
from workers.schedule import SCHEDULE, Entry, keep

pytestmark = pytest.mark.anyio
TIMEOUT_S = 20.0
OFTEN, SELDOM = timedelta(0), timedelta(hours=1)


@pytest.fixture
def server(settings: Settings, valkey_server: EmbeddedValkey) -> Server:
    return Server(msgspec.structs.replace(settings, redis_url=valkey_server.url))


async def kept(server: Server, *entries: Entry, until: Callable[[], bool]) -> None:
    """Keep a schedule until that is so."""
    stopped, seen = asyncio.Event(), asyncio.Event()

    async def look(_: Server) -> None:
        if until():
            stopped.set()
            seen.set()

    async with asyncio.timeout(TIMEOUT_S), server.running():
        await keep(server, stopped, [*entries, Entry("look", OFTEN, look)])
    assert seen.is_set()


async def test_each_thing_is_begun_when_its_time_has_come(server: Server, database: Database) -> None:
    done: list[str] = []

    def noting(name: str, every: timedelta) -> Entry:
        async def note(_: Server) -> None:
            done.append(name)

        return Entry(name, every, note)

    await kept(server, noting("often", OFTEN), noting("seldom", SELDOM), until=lambda: done.count("often") >= 2)
    assert done.count("seldom") == 1
    await kept(Server(server.settings), noting("seldom", SELDOM), until=lambda: True)
    assert done.count("seldom") == 1, "a restart repeats it"
    with psycopg.connect(database.owner) as owner:
        owner.execute("UPDATE app.schedule SET last_run = now() - interval '2 hours'")
    await kept(Server(server.settings), noting("seldom", SELDOM), until=lambda: True)
    assert done.count("seldom") == 2


async def test_one_thing_that_fails_does_not_keep_others_from_being_done(server: Server) -> None:
    async def broken(_: Server) -> None:
        raise ZeroDivisionError

    await kept(server, Entry("broken", OFTEN, broken), until=lambda: True)


async def test_a_second_keeper_stands_by(server: Server) -> None:
    dsn = server.settings.database_app_url
    assert dsn is not None
    async with keeping(dsn) as first, keeping(dsn) as second:
        assert first is not None and second is None
    async with keeping(dsn) as third:
        assert third is not None


async def test_all_that_is_scheduled_can_be_done(server: Server) -> None:
    assert len({entry.name for entry in SCHEDULE}) == len(SCHEDULE)
    async with server.running():
        for entry in SCHEDULE:
            await entry.do(server)


async def test_what_a_clock_put_off_that_was_set_back_since_is_due_in_time(server: Server, database: Database) -> None:
    done: list[str] = []

    async def note(_: Server) -> None:
        done.append("seldom")

    await kept(server, Entry("seldom", SELDOM, note), until=lambda: True)
    job, host = (
        "SELECT due_at FROM app.jobs",
        "SELECT next_at, not_before FROM app.delivery_hosts WHERE host = 'a.test'",
    )
    with psycopg.connect(database.owner, autocommit=True) as owner:
        # What was written by a clock that showed three hours more.
        owner.execute("UPDATE app.schedule SET last_run = now() + interval '3 hours'")
        owner.execute(
            "INSERT INTO app.jobs (kind, subject, payload, lane, due_at)"
            " VALUES ('test', 'x', '{}', 'test', now() + interval '3 hours 1 minute')"
        )
        owner.execute(
            "INSERT INTO app.delivery_hosts (host, next_at, not_before) VALUES"
            " ('a.test', now() + interval '3 hours 1 minute', now() + interval '3 hours 1 minute'),"
            " ('b.test', 'infinity', '-infinity')"
        )
        before = owner.execute("SELECT now()").fetchone()
        await kept(Server(server.settings), Entry("seldom", timedelta(0), note), until=lambda: True)
        assert len(done) > 1, "what is to be done often waited for the clock to come there again"
        due = owner.execute(f"{job} WHERE due_at < now() + interval '2 minutes'".encode()).fetchall()
        hosts = owner.execute(host.encode()).fetchall()
        assert before is not None and len(due) == 1
        assert all(before[0] < moment < before[0] + timedelta(minutes=2) for moment in hosts[0])
        unmoved = owner.execute(
            "SELECT next_at = 'infinity' AND not_before = '-infinity' FROM app.delivery_hosts WHERE host = 'b.test'"
        ).fetchone()
        assert unmoved == (True,), "what has nothing left is still not looked at"
