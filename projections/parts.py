"""Parts of the read models that can be made again alone, from the facts, with all other tables as they are.

A rule reads of other tables only what is temporal, as of its fact's position, so it makes no difference that they stand
further on. What it writes decides: tables that one statement writes together (a like and its post's counter) are made
together, or none of them.
"""

from collections.abc import Iterable, Sequence

import msgspec

from projections.catalogue import KEYS, PROJECTIONS
from projections.interpretation import KEYS as INTERPRETATION
from projections.rule import Rule


def names() -> list[str]:
    """What parts are called: projections, and single tables of those that have several."""
    return sorted({projection.name for projection in PROJECTIONS if tables_named(projection.name)} | set(_OWN))


def tables_named(name: str) -> frozenset[str]:
    """The tables of a projection, or the table, of that name; none when there is no such part.

    A projection without tables of its own stands for those that its rules write. Interpretation is no part: all else
    follows from it.
    """
    for projection in PROJECTIONS:
        if projection.name == name:
            return (frozenset(projection.keys) or _written(projection.rules)) - set(INTERPRETATION)
    return frozenset({name}) & _OWN


def together(tables: Iterable[str]) -> frozenset[str]:
    """These tables, and those that have to be made with them."""
    found = set(tables)
    bonds = [rule.written(number) for rule in _RULES for number in range(len(rule.sql))]
    bonds += [projection.together for projection in PROJECTIONS]
    while more := {table for bond in bonds if bond & found for table in bond} - found:
        found |= more
    return frozenset(found)


def rules_of(tables: frozenset[str]) -> list[Rule]:
    """The rules that make these tables, in their order, with those of their statements that do."""
    chosen: list[Rule] = []
    for rule in _RULES:
        statements = tuple(sql for number, sql in enumerate(rule.sql) if rule.written(number) & tables)
        if statements:
            chosen.append(msgspec.structs.replace(rule, sql=statements))
    return chosen


def _written(rules: Sequence[Rule]) -> frozenset[str]:
    return frozenset(table for rule in rules for number in range(len(rule.sql)) for table in rule.written(number))


_RULES = [rule for projection in PROJECTIONS for rule in projection.rules]
_OWN = frozenset(KEYS) - set(INTERPRETATION)
