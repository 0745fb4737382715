"""Reading the live generation: one pool per generation, the pointer followed by NOTIFY, the old pool drained.

A request takes one `View` and reads through it alone, so it never mixes generations. A generation is dropped only
when no connection of any process is named after it any more (docs/adr/0004-generations.md).
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import PoolTimeout

from adapters.outage import Outage
from adapters.pages import Pages
from adapters.postgres import generations, projecting, touching
from adapters.postgres.passing import PASSING
from adapters.postgres.pools import CONNECT_TIMEOUT_S, Pool, make_pool
from adapters.tasks import end
from adapters.unavailable import Unavailable
from projections.query import Query

CONNECTIONS_MAX = 8
WAIT_S_MAX = 2.0
RETRY_S = 0.5
SILENCE_S_MAX = 15.0
# A request asks its view several times over; none lasts longer than this.
DRAIN_S = 5.0
GONE = "The read models are gone until a restart or `daybook replay` makes them anew, and so this"
_log = logging.getLogger(__name__)

_LIVE = "SELECT n FROM app.generations WHERE status = 'live' AND code_hash = %s"
_HEAD = "SELECT position, epoch FROM log.head"


class View:
    """One generation, as one request reads it."""

    def __init__(self, n: int, pool: Pool) -> None:
        self.n = n
        self._pool = pool

    async def rows(self, query: Query) -> list[tuple[Any, ...]]:
        """All rows of a query. Raises Unavailable."""
        return await self.execute(query.sql, query.values)

    async def row(self, query: Query) -> tuple[Any, ...] | None:
        """The first row, or None. Raises Unavailable."""
        rows = await self.rows(query)
        return rows[0] if rows else None

    async def position(self) -> int:
        """The log position that its tables have come to. Raises Unavailable."""
        rows = await self.execute(generations.checkpoint_of(self.n), [])
        return rows[0][0] if rows else 0

    async def execute(self, statement: Any, values: Mapping[str, Any] | Sequence[Any]) -> list[tuple[Any, ...]]:
        """All rows of a statement of the adapters' own."""
        try:
            try:
                return await self._ask(statement, values)
            except PoolTimeout:
                raise  # it was waited for already
            except psycopg.OperationalError:
                # The database may have been restarted: the pool's connections are broken, new ones are not.
                await self._pool.check()
                return await self._ask(statement, values)
        except PASSING as error:
            raise Unavailable("PostgreSQL") from error
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
            # Somebody dropped them: a restart, or a replay, makes them anew.
            raise Unavailable(GONE, retry_after_s=5) from error

    async def _ask(self, statement: Any, values: Mapping[str, Any] | Sequence[Any]) -> list[tuple[Any, ...]]:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(statement, values, prepare=True, binary=True)
            return await cursor.fetchall()


class Reads:
    """The read side of a process. `running` keeps it current; outside of it nothing can be read.

    `beside` are the process's other pools: after a restart of the database their broken connections are replaced too.
    `pages` are told what is touched, before anybody is told that it can be read; without any it is not heard of.
    """

    def __init__(self, dsn: str, beside: Sequence[Pool] = (), pages: Pages | None = None) -> None:
        self._dsn = dsn
        self._beside = beside
        self._hears_touches = pages is not None
        self._pages = Pages(0) if pages is None else pages
        self._pools: dict[int, Pool] = {}
        self._live: int | None = None
        self._projected: dict[int, int] = {}
        self._moved = asyncio.Event()
        self._draining: set[asyncio.Task[None]] = set()
        self._outage = Outage("PostgreSQL", "what needs it waits, or is answered 503; nothing is lost by that")

    def view(self) -> View:
        """The live generation. Raises Unavailable while there is none made by this code."""
        if self._live is None:
            raise Unavailable("The read models are being built", retry_after_s=5)
        return View(self._live, self._pools[self._live])

    async def head(self) -> tuple[int, str]:
        """The log's last position, and its epoch."""
        row = (await self.view().execute(_HEAD, []))[0]
        return row[0], row[1]

    def behind(self, position: int) -> int:
        """How many positions the live generation lacks of `position`, as last heard."""
        return max(0, position - self._projected.get(self._live or 0, 0))

    async def caught_up(self, position: int, timeout_s: float = WAIT_S_MAX) -> int:
        """Wait until the live generation has passed `position`; gives how many positions are lacking at the end."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while (lacking := self.behind(position)) > 0:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                break
            moved = self._moved
            try:
                await asyncio.wait_for(moved.wait(), left)
            except TimeoutError:
                break
        return lacking

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Follow the pointer and the projector's progress for as long as this is open."""
        ready = asyncio.Event()
        following = asyncio.create_task(self._follow(ready), name="follow read models")
        try:
            await ready.wait()
            yield
        finally:
            await end(following, *self._draining)
            for pool in self._pools.values():
                await pool.close()

    async def _follow(self, ready: asyncio.Event) -> None:
        while True:
            try:
                async with await AsyncConnection.connect(
                    self._dsn, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S
                ) as connection:
                    # A database that crashed may have gone back by the last moments of projecting.
                    self._projected.clear()
                    await connection.execute(f"LISTEN {generations.CHANNEL}")
                    if self._hears_touches:
                        await connection.execute(f"LISTEN {touching.CHANNEL}")
                    await connection.execute(f"LISTEN {projecting.CHANNEL}")
                    for pool in (*self._pools.values(), *self._beside):
                        await pool.check()
                    await self._refresh(connection)
                    self._outage.answered()
                    self._pages.listening(True)
                    ready.set()
                    while True:
                        heard = pointed = False
                        # Nothing can be asked over a connection that is being listened on, so that waits for the end.
                        async for note in connection.notifies(timeout=SILENCE_S_MAX, stop_after=1):
                            heard, pointed = True, self._hear(note) or pointed
                        if pointed or not heard:
                            await self._refresh(connection)  # also finds out whether anybody is still there
            # Whatever it is (a restart, a generation dropped meanwhile), following must go on: all is read again.
            except psycopg.OperationalError as error:
                self._outage.failed(error)
            except psycopg.Error as error:
                _log.warning("the read models can't be followed: %s", error)
            finally:
                self._pages.listening(False)
            ready.set()
            await asyncio.sleep(RETRY_S)

    def _hear(self, note: psycopg.Notify) -> bool:
        """Take in what was touched and how far projecting has come; whether it was the pointer instead that moved."""
        if note.channel == generations.CHANNEL:
            return True
        if note.channel == touching.CHANNEL:
            told = touching.heard(note.payload)
            if told.generation == self._live:
                self._pages.touch(told.entities)
            return False
        n, _, position = note.payload.partition(":")
        self._advance(int(n), int(position))
        return False

    async def _refresh(self, connection: AsyncConnection[TupleRow]) -> None:
        row = await (await connection.execute(_LIVE, [generations.code_hash()])).fetchone()
        n: int | None = row[0] if row else None
        if n is not None and n not in self._pools:
            self._pools[n] = await self._open(n)
        if n is not None:
            found = await (await connection.execute(generations.checkpoint_of(n))).fetchone()
            position = found[0] if found else 0
            if position > self._projected.get(n, 0):
                # What it touched to come there may not have been heard of.
                self._pages.forget()
            self._advance(n, position)
        before, self._live = self._live, n
        if before != n:
            self._pages.forget()
        if before is not None and before != n:
            self._drain(before)

    def _advance(self, n: int, position: int) -> None:
        self._projected[n] = max(position, self._projected.get(n, 0))
        self._moved.set()
        self._moved = asyncio.Event()

    async def _open(self, n: int) -> Pool:
        schema = generations.schema_of(n)
        # The queries are shaped so that one plan fits all values; planning costs more than running them.
        options = f"-c search_path={schema} -c jit=off -c plan_cache_mode=force_generic_plan"
        pool = make_pool(self._dsn, CONNECTIONS_MAX, f"daybook {schema}", options)
        await pool.open()
        return pool

    def _drain(self, n: int) -> None:
        task = asyncio.create_task(_close_later(self._pools.pop(n)), name=f"drain generation {n}")
        self._draining.add(task)
        task.add_done_callback(self._draining.discard)


async def _close_later(pool: Pool) -> None:
    """Close the pool of a generation once the requests that chose it must have ended; at once when cancelled."""
    try:
        await asyncio.sleep(DRAIN_S)
    finally:
        await pool.close()
