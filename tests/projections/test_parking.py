"""Poison is parked alone: a fact that a rule can't take, an event that can't be read; everything else goes on."""

from collections.abc import Iterable

import msgspec
import psycopg
import pytest

from adapters.interpreter.state import NotLookedUp
from adapters.postgres.generations import Generation
from adapters.postgres.projecting import fails_again
from adapters.postgres.reading_ahead import BATCH_BYTES_MAX
from domain.events import Event
from domain.follow import FollowRequested
from domain.post import PostPublished
from projections.catalogue import PROJECTIONS
from projections.fact import Fact
from projections.rule import Projection, Row, on
from tests.adapters.interpreter import peers
from tests.adapters.interpreter.peers import ALICE, ANN
from tests.database import APP_ROLE, Database
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


def test_a_poison_fact_changes_nothing_of_what_was_released_with_it(database: Database) -> None:
    """A follow, its undoing and a post wait for their author, and come free together; only the post is poison."""
    follow = peers.follow(ANN, ALICE, "f1")
    entries = [
        peers.registered(ALICE),
        peers.received(ANN, follow),
        peers.received(ANN, peers.undo(ANN, f"{ANN}/f1")),
        peers.received(ANN, peers.create(f"{ANN}/n/1", ANN)),
        peers.fetched(ANN, peers.actor(ANN)),
    ]
    write_log(database, peers.log_of(entries))
    healthy, poisoned = new_generation(database), new_generation(database)
    project_all(projector_of(database, healthy), 500)
    faulty = on(
        PostPublished, "fails", "position bigint, n int", _position, "SELECT 1 / (position - position) FROM fact"
    )
    project_all(projector_of(database, poisoned, [*PROJECTIONS, Projection("faulty", "", {}, (faulty,))]), 500)
    parked = rows(database, poisoned, "SELECT received_at_position FROM parked")
    assert parked == [(4,)]
    for table in ("follow_turns", "follows", "relations", "accounts", "account_revisions"):
        assert digests(database, poisoned)[table] == digests(database, healthy)[table], table
    assert rows(database, poisoned, "SELECT count(*) FROM follow_turns") == [(2,)]


def test_what_is_not_the_facts_fault_parks_nothing_and_is_tried_again(database: Database, whole: Generation) -> None:
    generation = new_generation(database)
    projector = projector_of(database, generation)
    with psycopg.connect(database.owner, autocommit=True) as owner:
        owner.execute(f"REVOKE INSERT ON {generation.schema}.home FROM {APP_ROLE}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            while projector.step(500):
                pass
        owner.execute(f"GRANT INSERT ON {generation.schema}.home TO {APP_ROLE}")
    projector.reset()
    project_all(projector, 500)
    assert digests(database, generation) == digests(database, whole)


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (ValueError("a bug in a translator"), True),
        (psycopg.errors.NumericValueOutOfRange("22003"), True),
        (psycopg.errors.CheckViolation("23514"), True),
        (psycopg.DataError("a NUL that the driver refuses"), True),
        (psycopg.OperationalError("the connection is lost"), False),
        (psycopg.errors.DeadlockDetected("40P01"), False),
        (psycopg.errors.DiskFull("53100"), False),
        (psycopg.errors.InsufficientPrivilege("42501"), False),
        (MemoryError(), False),
        (NotLookedUp("a bug that must stop the line"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_what_would_fail_again_parks(error: Exception, again: bool) -> None:
    assert fails_again(error) is again


def test_large_bodies_make_small_batches(database: Database) -> None:
    """Sealed they are tiny; opened, a batch of them would not fit into memory nor into one statement."""
    large = "a" * 800_000
    creates = [
        peers.received(ANN, peers.create(f"{ANN}/n/{number}", ANN, content=f"<p>{number}{large}</p>"))
        for number in range(50)
    ]
    write_log(database, peers.log_of([peers.fetched(ANN, peers.actor(ANN)), *creates]))
    generation = new_generation(database)
    projector = projector_of(database, generation)
    counts = []
    while count := projector.step(2_000):
        counts.append(count)
    projector.close()
    assert sum(counts) == 51 and max(counts) * 800_000 < 2 * BATCH_BYTES_MAX
    assert rows(database, generation, "SELECT count(*) FROM statuses") == [(50,)]
