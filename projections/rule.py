"""Rules: what one kind of fact means for one table, as one SQL statement over the set of such facts in a batch.

The statement reads its facts from `fact`, one row each, in the columns that the rule declares. Tables must come to
depend on facts and positions alone, however they were batched: rows go in under natural keys, last position wins,
what toggles is recomputed from all its turns.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, LiteralString

import msgspec

from domain.events import Event, topic_of
from projections.because import Because
from projections.fact import Fact

Row = tuple[Any, ...]
_WRITTEN = re.compile(r"\b(?:INSERT INTO|UPDATE|DELETE FROM) (?!SET\b)(\w+)")


class Rule(msgspec.Struct, frozen=True):
    """`columns` are (name, PostgreSQL type); `rows` turns a fact into rows of them; `sql` reads them as `fact`."""

    name: str
    topics: frozenset[str]
    columns: tuple[tuple[LiteralString, LiteralString], ...]
    rows: Callable[[Fact, str], Iterable[Row]]
    sql: tuple[LiteralString, ...]

    def statement(self, number: int) -> LiteralString:
        """The whole statement: the facts as arrays, then what they mean."""
        arrays = ", ".join(f"%b::{kind}[]" for _, kind in self.columns)
        names = ", ".join(name for name, _ in self.columns)
        body = self.sql[number].strip()
        fact = f"fact AS (SELECT * FROM unnest({arrays}) AS f({names}))"  # noqa: S608 - literals of this package only
        if body.startswith("WITH"):
            return f"WITH {fact}, {body.removeprefix('WITH')}"
        return f"WITH {fact} {body}"

    def written(self, number: int) -> frozenset[str]:
        """The tables that this statement writes."""
        return frozenset(_WRITTEN.findall(self.sql[number]))


class Projection(msgspec.Struct, frozen=True):
    """A read model: its tables (DDL, without schema), the key of each (for digests), its rules in order.

    `because` says of each table how a row of it finds the events behind it. `together` are those that a rule reads as
    they stand rather than as of its fact, so that they can only be made again together. `own` are those whose rows are
    somebody's own, with the condition for a row to be that account's (projections/own.py); others are nobody's.
    """

    name: str
    tables: LiteralString
    keys: dict[str, str]
    rules: tuple[Rule, ...] = ()
    because: dict[str, Because] = {}
    together: frozenset[str] = frozenset()
    own: dict[str, LiteralString] = {}


def on(
    kinds: type[Event] | Sequence[type[Event]],
    name: str,
    columns: LiteralString,
    rows: Callable[[Any, Fact, str], Iterable[Row]],
    *sql: LiteralString,
) -> Rule:
    """A rule for these kinds. `columns` reads "name type, …"; `rows(event, fact, origin)` gives the rows of a fact."""
    chosen = (kinds,) if isinstance(kinds, type) else tuple(kinds)
    declared = tuple(_pair(column) for column in columns.split(","))

    def of_fact(fact: Fact, origin: str) -> Iterable[Row]:
        return rows(fact.event, fact, origin)

    return Rule(name, frozenset(topic_of(kind) for kind in chosen), declared, of_fact, sql)


def _pair(column: LiteralString) -> tuple[LiteralString, LiteralString]:
    name, kind = column.split()
    return name, kind
