"""Making a part of the read models again from the facts of its own generation, within the caller's transaction."""

from collections.abc import Callable, Sequence
from typing import Any, Final, LiteralString

import psycopg

from adapters.postgres.ruling import run_rules
from adapters.retelling import COLUMNS, Retelling, Row, rows_of
from projections.rule import Rule

BATCH_MAX: Final = 500

_AFTER: LiteralString = """
    SELECT :columns FROM facts f
    WHERE f.position > %(after)s AND f.position <= %(to)s AND f.kind = ANY(%(kinds)s) AND f.verdict = 'applied'
    ORDER BY f.position, f.n LIMIT %(most)s
""".replace(":columns", COLUMNS)

Progress = Callable[[int, int], None]


def remake(
    cursor: psycopg.Cursor[Any], rules: Sequence[Rule], retelling: Retelling, origin: str, to: int, progress: Progress
) -> None:
    """Run rules over all facts up to position `to`; their tables must be empty, and on the cursor's search path.

    `progress` is told (position come to, `to`). Raises Untold when an event can't be read any more.
    """
    kinds = sorted({topic for rule in rules for topic in rule.topics})
    reached = 0
    while rows := _following(cursor, kinds, reached, to):
        run_rules(cursor, rules, retelling.facts(cursor, rows), origin)
        reached = rows[-1].position
        progress(reached, to)
    progress(to, to)


def _following(cursor: psycopg.Cursor[Any], kinds: Sequence[str], after: int, to: int) -> list[Row]:
    """The next rows, all of a position or none."""
    values = {"after": after, "to": to, "kinds": kinds, "most": BATCH_MAX}
    rows = list(rows_of(cursor.execute(_AFTER, values, prepare=True)))
    if len(rows) < BATCH_MAX:
        return rows
    whole = [row for row in rows if row.position < rows[-1].position]
    if whole:
        return whole
    return list(rows_of(cursor.execute(_AFTER, {**values, "to": rows[-1].position, "most": None})))
