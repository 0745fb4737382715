"""Two generations' rows side by side: which differ, in what, and which events of the log stand behind each difference.

PostgreSQL joins the tables by their keys and gives what is not the same, in the order of the key, a few rows at a time;
so neither many rows nor many differences are ever held here.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, LiteralString

import msgspec
import psycopg
from psycopg import sql

from adapters.postgres.generations import Generation
from projections.catalogue import BECAUSE, KEYS, kinds_behind

BATCH: Final = 200
EXPLAINED_MAX: Final = 10_000
"""For how many rows of a table the events are looked up; the others are counted without."""
CAUSES_MAX: Final = 5
"""How many events a difference names, the latest."""
# What a counter counts may be much; older ones than these are not looked at.
_POSITIONS_MAX: LiteralString = "1000"

_COLUMNS: LiteralString = """
    SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
_DIFFERENT: LiteralString = """
    SELECT CASE WHEN l.{first} IS NOT NULL THEN to_jsonb(l) END, CASE WHEN r.{first} IS NOT NULL THEN to_jsonb(r) END
    FROM {live} l FULL JOIN {replayed} r ON {same_key}
    WHERE ROW({live_columns}) IS DISTINCT FROM ROW({replayed_columns}) ORDER BY {key}
"""
_POSITIONS: LiteralString = """
    SELECT d.place, behind.position FROM (
        SELECT given.place, d.* FROM jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS given (row, place),
            LATERAL jsonb_populate_record(NULL::{table}, given.row) AS d) d
    CROSS JOIN LATERAL (
        SELECT DISTINCT p.position FROM (:because) AS p (position)
        WHERE p.position IS NOT NULL ORDER BY p.position DESC LIMIT :most) behind
""".replace(":most", _POSITIONS_MAX)
# What the two took the events for whose facts have these positions.
_FACTS: LiteralString = """
    SELECT position, received_at_position, kind, actor, object FROM {replayed}.facts WHERE position = ANY(%(positions)s)
    UNION
    SELECT position, received_at_position, kind, actor, object FROM {live}.facts WHERE position = ANY(%(positions)s)
    ORDER BY 1, 2, 3
"""
_TOPICS: LiteralString = "SELECT notification_id, topic FROM log.events WHERE notification_id = ANY(%s)"
# Decided here behind a fact that is another now: what answers the same request, or acts on the same thing.
_DECISIONS: LiteralString = """
    WITH changed AS (
        SELECT l.position, l.n, l.object, l.stream, l.kind
        FROM {live}.facts l LEFT JOIN {replayed}.facts r USING (position, n)
        WHERE l.because IS NOT NULL AND l.verdict = 'applied' AND (r.position IS NULL
            OR ROW(l.kind, l.actor, l.object, l.verdict) IS DISTINCT FROM ROW(r.kind, r.actor, r.object, r.verdict)))
    SELECT DISTINCT d.position, c.position FROM changed c JOIN {live}.facts d
        ON d.because IS NULL AND d.position > c.position
        AND ((c.kind LIKE 'follow.%%' AND d.stream = c.stream)
            OR (c.kind IN ('post.published', 'account.registered') AND d.object = c.object))
    ORDER BY 1, 2
"""

Values = Mapping[str, Any]


class Cause(msgspec.Struct, frozen=True):
    """The event at `position` of the log, which counts as of `as_of`, when what it had waited for was there.

    `kind` is what it was taken for, or the event's topic where it has not been taken for anything.
    """

    position: int
    as_of: int
    kind: str


class Difference(msgspec.Struct, frozen=True):
    """A row that is not the same: as it is live, as it came of the log (None: it is not there), and in which columns.

    Values are as PostgreSQL writes them in JSON. `causes` are the events behind it, the latest last; empty where they
    were not looked up.
    """

    table: str
    live: Values | None
    replayed: Values | None
    columns: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()

    @property
    def row(self) -> Values:
        """What there is of it."""
        found = self.live if self.live is not None else self.replayed
        assert found is not None, "it is somewhere"
        return found

    @property
    def how(self) -> str:
        """What it is called: "missing" where only the log gives it, "extra" where only the live tables do."""
        if self.live is None:
            return "missing"
        return "extra" if self.replayed is None else "changed"


class Decision(msgspec.Struct, frozen=True):
    """A decision made here at `position` that leant on what the event at `premise` was taken for, and is no more."""

    position: int
    premise: int


def differences(
    connection: psycopg.Connection, live: Generation, replayed: Generation, tables: Sequence[str]
) -> Iterator[Difference]:
    """Every row of these tables that is not the same, by table and key.

    In the transaction that `connection` is in, in whose snapshot both generations stand at one position. Its search
    path is another afterwards.
    """
    for table in tables:
        count = 0
        with connection.cursor(name=f"differences_{table}") as cursor:
            cursor.execute(_different(connection, live, replayed, table))
            while rows := cursor.fetchmany(BATCH):
                found = [_difference(table, *row) for row in rows]
                if count < EXPLAINED_MAX:
                    found = explained(connection, live, replayed, found)
                count += len(found)
                yield from found


def decisions_behind(connection: psycopg.Connection, live: Generation, replayed: Generation) -> Iterator[Decision]:
    """What was decided here behind facts that are others now, in its order: it stands, and is for a person to look at.

    Events name what they lean on by id: a request that was answered, a post or an account that was acted on.
    """
    query = sql.SQL(_DECISIONS).format(live=sql.Identifier(live.schema), replayed=sql.Identifier(replayed.schema))
    with connection.cursor(name="decisions") as cursor:
        cursor.execute(query)
        while rows := cursor.fetchmany(BATCH):
            yield from (Decision(*row) for row in rows)


def explained(
    connection: psycopg.Connection, live: Generation, replayed: Generation, found: Sequence[Difference]
) -> list[Difference]:
    """The same differences of one table, with the events behind each."""
    if not found:
        return []
    table = found[0].table
    positions = [_between(*both) for both in _sides(connection, live, replayed, table, [(d, d.columns) for d in found])]
    # Where the columns name no event, those that the row itself is there by do.
    silent = [place for place, some in enumerate(positions) if not some]
    rows = _sides(connection, live, replayed, table, [(found[place], ()) for place in silent])
    for place, both in zip(silent, rows, strict=True):
        positions[place] = _between(*both)
    events = _Events(connection, live, replayed, {position for some in positions for position in some})
    return [
        msgspec.structs.replace(d, causes=tuple(cause for position in some for cause in events.behind(d, position)))
        for d, some in zip(found, positions, strict=True)
    ]


def difference_of(table: str, live: Values | None, replayed: Values | None) -> Difference | None:
    """What differs between two versions of a row; None when nothing does."""
    return None if live == replayed else _difference(table, live, replayed)


def _difference(table: str, live: Values | None, replayed: Values | None) -> Difference:
    columns: tuple[str, ...] = ()
    if live is not None and replayed is not None:
        columns = tuple(column for column, value in live.items() if value != replayed[column])
    return Difference(table, live, replayed, columns)


def _different(connection: psycopg.Connection, live: Generation, replayed: Generation, table: str) -> sql.Composed:
    key = KEYS[table].split(", ")
    columns = [name for (name,) in connection.execute(_COLUMNS, [f"{replayed.schema}.{table}"])]

    def listed(alias: str, names: Sequence[str]) -> list[sql.Identifier]:
        return [sql.Identifier(alias, name) for name in names]

    pairs = list(zip(listed("l", key), listed("r", key), strict=True))
    return sql.SQL(_DIFFERENT).format(
        first=sql.Identifier(key[0]),
        live=sql.Identifier(live.schema, table),
        replayed=sql.Identifier(replayed.schema, table),
        same_key=sql.SQL(" AND ").join(sql.SQL("{} = {}").format(*pair) for pair in pairs),
        live_columns=sql.SQL(", ").join(listed("l", columns)),
        replayed_columns=sql.SQL(", ").join(listed("r", columns)),
        key=sql.SQL(", ").join(sql.SQL("coalesce({}, {})").format(*pair) for pair in pairs),
    )


def _sides(
    connection: psycopg.Connection,
    live: Generation,
    replayed: Generation,
    table: str,
    found: Sequence[tuple[Difference, tuple[str, ...]]],
) -> list[tuple[set[int], set[int]]]:
    """Per difference and its columns, what the live generation goes by, and what the replayed one does."""
    by_live = _positions(connection, live, table, [(d.live, columns) for d, columns in found])
    by_log = _positions(connection, replayed, table, [(d.replayed, columns) for d, columns in found])
    return list(zip(by_live, by_log, strict=True))


def _positions(
    connection: psycopg.Connection,
    generation: Generation,
    table: str,
    rows: Sequence[tuple[Values | None, tuple[str, ...]]],
) -> list[set[int]]:
    """Per row, the positions behind these columns of it, or behind itself where none are named."""
    found: list[set[int]] = [set[int]() for _ in rows]
    because = BECAUSE[table]
    asked: dict[LiteralString, list[int]] = {}
    for place, (row, columns) in enumerate(rows):
        if row is not None:
            whys: set[LiteralString] = {because.of(column) for column in columns} or {because.row}
            for why in whys:
                asked.setdefault(why, []).append(place)
    for why, places in asked.items():
        _behind(connection, generation, table, why, [(place, rows[place][0]) for place in places], found)
    return found


def _behind(
    connection: psycopg.Connection,
    generation: Generation,
    table: str,
    because: LiteralString,
    rows: Sequence[tuple[int, Values | None]],
    found: list[set[int]],
) -> None:
    connection.execute(sql.SQL("SET LOCAL search_path = {}").format(sql.Identifier(generation.schema)))
    query = sql.SQL(_POSITIONS.replace(":because", because)).format(table=sql.Identifier(table))
    given = msgspec.json.encode([row for _, row in rows]).decode()
    behind: list[tuple[int, int]] = connection.execute(query, [given]).fetchall()
    for nth, position in behind:
        place, _ = rows[nth - 1]
        found[place].add(position)


def _between(live: set[int], replayed: set[int]) -> tuple[int, ...]:
    """What only one of them goes by, or all of it where they go by the same."""
    positions = (live ^ replayed) or (live | replayed)
    return tuple(sorted(positions)[-CAUSES_MAX:])


class _Events:
    """The events whose facts have some positions."""

    def __init__(
        self, connection: psycopg.Connection, live: Generation, replayed: Generation, positions: set[int]
    ) -> None:
        asked = sorted(positions)
        self._topics: dict[int, str] = dict(connection.execute(_TOPICS, [asked]).fetchall())
        self._facts: dict[int, list[tuple[Cause, set[int | None]]]] = {}
        query = sql.SQL(_FACTS).format(live=sql.Identifier(live.schema), replayed=sql.Identifier(replayed.schema))
        for position, received_at, kind, actor, about in connection.execute(query, {"positions": asked}):
            cause = Cause(received_at, position, kind or self._topics.get(position, ""))
            self._facts.setdefault(position, []).append((cause, {actor, about}))

    def behind(self, difference: Difference, position: int) -> Sequence[Cause]:
        """Those at this position; of several that came free together, those about what the row names."""
        facts = self._facts.get(position)
        if not facts:
            return [Cause(position, position, self._topics.get(position, "not in the log"))]
        kinds = kinds_behind(difference.table)
        facts = [fact for fact in facts if fact[0].kind in kinds] or facts
        named = {value for value in difference.row.values() if isinstance(value, int)} - {position}
        most = max(len(about & named) for _, about in facts)
        return [cause for cause, about in facts if len(about & named) == most]
