"""The log on PostgreSQL: the eventsourcing library's recorder interface over our own table and group writer.

Positions are dense and in commit order, because the head's row is both the counter and the lock; reading
`position > x ORDER BY position` therefore misses nothing. See docs/adr/0002-our-own-recorder.md.
"""

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from threading import Thread
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from eventsourcing.persistence import (
    ApplicationRecorder,
    IntegrityError,
    ListenNotifySubscription,
    Notification,
    OperationalError,
    StoredEvent,
)
from psycopg_pool import ConnectionPool

from adapters.codec import Sealed
from adapters.postgres.writer import Appended, GroupWriter, NewEvent
from adapters.unavailable import Unavailable

CHANNEL = "daybook_log"
READERS_MAX = 4
POLL_S = 0.1

# The events of one stream within a range of versions.
_SELECT_EVENTS: LiteralString = """
    SELECT originator_id, originator_version, topic, state FROM log.events
    WHERE originator_id = %s AND originator_version > %s AND originator_version <= %s
    ORDER BY originator_version {direction} LIMIT %s
"""
# The log from a position on, in order.
_SELECT_NOTIFICATIONS: LiteralString = """
    SELECT notification_id, originator_id, originator_version, topic, state FROM log.events
    WHERE notification_id >= %s AND notification_id <= %s AND (%s::text[] IS NULL OR topic = ANY(%s))
    ORDER BY notification_id LIMIT %s
"""
_HEAD: LiteralString = "SELECT nullif(position, 0) FROM log.head"
_BIGGEST = 2**63 - 1


class LogRecorder(ApplicationRecorder):
    """The library-shaped face of the log, for its contract tests and for tools; the server appends by GroupWriter.

    Its events come without keys, so nobody can open what they seal. Raises the library's persistence errors.
    """

    def __init__(self, dsn: str) -> None:
        super().__init__()
        self._dsn = dsn
        self._writer = GroupWriter(dsn)
        self._pool = ConnectionPool(dsn, min_size=0, max_size=READERS_MAX, open=True, kwargs={"autocommit": True})

    @property
    def writer(self) -> GroupWriter:
        """What the other entry, and asynchronous callers, submit to."""
        return self._writer

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Append at the versions that the events name, all or nothing. Raises IntegrityError, OperationalError."""
        if not stored_events:
            return []
        return list(self._append([_new(event, event.originator_version) for event in stored_events]).positions)

    def append_next(self, stored_event: StoredEvent) -> tuple[int, int]:
        """Append at the stream's next version, whatever it is; gives position and version. For inbox and fetcher."""
        appended = self._append([_new(stored_event, None)])
        return appended.positions[0], appended.versions[0]

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """The events of a stream with versions in (gt, lte]."""
        query = _SELECT_EVENTS.replace("{direction}", "DESC" if desc else "ASC")
        bounds = [-1 if gt is None else gt, _BIGGEST if lte is None else lte, _BIGGEST if limit is None else limit]
        with self._reading() as connection:
            rows = connection.execute(query.encode(), [str(originator_id), *bounds], binary=True).fetchall()
        return [StoredEvent(*row) for row in rows]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """The log from `start` to `stop`, at most `limit` events, optionally of some topics only."""
        first = 1 if start is None else start if inclusive_of_start else start + 1
        chosen = list(topics) or None
        bounds = [first, _BIGGEST if stop is None else stop, chosen, chosen, limit]
        with self._reading() as connection:
            rows = connection.execute(_SELECT_NOTIFICATIONS, bounds, binary=True).fetchall()
        return [
            Notification(id=row[0], originator_id=row[1], originator_version=row[2], topic=row[3], state=row[4])
            for row in rows
        ]

    def max_notification_id(self) -> int | None:
        """The head's position, None for an empty log."""
        with self._reading() as connection:
            row = connection.execute(_HEAD).fetchone()
        return row[0] if row else None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> "LogSubscription":
        """An iterator over the log that goes on with what is appended later."""
        return LogSubscription(self, self._dsn, gt=gt, topics=topics)

    def close(self) -> None:
        """Write what is queued and close every connection."""
        self._writer.close()
        self._pool.close()

    def _append(self, events: Sequence[NewEvent]) -> Appended:
        try:
            appended = self._writer.submit(events).result()
        except Unavailable as error:
            raise OperationalError(str(error)) from error
        if appended.outcome != "stored":
            raise IntegrityError(f"{events[0].stream}: {appended.outcome}")
        return appended

    @contextmanager
    def _reading(self) -> Generator[psycopg.Connection]:
        try:
            with self._pool.connection() as connection:
                yield connection
        except psycopg.OperationalError as error:
            raise OperationalError(str(error)) from error


class LogSubscription(ListenNotifySubscription[LogRecorder]):
    """Woken by NOTIFY on the log's channel."""

    def __init__(self, recorder: LogRecorder, dsn: str, gt: int | None, topics: Sequence[str]) -> None:
        super().__init__(recorder=recorder, gt=gt, topics=topics)
        self._dsn = dsn
        self._listen_thread = Thread(target=self._listen, name="log-subscription")
        self._listen_thread.start()

    def __exit__(self, *args: object, **kwargs: Any) -> None:
        try:
            super().__exit__(*args, **kwargs)
        finally:
            self._listen_thread.join()

    def _listen(self) -> None:
        try:
            with psycopg.connect(self._dsn, autocommit=True) as connection:
                connection.execute(f"LISTEN {CHANNEL}")
                while not self._has_been_stopped and not self._thread_error:
                    self._has_been_notified.set()  # also without a NOTIFY: what came before LISTEN sent us none
                    list(connection.notifies(timeout=POLL_S, stop_after=1))
        except psycopg.Error as error:
            self._thread_error = self._thread_error or error
            self.stop()


def new_events(stream: str, expected_version: int, sealed: Iterable[Sealed]) -> list[NewEvent]:
    """Events that must follow directly on a version of their stream."""
    return [NewEvent(stream, expected_version + number, one) for number, one in enumerate(sealed, start=1)]


def _new(event: StoredEvent, version: int | None) -> NewEvent:
    return NewEvent(str(event.originator_id), version, Sealed(event.topic, event.state, wrapped_key=None))
