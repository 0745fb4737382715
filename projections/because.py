"""How a row of a read model finds the events behind it, so that a difference between two of them can be explained."""

from collections.abc import Mapping
from typing import LiteralString

import msgspec

_APPLIED: LiteralString = "SELECT f.position FROM facts f WHERE f.verdict = 'applied' AND :where"


class Because(msgspec.Struct, frozen=True):
    """SQL that gives the log positions behind a row `d` of a table, as one column of bigints, NULLs left out.

    `row` says why the row is there at all; `columns` why a column says what it does, where that is something else.
    A counter names what it counts: what only one of two read models counts is why they differ.
    """

    row: LiteralString
    columns: Mapping[str, LiteralString] = {}

    def of(self, column: str) -> LiteralString:
        """The SQL for one column."""
        return self.columns.get(column, self.row)


def at(*columns: LiteralString, **others: LiteralString) -> Because:
    """The row itself holds its positions; `others` are columns whose positions stand elsewhere in the row, or SQL."""
    named: dict[str, LiteralString] = {
        column: said if " " in said else _positions((said,)) for column, said in others.items()
    }
    return Because(_positions(columns), named)


def facts(where: LiteralString) -> LiteralString:
    """The positions of those applied facts `f` of which this holds."""
    return _APPLIED.replace(":where", where)


def _positions(columns: tuple[LiteralString, ...]) -> LiteralString:
    return "SELECT unnest(ARRAY[:columns]::bigint[])".replace(":columns", ", ".join(f"d.{one}" for one in columns))
