"""Running rules: the facts that each matches, as arrays, into its statements, in the order of the rules."""

import sys
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Final, NamedTuple

import psycopg

from adapters.postgres.arrays import Packed, arrays_for
from projections.fact import APPLIED, Fact
from projections.rule import Row, Rule

STATEMENT_BYTES_MAX: Final = 4 * 1024 * 1024
# From here on it pays to prepare what comes next in a thread, while PostgreSQL is at work.
FACTS_AHEAD_MIN: Final = 500
_PREPARED_MAX: Final = 6
# By default a thread that PostgreSQL has answered waits for 5 ms until the other one lets it go on. It holds for the
# whole process, in which no second projector runs.
_SWITCH_S: Final = 0.0002


class _Prepared(NamedTuple):
    """What a rule's statements are given."""

    rule: Rule
    columns: list[Packed]


def run_rules(cursor: psycopg.Cursor, rules: Iterable[Rule], facts: Sequence[Fact], origin: str) -> list[Row]:
    """Run rules, in their order, over those of the facts that each matches; gives what they return, as `run_rule`."""
    prepared = _prepared(rules, facts, origin)
    if len(facts) < FACTS_AHEAD_MIN:
        return _run(cursor, prepared)
    with closing(_ahead(prepared)) as ahead:
        return _run(cursor, ahead)


def run_rule(cursor: psycopg.Cursor, rule: Rule, facts: Sequence[Fact], origin: str) -> list[Row]:
    """Run a rule's statements over facts that it matches, in order, some megabytes at a time.

    Gives what they return: rows of entities that they touched (projections/touched.py).
    """
    return _run(cursor, _prepared_for(rule, facts, origin))


def _run(cursor: psycopg.Cursor, prepared: Iterable[_Prepared]) -> list[Row]:
    returned: list[Row] = []
    for rule, columns in prepared:
        for number in range(len(rule.sql)):
            cursor.execute(rule.statement(number), columns, prepare=True)
            if cursor.description:
                returned += cursor.fetchall()
    return returned


def _prepared(rules: Iterable[Rule], facts: Iterable[Fact], origin: str) -> Iterator[_Prepared]:
    by_topic: dict[str, list[Fact]] = {}
    for fact in facts:
        if fact.verdict == APPLIED:
            by_topic.setdefault(fact.kind, []).append(fact)
    for rule in rules:
        matching = [fact for topic in rule.topics for fact in by_topic.get(topic, ())]
        if len(rule.topics) > 1:
            # In their order, so that what toggles may be cut in two between any of them.
            matching.sort(key=_place)
        yield from _prepared_for(rule, matching, origin)


def _prepared_for(rule: Rule, facts: Sequence[Fact], origin: str) -> Iterator[_Prepared]:
    rows = [row for fact in facts for row in rule.rows(fact, origin)]
    for some in _slices(rows):
        yield _Prepared(rule, arrays_for(rule.statement(0), zip(*some, strict=True)))


def _place(fact: Fact) -> tuple[int, int]:
    return fact.position, fact.n


def _slices(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    # PostgreSQL takes no message of a gigabyte, and one statement is one message.
    start = size = 0
    for end, row in enumerate(rows):
        size += sum(len(value) for value in row if isinstance(value, str))
        if size >= STATEMENT_BYTES_MAX:
            yield rows[start : end + 1]
            start, size = end + 1, 0
    if start < len(rows):
        yield rows[start:]


def _ahead(prepared: Iterator[_Prepared]) -> Generator[_Prepared]:
    """The same, each made in a thread before it is asked for."""
    with switching_fast(), ThreadPoolExecutor(1, thread_name_prefix="prepare") as thread:
        coming = deque(thread.submit(next, prepared, None) for _ in range(_PREPARED_MAX))
        while (one := coming.popleft().result()) is not None:
            coming.append(thread.submit(next, prepared, None))
            yield one


@contextmanager
def switching_fast() -> Generator[None]:
    """Let whoever PostgreSQL has answered go on soon, while other threads compute."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)
