"""Reading the log ahead: while one batch is written, the next is read, opened and translated in another thread.

Opening and translating take Python's time, rules take PostgreSQL's; a replay that does one after the other would wait
for each of them in turn.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import psycopg

from adapters.codec import Codec, Unreadable
from adapters.interpreter.claims import UnreadableEvent
from adapters.interpreter.interpret import Translated
from domain.activity import ActivityReceived, DocumentFetched
from domain.events import Event
from domain.ports import Recorded

_BIGGEST = 2**63 - 1

# Bodies may have a megabyte each, and sealed ones be tiny: both sizes bound a batch, and one event always fits.
BATCH_BYTES_MAX = 16 * 1024 * 1024
SLICE_MAX = 50

# The log from a position on, with the keys that open it, as much as fits.
_EVENTS = """
    SELECT e.notification_id, e.originator_id, e.originator_version, e.topic, e.state, k.wrapped_key
    FROM (
        SELECT *, sum(octet_length(state)) OVER (ORDER BY notification_id) - octet_length(state) AS before
        FROM (
            SELECT * FROM log.events WHERE notification_id > %s AND notification_id <= %s
            ORDER BY notification_id LIMIT %s) next) e
    LEFT JOIN keys.event_keys k ON k.position = e.notification_id
    WHERE e.before < %s ORDER BY e.notification_id
"""
# Single events of the log, for facts that are released later than they came.
_EVENTS_AT = """
    SELECT e.notification_id, e.originator_id, e.originator_version, e.topic, e.state, k.wrapped_key
    FROM log.events e LEFT JOIN keys.event_keys k ON k.position = e.notification_id
    WHERE e.notification_id = ANY(%b) ORDER BY e.notification_id
"""


def _size_of(event: Event) -> int:
    return len(event.raw) if isinstance(event, ActivityReceived | DocumentFetched) else 0


class Batch(NamedTuple):
    """Positions in the order of the log, and what their events claim; `more` when there may be some beyond them."""

    positions: Sequence[int]
    translated: Translated
    more: bool


class Span(NamedTuple):
    """The log after a position, up to `to` (None: as far as there is any), at most `limit` events."""

    after: int
    to: int | None
    limit: int


class Reader:
    """Reads, opens and translates over one connection, in one thread, at most some `bytes_max` of bodies at once.

    Raises psycopg.OperationalError when the database does not answer.
    """

    def __init__(
        self,
        dsn: str,
        codec: Codec,
        translate: Callable[[Sequence[Recorded]], Translated],
        bytes_max: int = BATCH_BYTES_MAX,
    ) -> None:
        self._dsn = dsn
        self._codec = codec
        self._translate = translate
        self._bytes_max = bytes_max
        self._connection: psycopg.Connection | None = None

    def load(self, span: Span) -> Batch:
        """What a span holds, as far as it fits; one event always does."""
        bounds = [span.after, _BIGGEST if span.to is None else span.to, span.limit, self._bytes_max]
        rows = self._rows(_EVENTS, bounds)
        events: list[Recorded] = []
        size = 0
        for row in rows:
            events.append(self._recorded(*row))
            size += _size_of(events[-1].event)
            if size >= self._bytes_max:
                break
        full = len(rows) == span.limit or sum(len(row[4]) for row in rows) >= self._bytes_max
        more = full or len(events) < len(rows)
        return Batch([event.position for event in events], self._translate(events), more)

    def at(self, positions: list[int]) -> list[Recorded]:
        """The events at some positions."""
        return [self._recorded(*row) for row in self._rows(_EVENTS_AT, [positions])]

    def disconnect(self) -> None:
        """Forget the connection, broken or not."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _rows(self, query: str, values: list[Any]) -> list[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._dsn, autocommit=True, application_name="daybook read ahead")
        return self._connection.execute(query.encode(), values, binary=True).fetchall()

    def _recorded(
        self, position: int, stream: str, version: int, topic: str, state: bytes, wrapped_key: bytes | None
    ) -> Recorded:
        try:
            event = self._codec.open(stream, topic, state, wrapped_key)
        except Unreadable as error:
            event = UnreadableEvent(reason=str(error))
        return Recorded(position, stream, version, event)


class ReadingAhead:
    """Reads for one projector, one batch ahead of it. Raises psycopg.OperationalError when the database is away."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="read-ahead")
        self._under_way: tuple[Span, Future[Batch]] | None = None

    def next(self, span: Span) -> Batch:
        """The batch of a span; a full one starts the reading of its successor."""
        under_way, self._under_way = self._under_way, None
        if under_way is None or under_way[0] != span:
            under_way = span, self._thread.submit(self._reader.load, span)
        batch = under_way[1].result()
        if batch.more:
            following = span._replace(after=batch.positions[-1])
            self._under_way = following, self._thread.submit(self._reader.load, following)
        return batch

    def at(self, positions: Sequence[int]) -> Iterator[Recorded]:
        """The events at some positions, a few at a time."""
        for start in range(0, len(positions), SLICE_MAX):
            yield from self._thread.submit(self._reader.at, list(positions[start : start + SLICE_MAX])).result()

    def reset(self) -> None:
        """Forget what is under way, and the connection."""
        self._under_way = None
        self._thread.submit(self._reader.disconnect).result()

    def close(self) -> None:
        """Let the thread go too."""
        self.reset()
        self._thread.shutdown()
