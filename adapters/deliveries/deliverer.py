"""The deliverer: leases hosts that are due, gives each its turn, and writes down what became of it.

All turns run in one event loop, each host's apart from the others', so that a slow one holds up nobody. Hosts that
failed last time have half of the places at most. What is due stands in PostgreSQL; a notification only says "look now".
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import psycopg

from adapters.codec import Unreadable
from adapters.deliveries.batch import Turn, turn_of
from adapters.deliveries.judging import Outcome, Verdict
from adapters.deliveries.posting import Poster
from adapters.deliveries.signing import NoKey, Signer
from adapters.postgres.deliveries import LEASE_S, Connection, DeliveryBook, Due, Leased, Report
from adapters.postgres.outbox import CHANNEL
from adapters.tasks import end

HOSTS_MAX: Final = 128
FAILING_HOSTS_MAX: Final = 64
LEASED_AT_ONCE_MAX: Final = 64
POLL_S: Final = 5.0
LINGER_S: Final = 0.005
FREE_EVERY_S: Final = 10.0
PRUNE_EVERY_S: Final = 600.0
FINISH_S: Final = 4.0
_log = logging.getLogger("daybook.deliver")

Told = Callable[[Outcome], None]


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things may take, in seconds: a lease, and the time between two looks when nobody rings."""

    lease_s: float = LEASE_S
    poll_s: float = POLL_S


class Deliverer:
    """Delivers until it is told to `stop`. Raises psycopg.Error; whatever was under way is then sent again.

    `told` hears what became of each attempt.
    """

    def __init__(
        self, dsn: str, signer: Signer, poster: Poster, pace: Pace | None = None, told: Told | None = None
    ) -> None:
        self._told = told
        self._dsn = dsn
        self._signer = signer
        self._poster = poster
        self._pace = pace or Pace()
        self._dice = random.Random()  # noqa: S311 - scatters retries
        self._bell = asyncio.Event()
        self._stopped = False
        self._turns: dict[asyncio.Task[Report], Turn] = {}
        self._finished: list[Report] = []
        self._next_free = self._next_prune = 0.0

    def stop(self) -> None:
        """Begin nothing new; from the loop's own thread."""
        self._stopped = True
        self._bell.set()

    async def run(self) -> None:
        """Deliver what is due, and what becomes due, until stopped."""
        async with _connection(self._dsn) as heard, _connection(self._dsn) as connection:
            # Acknowledgements that a crash of the database takes back are deliveries made twice, which peers expect.
            await connection.execute("SET synchronous_commit = off")
            await heard.execute(f"LISTEN {CHANNEL}".encode())
            listening = asyncio.create_task(self._listen(heard), name="hear of deliveries")
            book = DeliveryBook(connection, self._pace.lease_s)
            try:
                while not self._stopped:
                    await self._look(book)
                    if listening.done():
                        listening.result()
                await self._finish(book)
            finally:
                await end(listening, *self._turns)

    async def _listen(self, heard: Connection) -> None:
        async for _ in heard.notifies():
            self._bell.set()

    async def _look(self, book: DeliveryBook) -> None:
        """Settle what is finished, begin what is due, and wait until there is more of either."""
        self._bell.clear()
        await self._settle(book)
        await self._keep_in_order(book)
        places = min(LEASED_AT_ONCE_MAX, HOSTS_MAX - len(self._turns))
        leased: list[Leased] = []
        if places > 0:
            failing = sum(turn.leased.failures > 0 for turn in self._turns.values())
            leased = await book.lease(places, failing < FAILING_HOSTS_MAX)
            for one in leased:
                self._begin(one)
        if 0 < places == len(leased):
            return
        in_s = await book.next_in_s() if places > 0 else None
        try:
            async with asyncio.timeout(min(self._pace.poll_s, self._pace.poll_s if in_s is None else in_s)):
                await self._bell.wait()
        except TimeoutError:
            return
        if self._turns:
            # A few that finish together cost hardly more than one.
            await asyncio.sleep(LINGER_S)

    def _begin(self, leased: Leased) -> None:
        lines = self._poster.take(leased.host)

        async def send(row: Due) -> Verdict:
            verdict = await attempt(row)
            if self._told is not None:
                self._told(verdict.outcome)
            return verdict

        async def attempt(row: Due) -> Verdict:
            try:
                headers = await self._signer.headers(row)
                return await self._poster.post(lines, row.url, headers, row.body)
            except NoKey as problem:
                return Verdict(Outcome.DROPPED, str(problem))
            except Unreadable:
                return Verdict(Outcome.AGAIN, "the sender's key can't be opened with this master key")
            except Exception as problem:  # noqa: BLE001 - whatever it is, it is this delivery's alone
                _log.exception("delivering %s to %s", row.uri, row.url)
                return Verdict(Outcome.AGAIN, f"{type(problem).__name__} here")

        async def run(turn: Turn) -> Report:
            try:
                return await turn.run()
            finally:
                await self._poster.give_back(leased.host, lines)

        turn = turn_of(leased, send, self._dice)
        task = asyncio.create_task(run(turn), name=f"deliver to {leased.host}")
        self._turns[task] = turn
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Report]) -> None:
        turn = self._turns.pop(task)
        # What was broken off reports what it had done until then.
        self._finished.append(turn.report() if task.cancelled() else task.result())
        self._bell.set()

    async def _settle(self, book: DeliveryBook) -> None:
        reports, self._finished = self._finished, []
        if reports:
            await book.settle(reports)
        for report in reports:
            if report.failed:
                pause = f"; next attempt in {report.pause_s:.0f} s" if report.pause_s is not None else ""
                _log.info("%s: %s (%d in a row)%s", report.host, report.error, report.failures, pause)

    async def _keep_in_order(self, book: DeliveryBook) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._next_free:
            self._next_free = now + FREE_EVERY_S
            if freed := await book.free():
                _log.warning("%d hosts were taken over from a deliverer that is gone", freed)
        if now >= self._next_prune:
            self._next_prune = now + PRUNE_EVERY_S
            if given_up := await book.prune():
                _log.warning("%d deliveries are given up: their hosts could not be reached in time", given_up)

    async def _finish(self, book: DeliveryBook) -> None:
        """Let what is on its way arrive, break off what takes longer, and write all of it down."""
        for turn in self._turns.values():
            turn.stop_early()
        if self._turns:
            await asyncio.wait(list(self._turns), timeout=FINISH_S)
        await end(*self._turns)
        await self._settle(book)


@asynccontextmanager
async def _connection(dsn: str) -> AsyncGenerator[Connection]:
    connection = await psycopg.AsyncConnection.connect(dsn, autocommit=True, application_name="daybook deliver")
    try:
        yield connection
    finally:
        await connection.close()
