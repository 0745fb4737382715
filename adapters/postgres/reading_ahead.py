"""Reading the log ahead: while one batch is written, the next is read, opened and translated in another thread.

Opening and translating take Python's time, rules take PostgreSQL's; a replay that does one after the other would wait
for each of them in turn.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import msgspec
import psycopg

from adapters.codec import Codec, Unreadable
from adapters.interpreter.claims import UnreadableEvent
from adapters.interpreter.interpret import Translated
from domain.ports import Recorded

_BIGGEST = 2**63 - 1

# The log from a position on, with the keys that open it.
_EVENTS = """
    SELECT e.notification_id, e.originator_id, e.originator_version, e.topic, e.state, k.wrapped_key
    FROM log.events e LEFT JOIN keys.event_keys k ON k.position = e.notification_id
    WHERE e.notification_id > %s AND e.notification_id <= %s ORDER BY e.notification_id LIMIT %s
"""
# Single events of the log, for facts that are released later than they came.
_EVENTS_AT = """
    SELECT e.notification_id, e.originator_id, e.originator_version, e.topic, e.state, k.wrapped_key
    FROM log.events e LEFT JOIN keys.event_keys k ON k.position = e.notification_id
    WHERE e.notification_id = ANY(%b) ORDER BY e.notification_id
"""


class Batch(NamedTuple):
    """Events in the order of the log, and what they claim."""

    events: Sequence[Recorded]
    translated: Translated


class _Span(NamedTuple):
    after: int
    to: int | None
    limit: int


class ReadingAhead:
    """Reads for one projector. Raises psycopg.OperationalError when the database does not answer."""

    def __init__(self, dsn: str, codec: Codec, translate: Callable[[Sequence[Recorded]], Translated]) -> None:
        self._dsn = dsn
        self._codec = codec
        self._translate = translate
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="read-ahead")
        self._connection: psycopg.Connection | None = None
        self._under_way: tuple[_Span, Future[Batch]] | None = None

    def next(self, after: int, to: int | None, limit: int) -> Batch:
        """The batch after a position, none of it beyond `to`; a full one starts the reading of its successor."""
        span = _Span(after, to, limit)
        under_way, self._under_way = self._under_way, None
        if under_way is None or under_way[0] != span:
            under_way = span, self._thread.submit(self._load, span)
        batch = under_way[1].result()
        if len(batch.events) == limit:
            following = _Span(batch.events[-1].position, to, limit)
            self._under_way = following, self._thread.submit(self._load, following)
        return batch

    def at(self, positions: Sequence[int]) -> Sequence[Recorded]:
        """The events at some positions."""
        return self._thread.submit(self._read, _EVENTS_AT, [list(positions)]).result()

    def reset(self) -> None:
        """Forget what is under way, and the connection."""
        self._under_way = None
        self._thread.submit(self._disconnect).result()

    def close(self) -> None:
        """Let the thread go too."""
        self.reset()
        self._thread.shutdown()

    def _load(self, span: _Span) -> Batch:
        events = self._read(_EVENTS, [span.after, _BIGGEST if span.to is None else span.to, span.limit])
        return Batch(events, self._translate(events))

    def _read(self, query: str, values: list[Any]) -> list[Recorded]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._dsn, autocommit=True, application_name="daybook read ahead")
        rows = self._connection.execute(query.encode(), values, binary=True).fetchall()
        return [self._recorded(*row) for row in rows]

    def _recorded(
        self, position: int, stream: str, version: int, topic: str, state: bytes, wrapped_key: bytes | None
    ) -> Recorded:
        try:
            event = self._codec.open(stream, topic, state, wrapped_key)
        except (Unreadable, msgspec.MsgspecError) as error:
            event = UnreadableEvent(reason=str(error))
        return Recorded(position, stream, version, event)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
