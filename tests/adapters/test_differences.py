"""The differences of two generations: exactly the rows that differ, with the events behind them."""

import contextlib
from collections.abc import Generator, Sequence
from typing import Any

import msgspec
import psycopg
import pytest

from adapters.differences import Cause, Difference, differences
from adapters.postgres.generations import Generation
from projections.catalogue import BECAUSE, KEYS, PROJECTIONS
from projections.rule import Projection, Rule
from tests.adapters.interpreter.peers import ALICE, ANN, BOB, LOCAL
from tests.database import Database
from tests.projections.histories import TimelineHistory
from tests.projections.projecting import new_generation, project_all, projector_of, write_log
from tests.projections.story import FIRST, SECOND, THIRD, Story

# One that reaches every table, as tests/projections/test_law.py sees to.
SEED, LENGTH = 20261121, 1_500


@pytest.fixture
def story(database: Database) -> Story:
    told = Story()
    write_log(database, told.log)
    return told


@pytest.fixture
def live(database: Database, story: Story) -> Generation:
    return projected(database)


def projected(database: Database, projections: Sequence[Projection] = PROJECTIONS) -> Generation:
    generation = new_generation(database)
    project_all(projector_of(database, generation, projections), 500)
    return generation


def mended(table: str, old: str, new: str) -> list[Projection]:
    """The projections, the rules of the one with this table being written otherwise."""
    made: list[Projection] = []
    found = 0
    for projection in PROJECTIONS:
        rules: list[Rule] = []
        for rule in projection.rules if table in projection.keys else ():
            found += sum(old in statement for statement in rule.sql)
            rules.append(msgspec.structs.replace(rule, sql=tuple(s.replace(old, new) for s in rule.sql)))
        made.append(msgspec.structs.replace(projection, rules=tuple(rules)) if rules else projection)
    assert found, f"no rule of {table} says {old!r}"
    return made


def compared(
    database: Database, live: Generation, replayed: Generation, tables: Sequence[str] = tuple(KEYS)
) -> list[Difference]:
    with psycopg.connect(database.owner) as owner:
        return list(differences(owner, live, replayed, tables))


def asked(database: Database, generation: Generation, query: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(database.owner, options=f"-c search_path={generation.schema}") as owner:
        return owner.execute(query.encode(), values or None).fetchall()


def places(difference: Difference) -> set[int]:
    return {cause.as_of for cause in difference.causes}


@contextlib.contextmanager
def changed(database: Database, generation: Generation) -> Generator[psycopg.Connection]:
    with psycopg.connect(database.owner, options=f"-c search_path={generation.schema}") as owner:
        yield owner


def test_two_generations_of_the_same_code_do_not_differ(database: Database, live: Generation) -> None:
    assert compared(database, live, projected(database)) == []


def test_a_wrong_rule_shows_by_exactly_its_rows_with_the_events_they_came_of(
    database: Database, live: Generation, story: Story
) -> None:
    """The rule of homes forgets that a follow may have ended."""
    wrong = projected(database, mended("home", "f.until IS NULL OR f.until > e.position", "true"))
    found = compared(database, wrong, live)
    assert {(d.table, d.how) for d in found} == {("home", "extra")}
    rows = {(d.row["owner"], d.row["entry"], d.row["via"], d.causes) for d in found}
    assert len(found) == len(rows)
    assert rows == {
        (LOCAL[ALICE], story.ids[post], "follow", (Cause(story.at[name], story.at[name], "post.published"),))
        for post, name in ((SECOND, "second"), (THIRD, "third"))
    }


def test_a_rule_that_takes_an_end_for_a_beginning_shows_by_the_event_that_ended_something(
    database: Database, live: Generation, story: Story
) -> None:
    wrong = projected(database, mended("follows", "stage <> 'none'", "stage <> 'nobody'"))
    found = compared(database, wrong, live)
    ended = story.at[f"{LOCAL[ALICE]} unfollows"]
    assert [(d.table, d.how, d.causes) for d in found] == [("follows", "extra", (Cause(ended, ended, "follow.ended"),))]


def test_a_counter_that_differs_names_what_only_one_of_the_two_counts(
    database: Database, live: Generation, story: Story
) -> None:
    replayed = projected(database)
    liked = story.at[f"{LOCAL[BOB]} likes"]
    with changed(database, live) as owner:
        owner.execute("DELETE FROM favourites WHERE since = %s", [liked])
        owner.execute("UPDATE statuses SET favourites = favourites - 1 WHERE uri = %s", [FIRST])
    found = {d.table: d for d in compared(database, live, replayed)}
    assert set(found) == {"favourites", "statuses"}
    cause = (Cause(liked, liked, "post.favourited"),)
    assert (found["favourites"].how, found["favourites"].causes) == ("missing", cause)
    assert (found["statuses"].how, found["statuses"].columns, found["statuses"].causes) == (
        "changed",
        ("favourites",),
        cause,
    )


def test_the_event_that_ended_an_interval_in_one_of_the_two_is_the_cause(
    database: Database, live: Generation, story: Story
) -> None:
    replayed = projected(database)
    with changed(database, live) as owner:
        owner.execute("UPDATE follows SET until = NULL WHERE follower = %s", [LOCAL[ALICE]])
    found = compared(database, live, replayed)
    ended = story.at[f"{LOCAL[ALICE]} unfollows"]
    assert [d.columns for d in found if ended in places(d)] == [("until",)]


def test_a_counter_that_is_off_by_itself_names_the_latest_events_that_it_counts(
    database: Database, live: Generation, story: Story
) -> None:
    replayed = projected(database)
    with changed(database, live) as owner:
        owner.execute("UPDATE account_counts SET followers = followers + 7 WHERE account = %s", [story.ids[ANN]])
    (only,) = compared(database, live, replayed)
    assert only.columns == ("followers",)
    assert (only.row["followers"], only.replayed and only.replayed["followers"]) == (8, 1)
    followed = story.at[f"{LOCAL[BOB]} follows"]
    assert only.causes == (Cause(followed, followed, "follow.accepted"),)


def test_every_row_of_every_table_finds_an_event_behind_it(database: Database) -> None:
    write_log(database, TimelineHistory(SEED, LENGTH).log)
    live, empty = projected(database), new_generation(database)
    assert BECAUSE.keys() == KEYS.keys()
    for table in KEYS:
        found = compared(database, live, empty, [table])
        (count,) = asked(database, live, f"SELECT count(*) FROM {table}")[0]
        assert len(found) == count > 0, table
        unexplained = [d.row for d in found if not d.causes]
        assert not unexplained, f"{table}: {unexplained[:3]}"


def test_what_is_said_of_columns_is_said_of_columns_that_there_are(database: Database, live: Generation) -> None:
    columns = "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
    for table, because in BECAUSE.items():
        there = {name for (name,) in asked(database, live, columns, f"{live.schema}.{table}")}
        assert set(because.columns) <= there, table
