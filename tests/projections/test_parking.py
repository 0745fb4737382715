"""Poison is parked alone: a fact that a rule can't take, an event that can't be read; everything else goes on."""

from collections.abc import Iterable

import msgspec
import psycopg
import pytest

from adapters.postgres.generations import Generation
from domain.events import Event
from domain.follow import FollowRequested
from domain.post import PostPublished
from projections.catalogue import PROJECTIONS
from projections.fact import Fact
from projections.rule import Projection, Row, on
from tests.database import Database
from tests.projections.histories import TimelineHistory
from tests.projections.projecting import digests, new_generation, project_all, projector_of, write_log

SEED = 7
LENGTH = 400
WITH_RULES = [projection.name for projection in PROJECTIONS if projection.rules]


def _position(event: Event, fact: Fact, origin: str) -> Iterable[Row]:
    yield fact.position, fact.n


def _raises(event: Event, fact: Fact, origin: str) -> Iterable[Row]:
    raise ValueError("this fact can't be rendered")


def with_a_faulty_rule(name: str, position: int, n: int) -> list[Projection]:
    """The catalogue, in which one projection has one more rule that fails for one fact by a division by zero."""
    kind = FollowRequested if name == "follows" else PostPublished
    faulty = on(
        kind,
        "fails for one fact",
        "position bigint, n int",
        _position,
        f"SELECT 1 / (CASE WHEN position = {position} AND n = {n} THEN 0 ELSE 1 END) FROM fact",
    )
    return [
        msgspec.structs.replace(one, rules=(*one.rules, faulty)) if one.name == name else one for one in PROJECTIONS
    ]


def rows(database: Database, generation: Generation, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database.owner) as owner:
        owner.execute(f"SET search_path = {generation.schema}")
        return owner.execute(query.encode()).fetchall()


@pytest.fixture
def whole(database: Database) -> Generation:
    write_log(database, TimelineHistory(SEED, LENGTH).log)
    generation = new_generation(database)
    project_all(projector_of(database, generation), 500)
    return generation


@pytest.mark.parametrize("name", WITH_RULES)
def test_a_fact_that_a_rule_fails_on_is_parked_alone(database: Database, whole: Generation, name: str) -> None:
    kind = "follow.requested" if name == "follows" else "post.published"
    chosen = rows(
        database,
        whole,
        f"SELECT position, n, received_at_position FROM facts WHERE kind = '{kind}' AND verdict = 'applied' LIMIT 1",
    )
    position, n, received_at = chosen[0]
    poisoned: list[dict[str, str]] = []
    for size in (1, 500):
        generation = new_generation(database)
        project_all(projector_of(database, generation, with_a_faulty_rule(name, int(str(position)), int(str(n)))), size)
        poisoned.append(digests(database, generation))
        parked = rows(database, generation, "SELECT received_at_position, reason FROM parked WHERE waits_for IS NULL")
        assert parked == [(received_at, "DivisionByZero: division by zero")]
        gone = "SELECT position, n FROM facts"
        assert set(rows(database, whole, gone)) - set(rows(database, generation, gone)) == {(position, n)}
    assert poisoned[0] == poisoned[1]


def test_a_fact_that_cannot_be_rendered_is_parked_alone(database: Database, whole: Generation) -> None:
    faulty = on(FollowRequested, "can't be rendered", "position bigint, n int", _raises, "SELECT 1 FROM fact")
    generation = new_generation(database)
    project_all(projector_of(database, generation, [*PROJECTIONS, Projection("faulty", "", {}, (faulty,))]), 500)
    asked = "SELECT count(*) FROM facts WHERE kind = 'follow.requested' AND verdict = 'applied'"
    before, after = rows(database, whole, asked), rows(database, generation, asked)
    poison = rows(database, generation, "SELECT count(*) FROM parked WHERE waits_for IS NULL AND reason LIKE 'Value%'")
    assert before != [(0,)] and after == [(0,)] and poison == before
    assert rows(database, generation, "SELECT count(*) FROM home") != [(0,)]


def test_an_event_whose_key_is_gone_is_parked_and_the_rest_is_projected(database: Database, whole: Generation) -> None:
    chosen = rows(database, whole, "SELECT position FROM facts WHERE kind = 'post.published' ORDER BY 1 LIMIT 1")[0][0]
    with psycopg.connect(database.owner) as owner:
        owner.execute("DELETE FROM keys.event_keys WHERE position = %s", [chosen])
    generation = new_generation(database)
    project_all(projector_of(database, generation), 500)
    parked = rows(database, generation, "SELECT received_at_position, reason FROM parked WHERE waits_for IS NULL")
    assert [one[0] for one in parked] == [chosen] and "the key was destroyed" in str(parked[0][1])
    assert rows(database, generation, "SELECT max(notification_id) FROM checkpoint") == [(LENGTH,)]
