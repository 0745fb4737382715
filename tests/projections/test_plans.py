"""Plans that must hold in a table without statistics, which is what every table is while it is being built."""

import re
from itertools import count

import psycopg
import pytest

from projections import home_again
from projections.catalogue import PROJECTIONS
from projections.rule import Rule
from tests.database import Database
from tests.projections.projecting import new_generation

FOLLOWS = 10_000
FACTS = 200
_FOLLOWS = """
    INSERT INTO follows (follower, followee, since, n, stage, request)
    SELECT (number / 100) << 16, (number %% 100) << 16, number, 0, 'following', '' FROM generate_series(1, %s) number
"""


_STATUSES = """
    INSERT INTO statuses (id, account, uri, visibility, local, published, delivered, posted_on, json, revision,
        revision_n, has_media)
    SELECT number << 16, (number %% 100) << 16, number, 'public', false, number, number, '2026-01-01', '', 1, 0, false
    FROM generate_series(1, %s) number
"""
_HOME = """
    INSERT INTO home (owner, entry, via, cause, position)
    SELECT (number / 100) << 16, number, 'follow', 1, number FROM generate_series(1, %s) number
"""


def fan_outs() -> list[Rule]:
    """The rules that put entries into the homes of followers."""
    rules = [rule for projection in PROJECTIONS for rule in projection.rules]
    return [rule for rule in rules if any("INSERT INTO home" in sql and "f.followee = e." in sql for sql in rule.sql)]


@pytest.mark.parametrize("rule", fan_outs(), ids=lambda rule: rule.name)
def test_a_fan_out_reads_the_followers_of_each_author_and_never_all_follows(database: Database, rule: Rule) -> None:
    generation = new_generation(database)
    with psycopg.connect(database.owner, options=f"-c search_path={generation.schema}") as connection:
        connection.execute("SET plan_cache_mode = force_custom_plan")
        connection.execute(_FOLLOWS, [FOLLOWS])
        columns = [[value_of(kind)] * FACTS for _, kind in rule.columns]
        for number, sql in enumerate(rule.sql):
            if "f.followee = e." in sql:
                rows = connection.execute(f"EXPLAIN {rule.statement(number)}".encode(), columns)
                plan = "\n".join(line for (line,) in rows)
                assert "Index Cond: (followee =" in plan, plan


def test_a_home_is_dropped_and_restored_along_indexes_and_never_by_reading_all_there_is(database: Database) -> None:
    generation = new_generation(database)
    (rule,) = home_again.RULES
    with psycopg.connect(database.owner, options=f"-c search_path={generation.schema}") as connection:
        connection.execute("SET plan_cache_mode = force_custom_plan")
        for fill in (_FOLLOWS, _STATUSES, _HOME):
            connection.execute(fill, [FOLLOWS])
        columns = [[value_of(kind)] * FACTS for _, kind in rule.columns]
        for number in range(len(rule.sql)):
            rows = connection.execute(f"EXPLAIN {rule.statement(number)}".encode(), columns)
            plan = "\n".join(line for (line,) in rows)
            assert "Seq Scan" not in plan, plan


LARGE = "follows|statuses|home"
ALL_OF_A_TABLE = re.compile(rf"Seq Scan on ({LARGE})\b|(?<!Backward )using \w+ on ({LARGE})\b(?!.*\n +Index Cond)")


def test_what_a_batch_does_to_the_large_tables_it_does_along_indexes(database: Database) -> None:
    generation = new_generation(database)
    found: list[str] = []
    with psycopg.connect(database.owner, options=f"-c search_path={generation.schema}") as connection:
        for fill in (_FOLLOWS, _STATUSES, _HOME):
            connection.execute(fill, [FOLLOWS])
        for rule in (rule for projection in PROJECTIONS for rule in projection.rules):
            for number in range(len(rule.sql)):
                # What a prepared statement runs by once it has run a few times, whatever it was given then.
                numbers = count(1)
                statement = re.sub("%b", lambda _, n=numbers: f"${next(n)}", rule.statement(number))
                rows = connection.execute(f"EXPLAIN (GENERIC_PLAN) {statement}".encode())
                plan = "\n".join(line for (line,) in rows)
                if ALL_OF_A_TABLE.search(plan):
                    found.append(f"{rule.name}, {number}:\n{plan}")
    assert not found, "\n".join(found)


def value_of(kind: str) -> object:
    """Any value of a PostgreSQL type."""
    return {"boolean": True, "text": "", "date": "2026-01-01"}.get(kind, 1)
