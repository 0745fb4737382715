"""Toggles: what is switched on and off between two ids, kept as the intervals in which it was on.

The intervals of a pair follow from its turns in order: each turn ends what was on before it, and one that switches on
begins an interval. A batch's facts come later than all before them, so the last interval of a pair is all that a batch
must look up, and it makes no difference whether on, off and on came in one batch or in three.
"""

from typing import LiteralString

from projections.because import at

_TABLE: LiteralString = """
CREATE TABLE :table (
    :left bigint NOT NULL,
    :right bigint NOT NULL,
    since bigint NOT NULL,
    n     int    NOT NULL,
    until bigint,
    :more
    PRIMARY KEY (:left, :right, since, n)
);
"""

CURSOR: LiteralString = "(since << 20 | n)"
"""Where an interval stands in lists, newest last: from the log, so that a rebuild gives it the same place.

`n` is the place among the facts of one position, of which there are fewer than 2^20.
"""

BECAUSE = at("since", until="until")
"""Each table of intervals says itself when they began and ended."""

# `kept` goes by the key alone: a fresh table has no statistics, and a join would be planned as a scan of all of it.
_TURNS: LiteralString = """
WITH turn AS (
    SELECT t.*, lead(position) OVER pair AS ended, row_number() OVER pair AS ordinal
    FROM (:turns) t WINDOW pair AS (PARTITION BY :left, :right ORDER BY position, n)
),
before AS (
    SELECT o.*, t.position AS ended FROM turn t CROSS JOIN LATERAL (
        SELECT * FROM :table i WHERE i.:left = t.:left AND i.:right = t.:right AND (i.since, i.n) < (t.position, t.n)
        ORDER BY i.since DESC, i.n DESC LIMIT 1) o
    WHERE t.ordinal = 1 AND o.until IS NULL
),
kept AS (
    INSERT INTO :table (:left, :right, since, n, until:columns)
    SELECT :left, :right, since, n, ended:columns FROM before
    UNION ALL
    SELECT :left, :right, position, n, ended:columns FROM turn WHERE begins
    ON CONFLICT (:left, :right, since, n) DO UPDATE SET until = excluded.until
),
-- One row for each interval that this batch closed or left open.
moved AS (
    SELECT :left, :right, -1 AS by FROM before
    UNION ALL
    SELECT :left, :right, 1 FROM turn WHERE begins AND ended IS NULL
)
:then
"""


def intervals(
    table: LiteralString, left: LiteralString, right: LiteralString, more: LiteralString = ""
) -> LiteralString:
    """The DDL of a table of intervals; `more` are columns of its own, each with a comma at its end.

    `since` and `until` are positions, `n` the fact's place at `since`; an open interval has no `until`, and one that
    ended at once holds nothing.
    """
    return _named(_TABLE, table, left, right).replace(":more", more)


def turns(
    table: LiteralString,
    left: LiteralString,
    right: LiteralString,
    *,
    columns: LiteralString = "",
    source: LiteralString = "SELECT * FROM fact",
    then: LiteralString = "SELECT FROM moved LIMIT 0",
) -> LiteralString:
    """The statement of a rule that keeps the intervals of `table`.

    `source` gives the batch's turns: position, n, both ids, the table's own `columns` ("a, b"), and whether the turn
    `begins` an interval. `then` ends the statement: it may move counters by the rows of `moved` (both ids, and `by`
    how many intervals are open more or fewer), of which a pair may have two that cancel each other out.
    """
    listed: LiteralString = f", {columns}" if columns else ""
    statement = _TURNS.replace(":turns", source).replace(":columns", listed).replace(":then", then)
    return _named(statement, table, left, right)


def key(left: LiteralString, right: LiteralString) -> str:
    """The key of a table of intervals, as a projection declares it."""
    return f"{left}, {right}, since, n"


def _named(text: LiteralString, table: LiteralString, left: LiteralString, right: LiteralString) -> LiteralString:
    return text.replace(":table", table).replace(":left", left).replace(":right", right)
