"""The read side of a process outlives its connections, and follows progress and pointer whatever happens."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from adapters.condition.reading import reading
from adapters.condition.ready import Ready
from adapters.pages import Pages
from adapters.postgres import generations, touching
from adapters.postgres.generations import Generation
from adapters.postgres.reads import Pool, Reads
from adapters.postgres.touching import Touched
from adapters.unavailable import Unavailable
from projections.usage import usage
from tests.database import APP_ROLE, Database

pytestmark = pytest.mark.anyio
PATIENCE_S = 10
ROOT = Path(__file__).parents[3]


@pytest.fixture
def live(database: Database) -> Generation:
    with psycopg.connect(database.owner, autocommit=True) as owner:
        made = generations.create(owner, APP_ROLE)
        generations.switch(owner, made)
    return made


@pytest.fixture
async def reads(database: Database, live: Generation) -> AsyncIterator[Reads]:
    made = Reads(database.app)
    async with made.running():
        yield made


def cut_everything(database: Database) -> None:
    """What a restart does to every connection of the processes."""
    with psycopg.connect(database.owner, autocommit=True) as owner:
        owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [APP_ROLE])


def project_to(database: Database, generation: Generation, position: int) -> None:
    with psycopg.connect(database.owner, autocommit=True) as owner:
        owner.execute(f"UPDATE {generation.schema}.checkpoint SET notification_id = {position}".encode())
        owner.execute("SELECT pg_notify('daybook_projected', %s)", [f"{generation.n}:{position}"])


async def test_progress_is_followed_after_every_connection_was_cut(
    reads: Reads, database: Database, live: Generation
) -> None:
    await asyncio.to_thread(project_to, database, live, 5)
    assert await reads.caught_up(5, PATIENCE_S) == 0
    await asyncio.to_thread(cut_everything, database)
    await asyncio.to_thread(project_to, database, live, 6)
    assert await reads.caught_up(6, PATIENCE_S) == 0


async def test_how_far_another_application_has_come_is_nothing_to_anybody(database: Database, live: Generation) -> None:
    with psycopg.connect(database.owner, autocommit=True) as owner:
        for other, position in (("a part", 3), ("zzz", 99)):
            owner.execute(f"INSERT INTO {live.schema}.checkpoint VALUES (%s, %s)".encode(), [other, position])
        # What was written last lies last, so that whoever takes the first row takes another's.
        moved = f"UPDATE {live.schema}.checkpoint SET notification_id = 5 WHERE application_name = 'daybook'"
        owner.execute(moved.encode())
        assert generations.position_of(owner, live) == 5
        assert generations.hold(owner, live) == 5
    made = Reads(database.app)
    async with made.running():
        assert made.behind(5) == 0 and made.behind(6) == 1
        assert await made.view().position() == 5
        async with await psycopg.AsyncConnection.connect(database.app) as connection:
            assert (await reading(connection, {})).projected == 5


def test_how_far_a_generation_has_come_is_asked_for_in_two_places_by_the_applications_name() -> None:
    asking = re.compile(r"(?:FROM|JOIN) \S*checkpoint\b(?! WHERE application_name = )")
    files = [
        file for package in ("adapters", "projections", "api", "workers") for file in (ROOT / package).rglob("*.py")
    ]
    assert [file for file in files if asking.search(file.read_text())] == []
    named = {file.name for file in files if re.search(r"(?:FROM|JOIN) \S*checkpoint\b", file.read_text())}
    assert named == {"generations.py", "checkpoint.py"}


async def test_a_read_right_after_a_restart_is_answered(reads: Reads, database: Database) -> None:
    assert await reads.view().execute("SELECT 1", []) == [(1,)]
    await asyncio.to_thread(cut_everything, database)
    assert await reads.view().execute("SELECT 1", []) == [(1,)]


async def test_the_processs_other_pools_are_mended_too(database: Database, live: Generation) -> None:
    pool: Pool = AsyncConnectionPool(database.app, min_size=2, open=False, kwargs={"autocommit": True})
    async with pool:
        await pool.wait()
        made = Reads(database.app, beside=[pool])
        async with made.running():
            await asyncio.to_thread(cut_everything, database)
            await asyncio.to_thread(project_to, database, live, 8)
            assert await made.caught_up(8, PATIENCE_S) == 0
            for _ in range(2):
                async with pool.connection() as connection:
                    assert await (await connection.execute("SELECT 1")).fetchone() == (1,)


async def test_a_switch_is_followed_after_every_connection_was_cut(
    reads: Reads, database: Database, live: Generation
) -> None:
    await asyncio.to_thread(cut_everything, database)
    with psycopg.connect(database.owner, autocommit=True) as owner:
        following = generations.create(owner, APP_ROLE)
        generations.switch(owner, following)
    await asyncio.to_thread(project_to, database, following, 3)
    async with asyncio.timeout(PATIENCE_S):
        while reads.view().n != following.n:
            await reads.caught_up(10**9, 0.05)
    assert reads.behind(3) == 0


async def test_progress_that_a_crash_took_back_is_not_believed(
    reads: Reads, database: Database, live: Generation
) -> None:
    await asyncio.to_thread(project_to, database, live, 9)
    assert await reads.caught_up(9, PATIENCE_S) == 0
    with psycopg.connect(database.owner, autocommit=True) as owner:
        owner.execute(f"UPDATE {live.schema}.checkpoint SET notification_id = 7")
    await asyncio.to_thread(cut_everything, database)
    async with asyncio.timeout(PATIENCE_S):
        while reads.behind(9) != 2:
            await reads.caught_up(10**9, 0.05)


class Told(Pages):
    """Pages that say when they were told anything."""

    def __init__(self, bytes_max: int) -> None:
        super().__init__(bytes_max)
        self.told = asyncio.Event()

    def touch(self, entities: Iterable[int] | None) -> None:
        super().touch(entities)
        self.told.set()

    def forget(self) -> None:
        super().forget()
        self.told.set()

    def listening(self, listening: bool) -> None:
        super().listening(listening)
        self.told.set()


@pytest.fixture
async def pages(database: Database, live: Generation) -> AsyncIterator[Told]:
    """Pages that are told what is touched."""
    kept = Told(1_000_000)
    async with Reads(database.app, pages=kept).running():
        yield kept


def keep(pages: Pages, entity: int) -> None:
    made = pages.begin()
    made.all_of(entity)
    pages.keep(entity, made, (), b"page")


def tell(database: Database, channel: str, *payloads: str) -> None:
    with psycopg.connect(database.owner, autocommit=True) as owner:
        for payload in payloads:
            owner.execute("SELECT pg_notify(%s, %s)", [channel, payload])


async def until(pages: Told, holds: Callable[[], bool]) -> None:
    """Return when it holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await pages.told.wait()
            pages.told.clear()


def touching_one(entity: int, generation: Generation) -> str:
    touched = Touched()
    touched.add([[entity]])
    (message,) = touched.messages(generation.n)
    return message


async def test_pages_are_dropped_as_what_they_are_made_from_is_touched_in_the_live_generation(
    pages: Told, database: Database, live: Generation
) -> None:
    keep(pages, 1)
    keep(pages, 2)
    other = Generation(live.n + 1, "", "")
    payloads = [f"{other.n}:*", touching_one(2, other), touching_one(1, live)]
    await asyncio.to_thread(tell, database, touching.CHANNEL, *payloads)
    await until(pages, lambda: pages.find(1) is None)
    assert pages.find(2) is not None


async def test_no_page_outlives_the_connection_that_tells_what_is_touched(pages: Told, database: Database) -> None:
    keep(pages, 1)
    await asyncio.to_thread(cut_everything, database)
    await until(pages, lambda: pages.find(1) is None)

    def kept_again() -> bool:
        keep(pages, 1)
        return pages.find(1) is not None

    await until(pages, kept_again)


async def test_no_page_outlives_its_generation(pages: Told, database: Database) -> None:
    keep(pages, 1)
    made = pages.begin()
    made.all_of(2)
    with psycopg.connect(database.owner, autocommit=True) as owner:
        generations.switch(owner, generations.create(owner, APP_ROLE))
    await until(pages, lambda: pages.find(1) is None)
    pages.keep(2, made, (), b"a page of rows of the generation before")
    assert pages.find(2) is None


async def test_no_page_outlives_progress_of_which_nobody_told_what_it_touched(
    pages: Told, database: Database, live: Generation
) -> None:
    keep(pages, 1)
    with psycopg.connect(database.owner, autocommit=True) as owner:
        owner.execute(f"UPDATE {live.schema}.checkpoint SET notification_id = 5".encode())
    # Whoever asks for the pointer again sees progress, too.
    await asyncio.to_thread(tell, database, generations.CHANNEL, str(live.n))
    await until(pages, lambda: pages.find(1) is None)


async def test_read_models_that_somebody_dropped_are_said_to_be_gone(
    reads: Reads, database: Database, live: Generation
) -> None:
    with psycopg.connect(database.owner, autocommit=True) as owner:
        owner.execute(f"DROP SCHEMA {live.schema} CASCADE".encode())
    with pytest.raises(Unavailable, match="gone until a restart"):
        await reads.view().rows(usage())
    assert await Ready(reads).reasons() == ["The read models are gone."]
