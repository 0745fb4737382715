"""Group commit: one thread, one connection; what is queued while a transaction commits is the next transaction.

There is no timer: an idle log commits at once, a busy one in groups.
"""

import asyncio
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Literal, NamedTuple

import psycopg
from psycopg.pq import TransactionStatus

from adapters.codec import Sealed
from adapters.postgres.arrays import arrays_for
from adapters.unavailable import Unavailable

GROUP_EVENTS_MAX = 1_000
GROUP_BYTES_MAX = 8 * 1024 * 1024
RECOVER_FOR_S = 15.0
RECONNECT_PAUSE_S = 0.25
CONNECT_TIMEOUT_S = 5
FULL_RETRY_S = 60
# SQLSTATE classes of errors that pass: connection, operator intervention, rollback, insufficient resources.
PASSING_CLASSES = frozenset({"08", "57", "40", "53"})
# Of what is a replica for a while: a switch to another, an upgrade.
READ_ONLY = "25006"

Outcome = Literal["stored", "conflict", "replayed", "repeated"]

_APPEND = """
    SELECT outcomes, positions, versions
    FROM log.append(%b::int4[], %b::text[], %b::int8[], %b::text[], %b::bytea[], %b::bytea[], %b::bytea[], %b::bytea[])
"""
_STANDS = "SELECT notification_id, originator_version FROM log.events WHERE originator_id = %s AND state = %s"


class NewEvent(NamedTuple):
    """An event on its way into the log; `version` None means the stream's next one.

    `once` is what may stand in the log only once; `signature` what may come only once within the clock's window.
    """

    stream: str
    version: int | None
    sealed: Sealed
    once: bytes | None = None
    signature: bytes | None = None


class Appended(NamedTuple):
    """What became of a command: all its events stored, at these positions and versions, or none of them."""

    outcome: Outcome
    positions: tuple[int, ...] = ()
    versions: tuple[int, ...] = ()


Waiter = Future[Appended] | asyncio.Future[Appended]


class _Job(NamedTuple):
    events: Sequence[NewEvent]
    waiter: Waiter


class GroupWriter:
    """The only writer of the log in a process: `append` from event loops, `submit` from threads."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._connection: psycopg.Connection | None = None
        self._closed = False
        self._closing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    async def append(self, events: Sequence[NewEvent]) -> Appended:
        """Append a command; returns when it is durable. Raises Unavailable when the database stayed away.

        What the log has taken stays taken: to cancel this is only not to wait for the answer.
        """
        waiter: asyncio.Future[Appended] = asyncio.get_running_loop().create_future()
        self._put(_Job(events, waiter))
        return await waiter

    def submit(self, events: Sequence[NewEvent]) -> Future[Appended]:
        """Queue a command. The future gives what `append` gives, and can't be cancelled."""
        future: Future[Appended] = Future()
        future.set_running_or_notify_cancel()
        self._put(_Job(events, future))
        return future

    def close(self) -> None:
        """Write what is queued, then stop."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _put(self, job: _Job) -> None:
        # Under the lock, because nobody reads what comes behind the None that closes the queue.
        with self._closing:
            if not self._closed:
                self._queue.put(job)
                return
        job.waiter.set_exception(Unavailable("the log is closed"))

    def _run(self) -> None:
        closing = False
        while not closing:
            group, closing = self._next_group()
            if group:
                self._commit(group)
        if self._connection is not None:
            self._connection.close()

    def _next_group(self) -> tuple[list[_Job], bool]:
        group: list[_Job] = []
        events = size = 0
        job = self._queue.get()
        while job is not None:
            group.append(job)
            events += len(job.events)
            size += sum(len(event.sealed.state) for event in job.events)
            if events >= GROUP_EVENTS_MAX or size >= GROUP_BYTES_MAX:
                return group, False
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _commit(self, group: list[_Job], until: float | None = None) -> None:
        """Append a group; if it breaks off, again and again until `until`, by default for fifteen seconds."""
        try:
            answers = self._append(group)
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to the callers, and the thread must live on
            if isinstance(error, psycopg.errors.DiskFull):
                # It will not have passed in a moment, and nothing was written: whoever waits can be told at once.
                _tell((job, Unavailable(_sentence(error), retry_after_s=FULL_RETRY_S)) for job in group)
            elif self._may_pass(error):
                self._recover(group, error, time.monotonic() + RECOVER_FOR_S if until is None else until)
            elif len(group) == 1:
                _tell([(group[0], error)])
            else:
                # Halves, and their halves, until whoever does not fit stands alone.
                self._commit(group[: len(group) // 2], until)
                self._commit(group[len(group) // 2 :], until)
        else:
            _tell(zip(group, answers, strict=True))

    def _may_pass(self, error: Exception) -> bool:
        """Whether it was the database that failed, or the way there, and not what it was given."""
        if not isinstance(error, psycopg.Error):
            return False
        lost = self._connection is None or self._connection.info.transaction_status is not TransactionStatus.IDLE
        return lost or (error.sqlstate or "")[:2] in PASSING_CLASSES or error.sqlstate == READ_ONLY

    def _recover(self, group: list[_Job], error: Exception, until: float) -> None:
        """The connection broke: whether the group was committed is not known until the log is asked."""
        while time.monotonic() < until:
            self._drop_connection()
            time.sleep(RECONNECT_PAUSE_S)
            try:
                self._append([])  # waits for the lock that a dying backend may still hold
                answers = [(job, self._what_stands(job)) for job in group]
            except psycopg.Error as again:
                error = again
            else:
                _tell((job, answer) for job, answer in answers if answer is not None)
                missing = [job for job, answer in answers if answer is None]
                if missing:
                    self._commit(missing, until)
                return
        _tell((job, Unavailable(_sentence(error))) for job in group)

    def _what_stands(self, job: _Job) -> Appended | None:
        """The answer to a job that was committed; None if it was not. Sealed bytes are never the same twice."""
        connection = self._connect()
        try:
            rows = [connection.execute(_STANDS, [e.stream, e.sealed.state]).fetchone() for e in job.events]
        except (psycopg.DataError, UnicodeError):
            return None  # what can't even be asked for was never stored
        stands = [row for row in rows if row is not None]
        if not stands or len(stands) < len(rows):
            return None
        return Appended("stored", tuple(row[0] for row in stands), tuple(row[1] for row in stands))

    def _append(self, group: list[_Job]) -> list[Appended]:
        rows = [(number, event) for number, job in enumerate(group) for event in job.events]
        cursor = self._connect().execute(
            _APPEND,
            arrays_for(
                _APPEND,
                (
                    [number for number, _ in rows],
                    [event.stream for _, event in rows],
                    [event.version for _, event in rows],
                    [event.sealed.topic for _, event in rows],
                    [event.sealed.state for _, event in rows],
                    [event.sealed.wrapped_key for _, event in rows],
                    [event.once for _, event in rows],
                    [event.signature for _, event in rows],
                ),
            ),
            prepare=True,
            binary=True,
        )
        found = cursor.fetchone()
        assert found is not None, "the function always answers"
        return _per_command(group, *found)

    def _connect(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._dsn, autocommit=True, application_name="daybook log", connect_timeout=CONNECT_TIMEOUT_S
            )
        return self._connection

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _tell(answers: Iterable[tuple[_Job, Appended | Exception]]) -> None:
    """Resolve who waits. Those of one event loop together: to wake a loop costs as much as to store an event."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[tuple[Waiter, Appended | Exception]]] = defaultdict(list)
    for job, answer in answers:
        if isinstance(job.waiter, asyncio.Future):
            by_loop[job.waiter.get_loop()].append((job.waiter, answer))
        else:
            _resolve([(job.waiter, answer)])
    for loop, told in by_loop.items():
        # A loop that is closed by now has nobody left who waits.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_resolve, told)


def _resolve(told: list[tuple[Waiter, Appended | Exception]]) -> None:
    for waiter, answer in told:
        if waiter.done():
            continue  # cancelled: the caller went away
        if isinstance(answer, Exception):
            waiter.set_exception(answer)
        else:
            waiter.set_result(answer)


def _sentence(error: Exception) -> str:
    """What PostgreSQL says, without its hints and contexts."""
    return str(error).partition("\n")[0]


def _per_command(group: list[_Job], outcomes: Any, positions: Any, versions: Any) -> list[Appended]:
    answers: list[Appended] = []
    first = 0
    for job in group:
        last = first + len(job.events)
        if not job.events:
            answers.append(Appended("stored"))
        elif outcomes[first] == "stored":
            answers.append(Appended("stored", tuple(positions[first:last]), tuple(versions[first:last])))
        else:
            answers.append(Appended(outcomes[first]))
        first = last
    return answers
