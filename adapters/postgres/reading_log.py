"""Reading the log for people: its events opened, with what interpretation made of each, batch by batch.

Each batch is a short statement by position, so that a scan of the whole log holds neither memory nor a snapshot.
What can't be opened is an entry too, which says why.
"""

from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Any, LiteralString

import msgspec
import psycopg
from psycopg import sql

from adapters.codec import Codec, Unreadable
from adapters.postgres import generations, projecting
from adapters.postgres.generations import Generation
from adapters.postgres.log import CHANNEL as LOG_CHANNEL
from domain.events import Event

BATCH_MAX = 200
CONNECT_TIMEOUT_S = 10
POLL_S = 1.0
# How long what was just appended may take to be interpreted before it is shown without its verdict.
VERDICT_TIMEOUT_S = 1.0
ATTEMPTS_MAX = 3

_EVENTS: LiteralString = """
    SELECT e.notification_id, e.originator_id, e.originator_version, e.topic, e.state, k.wrapped_key
    FROM log.events e LEFT JOIN keys.event_keys k ON k.position = e.notification_id
    WHERE e.notification_id > %s AND e.notification_id <= %s AND (%s::text IS NULL OR e.topic = %s)
    ORDER BY e.notification_id LIMIT %s
"""
_EVENTS_AT: LiteralString = """
    SELECT e.notification_id, e.originator_id, e.originator_version, e.topic, e.state, k.wrapped_key
    FROM log.events e LEFT JOIN keys.event_keys k ON k.position = e.notification_id
    WHERE e.notification_id = ANY(%s) ORDER BY e.notification_id
"""
# Nearly every event is settled at its own position; the few others have an index of their own.
_FACTS: LiteralString = """
    SELECT received_at_position, position, n, stream, kind, actor, object, verdict FROM {schema}.facts
    WHERE position = ANY(%(positions)s) AND received_at_position = position
    UNION ALL
    SELECT received_at_position, position, n, stream, kind, actor, object, verdict FROM {schema}.facts
    WHERE received_at_position = ANY(%(positions)s) AND received_at_position <> position
    ORDER BY 1, 2, 3
"""
_PARKED: LiteralString = """
    SELECT received_at_position, waits_for, reason FROM {schema}.parked WHERE received_at_position = ANY(%s)
"""
_NAMES: LiteralString = """
    SELECT id, uri, acct FROM {schema}.accounts WHERE id = ANY(%(ids)s) OR uri = ANY(%(uris)s)
"""
_NAMED: LiteralString = "SELECT id, uri FROM {schema}.accounts WHERE lower(acct) = lower(%s)"
_IDS: LiteralString = "SELECT uri, id FROM app.ids WHERE id = ANY(%(ids)s) OR uri = ANY(%(uris)s)"
# A generation dropped or made by other code just now.
_OTHER_TABLES = (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, psycopg.errors.InvalidSchemaName)


class Finding(msgspec.Struct, frozen=True):
    """A fact, as `daybook log` shows it: `position` is the effective one."""

    position: int
    n: int
    stream: str | None
    kind: str
    actor: int | None
    object: int | None
    verdict: str


class Parking(msgspec.Struct, frozen=True):
    """What an event waits for; for nothing when it is poison."""

    waits_for: str | None
    reason: str


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the log: opened, or why it can't be (`unreadable`), and what came of it."""

    position: int
    stream: str
    version: int
    topic: str
    event: Event | None
    unreadable: str | None = None
    facts: tuple[Finding, ...] = ()
    parked: Parking | None = None


class Names(msgspec.Struct, frozen=True):
    """What ids and URIs are called: URIs by id, handles (without the leading @) by id and by URI."""

    uris: dict[int, str]
    handles: dict[int | str, str]


class LogReader:
    """Reads over one connection. Raises psycopg.OperationalError when the database goes away."""

    def __init__(self, dsn: str, codec: Codec) -> None:
        self._codec = codec
        self._connection = psycopg.connect(
            dsn, autocommit=True, application_name="daybook log", connect_timeout=CONNECT_TIMEOUT_S
        )

    def head(self) -> int:
        """The log's last position."""
        return self._connection.execute("SELECT position FROM log.head").fetchall()[0][0]

    def batches(self, after: int, to: int, topic: str | None = None) -> Iterator[list[Entry]]:
        """All events behind position `after` up to `to`, with their facts, oldest first, some at a time."""
        while True:
            rows = self._connection.execute(_EVENTS, [after, to, topic, topic, BATCH_MAX], binary=True).fetchall()
            if not rows:
                return
            yield self._entries(rows)
            after = rows[-1][0]

    def at(self, positions: Sequence[int]) -> list[Entry]:
        """The events at these positions, with their facts, oldest first."""
        return self._entries(self._connection.execute(_EVENTS_AT, [list(positions)], binary=True).fetchall())

    def names(self, ids: Sequence[int], uris: Sequence[str]) -> Names:
        """What is known of some ids and URIs."""
        given = self._connection.execute(_IDS, {"ids": list(ids), "uris": list(uris)}).fetchall()
        both = {"ids": [*ids, *(number for _, number in given)], "uris": [*uris, *(uri for uri, _ in given)]}
        found = self._of_live(_NAMES, both)
        by_id: dict[int | str, str] = {number: acct for number, _, acct in found}
        by_uri: dict[int | str, str] = {uri: acct for _, uri, acct in found}
        return Names({number: uri for uri, number in given}, by_id | by_uri)

    def identities(self, text: str) -> frozenset[int | str]:
        """Every id and URI that is meant by a handle, an id or a URI; only `text` itself where nothing is known."""
        if text.isascii() and text.isdigit():
            number = int(text)
            names = self.names([number], []) if number < 2**63 else Names({}, {})
            return frozenset({number, *(uri for uri in [names.uris.get(number)] if uri is not None)})
        if "://" in text:
            return frozenset({text, *self.names([], [text]).uris})
        rows = self._of_live(_NAMED, [text.removeprefix("@")])
        return frozenset(one for row in rows for one in row)

    def listen(self) -> None:
        """Begin to hear what is appended and projected."""
        self._connection.execute(f"LISTEN {LOG_CHANNEL}")
        self._connection.execute(f"LISTEN {projecting.CHANNEL}")

    def wait_beyond(self, position: int) -> int:
        """Wait until the log goes beyond `position` and, for a moment, until that is interpreted; gives the head."""
        while (head := self.head()) <= position:
            self._hear(POLL_S)
        deadline = monotonic() + VERDICT_TIMEOUT_S
        while self._interpreted() < head and (left := deadline - monotonic()) > 0:
            self._hear(left)
        return head

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _hear(self, timeout_s: float) -> None:
        for _ in self._connection.notifies(timeout=timeout_s, stop_after=1):
            pass

    def _interpreted(self) -> int:
        rows = self._of_live(generations.CHECKPOINT, [])
        return rows[0][0] if rows else 0

    def _entries(self, rows: Sequence[tuple[Any, ...]]) -> list[Entry]:
        positions = [row[0] for row in rows]
        facts: dict[int, list[Finding]] = {}
        for received, *fact in self._of_live(_FACTS, {"positions": positions}):
            facts.setdefault(received, []).append(Finding(*fact))
        parked = {received: Parking(*row) for received, *row in self._of_live(_PARKED, [positions])}
        return [self._entry(row, tuple(facts.get(row[0], ())), parked.get(row[0])) for row in rows]

    def _entry(self, row: tuple[Any, ...], facts: tuple[Finding, ...], parked: Parking | None) -> Entry:
        position, stream, version, topic, state, wrapped_key = row
        event, unreadable = None, None
        try:
            event = self._codec.open(stream, topic, state, wrapped_key)
        except Unreadable as error:
            unreadable = str(error)
        return Entry(
            position=position,
            stream=stream,
            version=version,
            topic=topic,
            event=event,
            unreadable=unreadable,
            facts=facts,
            parked=parked,
        )

    def _of_live(self, query: LiteralString, values: Any) -> list[tuple[Any, ...]]:
        """Rows from the live generation; none while there is none that has such tables."""
        for _ in range(ATTEMPTS_MAX):
            live: Generation | None = generations.live(self._connection)
            if live is None:
                return []
            try:
                statement = sql.SQL(query).format(schema=sql.Identifier(live.schema))
                return self._connection.execute(statement, values).fetchall()
            except _OTHER_TABLES:
                continue
        return []
