"""Every table of the read models, wiped and made again from the facts with all others as they are, is the same."""

from collections.abc import Iterator

import psycopg
import pytest

from adapters.codec import Codec
from adapters.interpreter.interpret import Interpreter
from adapters.postgres.generations import Generation
from adapters.postgres.reading_ahead import Reader, ReadingAhead
from adapters.remaking import remake
from adapters.retelling import Retelling
from projections import parts
from projections.catalogue import KEYS, PROJECTIONS
from projections.interpretation import KEYS as INTERPRETATION
from tests.adapters.interpreter.peers import OURS
from tests.database import MASTER_KEY, Database
from tests.projections.histories import TimelineHistory
from tests.projections.projecting import digests, new_generation, project_all, projector_of, write_log
from tests.seeds import new_seed

LENGTH = 1_500
MADE_OF_FACTS = sorted(set(KEYS) - set(INTERPRETATION))


@pytest.fixture(params=[20261121, new_seed("parts of read models")], ids=lambda seed: f"seed {seed}")
def whole(request: pytest.FixtureRequest, database: Database) -> Generation:
    write_log(database, TimelineHistory(request.param, LENGTH).log)
    generation = new_generation(database)
    project_all(projector_of(database, generation), 500)
    return generation


@pytest.fixture
def retelling(database: Database) -> Iterator[Retelling]:
    ahead = ReadingAhead(Reader(database.app, Codec(MASTER_KEY), Interpreter(OURS).translate))
    yield Retelling(OURS, ahead.at)
    ahead.close()


def test_wiping_any_read_table_and_making_it_again_brings_it_back_identical(
    database: Database, whole: Generation, retelling: Retelling
) -> None:
    before = digests(database, whole)
    seen: set[frozenset[str]] = set()
    for table in MADE_OF_FACTS:
        tables = parts.together({table})
        assert table in tables
        if tables in seen:
            continue
        seen.add(tables)
        with psycopg.connect(database.owner, options=f"-c search_path={whole.schema}") as owner:
            owner.execute(f"TRUNCATE {', '.join(sorted(tables))}".encode())
            cursor = owner.cursor()
            for emptied in tables:
                assert cursor.execute(f"SELECT count(*) FROM {emptied}".encode()).fetchone() == (0,)
            remake(cursor, parts.rules_of(tables), retelling, OURS, LENGTH, lambda reached, to: None)
        assert digests(database, whole) == before, table
    assert set().union(*seen) == set(MADE_OF_FACTS)


def test_a_part_is_made_up_to_a_position_and_no_further(
    database: Database, whole: Generation, retelling: Retelling
) -> None:
    to = LENGTH // 2
    with psycopg.connect(database.owner, options=f"-c search_path={whole.schema}") as owner:
        owner.execute("TRUNCATE home")
        told: list[tuple[int, int]] = []

        def tell(reached: int, goal: int) -> None:
            told.append((reached, goal))

        remake(owner.cursor(), parts.rules_of(frozenset({"home"})), retelling, OURS, to, tell)
        furthest = owner.execute("SELECT max(position) FROM home").fetchone()
    assert furthest is not None and 0 < furthest[0] <= to
    assert told[-1] == (to, to)


def test_what_is_written_by_one_statement_is_made_together_and_homes_are_made_alone() -> None:
    assert parts.together({"home"}) == {"home"}
    assert parts.together(parts.tables_named("notifications")) == parts.tables_named("notifications")
    counted = parts.together({"favourites"})
    assert {"favourites", "statuses", "account_counts", "follows"} <= counted
    for table in counted:
        assert parts.together({table}) == counted


def test_every_statement_of_every_rule_is_known_to_write_tables_that_there_are() -> None:
    for projection in PROJECTIONS:
        for rule in projection.rules:
            for number in range(len(rule.sql)):
                assert rule.written(number) and rule.written(number) <= set(KEYS), (rule.name, number)


def test_a_part_is_called_by_its_projection_or_its_table_and_interpretation_is_none() -> None:
    assert parts.tables_named("home") == {"home"}
    assert parts.tables_named("follows") == {"follows", "follow_turns", "follow_wishes"}
    assert parts.tables_named("follow_wishes") == {"follow_wishes"}
    assert parts.tables_named("boosts") == {"statuses", "account_counts", "home"}
    for nothing in ("facts", "interpretation", "nonsense", "timelines"):
        assert parts.tables_named(nothing) == set()
    assert {"home", "notifications", "account_counts"} <= set(parts.names())
    assert "interpretation" not in parts.names() and "timelines" not in parts.names()
