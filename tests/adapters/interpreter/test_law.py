"""The law: facts and tables depend on the log alone, not on how it was batched, killed and resumed."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest

from adapters.activitypub.incoming import Translator
from adapters.interpreter.claims import DUPLICATE, EXPIRED, TOO_MANY_WAIT, refused
from adapters.interpreter.interpret import Interpreter
from domain.follow import FollowAccepted, FollowRejected
from domain.ports import Recorded
from projections.fact import APPLIED, Fact
from projections.interpretation import KEYS, TABLES
from tests.adapters.interpreter.histories import History
from tests.adapters.interpreter.oracle import Oracle
from tests.adapters.interpreter.peers import OURS
from tests.database import Database
from tests.seeds import new_seed

LENGTH = 3_000
# So few that a crowd is soon too large.
WAITING_MAX = 6
REMOTE = (
    "follow.requested",
    "follow.accepted",
    "follow.rejected",
    "follow.ended",
    "post.favourited",
    "post.unfavourited",
    "post.boosted",
    "post.unboosted",
    "account.blocked",
    "account.unblocked",
    "post.pinned",
    "post.unpinned",
    "account.moved",
    "account.deleted",
)
SIZES = (1, 7, 500, 5_000)


@pytest.fixture
def connection(database: Database) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database.owner) as made:
        yield made


@pytest.fixture(params=[20261121, new_seed("the law of interpretation")], ids=lambda seed: f"seed {seed}")
def history(request: pytest.FixtureRequest) -> History:
    return History(request.param, LENGTH)


class Killed(Exception):
    """The process dies here, in the middle of a batch."""


def new_generation(connection: psycopg.Connection, number: int) -> None:
    connection.execute(f"CREATE SCHEMA read_{number}")
    connection.execute(f"SET search_path TO read_{number}")
    connection.execute(TABLES)
    connection.commit()


def interpret(connection: psycopg.Connection, log: Sequence[Recorded], size: int, kill_every: int = 0) -> list[Fact]:
    """Interpret the whole log in batches of `size`; every so many batches die once before the commit."""
    interpreter = Interpreter(OURS, WAITING_MAX)
    facts: list[Fact] = []
    for number, start in enumerate(range(0, len(log), size)):
        batch = log[start : start + size]
        if kill_every and number % kill_every == 0:
            with pytest.raises(Killed), connection.transaction(), connection.cursor() as cursor:
                interpreter.interpret(cursor, batch, lambda positions: [log[one - 1] for one in positions])
                raise Killed
        with connection.transaction(), connection.cursor() as cursor:
            facts += interpreter.interpret(cursor, batch, lambda positions: [log[one - 1] for one in positions])
    connection.commit()
    return facts


def digests(connection: psycopg.Connection) -> dict[str, str]:
    """SHA-256 of each table's rows in the order of its key, no column left out, and of the ids given out."""
    keys = {**KEYS, "app.ids": ("uri",)}
    found: dict[str, str] = {}
    for table, key in keys.items():
        digest = hashlib.sha256()
        with connection.cursor().copy(f"COPY (SELECT * FROM {table} ORDER BY {', '.join(key)}) TO STDOUT") as copy:
            for block in copy:
                digest.update(block)
        found[table] = digest.hexdigest()
    return found


def forget_ids(connection: psycopg.Connection) -> None:
    connection.execute("DELETE FROM app.ids")
    connection.commit()


def test_batches_of_any_size_and_kills_give_the_same_tables(connection: psycopg.Connection, history: History) -> None:
    runs: list[tuple[dict[str, str], list[Fact]]] = []
    for number, size in enumerate((*SIZES, 7, 500)):
        forget_ids(connection)
        new_generation(connection, number + 1)
        facts = interpret(connection, history.log, size, kill_every=3 if number >= len(SIZES) else 0)
        runs.append((digests(connection), facts))
    for found, facts in runs[1:]:
        assert found == runs[0][0]
        assert facts == runs[0][1]


def test_a_second_generation_reads_back_the_ids_that_the_first_gave(
    connection: psycopg.Connection, history: History
) -> None:
    new_generation(connection, 1)
    facts = interpret(connection, history.log, 500)
    first = digests(connection)
    new_generation(connection, 2)
    assert interpret(connection, history.log, 7) == facts
    assert digests(connection) == first


def test_facts_and_parked_are_what_the_oracle_says(connection: psycopg.Connection, history: History) -> None:
    oracle, translator = Oracle(history.uri_of, WAITING_MAX), Translator(OURS)
    for recorded in history.log:
        oracle.receive(translator.translate(recorded))
    new_generation(connection, 1)
    facts = interpret(connection, history.log, 500)
    found = [(fact.position, fact.n, fact.received_at_position, fact.kind, fact.verdict) for fact in facts]
    assert found == oracle.facts
    parked = connection.execute("SELECT received_at_position, waits_for FROM parked").fetchall()
    assert dict(parked) == {position: uri for position, (_, uri) in oracle.waiting.items()}
    assert len(oracle.waiting) > 10 and sum(fact[0] != fact[2] for fact in found) > 100, "nothing waited"


def test_each_received_event_is_in_exactly_one_of_facts_and_parked(
    connection: psycopg.Connection, history: History
) -> None:
    new_generation(connection, 1)
    interpret(connection, history.log, 7)
    query = "SELECT received_at_position FROM facts UNION ALL SELECT received_at_position FROM parked ORDER BY 1"
    assert [row[0] for row in connection.execute(query)] == list(range(1, LENGTH + 1))


def test_an_applied_fact_carries_its_event_with_every_id(connection: psycopg.Connection, history: History) -> None:
    new_generation(connection, 1)
    facts = interpret(connection, history.log, 500)
    assert all((fact.event is None) == (fact.verdict != APPLIED) for fact in facts)
    for fact in facts:
        if fact.event is None or fact.because is None:
            continue
        for name in ("post", "author", "account", "follower", "followee", "boost", "blocker", "blocked"):
            assert getattr(fact.event, name, 1) > 0
        assert (fact.actor, fact.object) == ends_of(fact.event)
        if fact.kind.startswith("follow."):
            assert fact.stream == f"follow:{fact.event.follower}:{fact.event.followee}"


def ends_of(event: Any) -> tuple[int, int]:
    """Who acted, and on what."""
    if isinstance(event, FollowAccepted | FollowRejected):
        return event.followee, event.follower
    actors, objects = ("author", "follower", "blocker", "account"), ("post", "target", "followee", "blocked", "account")
    return tuple(next(getattr(event, one) for one in fields if hasattr(event, one)) for fields in (actors, objects))


def test_everything_happens_and_toggles_both_ways(connection: psycopg.Connection) -> None:
    new_generation(connection, 1)
    facts = interpret(connection, History(20261121, 2 * LENGTH).log, 500)
    applied = {fact.kind for fact in facts if fact.verdict == APPLIED and fact.because is not None}
    assert applied >= set(REMOTE)
    verdicts = {fact.verdict for fact in facts}
    assert {EXPIRED, refused(TOO_MANY_WAIT)} <= verdicts
    again = {fact.kind for fact in facts if fact.verdict == DUPLICATE}
    assert again >= {"post.favourited", "post.boosted", "account.blocked", "post.unfavourited", "follow.ended"}


def test_what_a_fetch_brought_is_delivered_once_more_at_most(connection: psycopg.Connection, history: History) -> None:
    new_generation(connection, 1)
    published = [
        fact for fact in interpret(connection, history.log, 500) if fact.kind == "post.published" and fact.event
    ]
    shown: dict[int | None, list[tuple[bool, bool]]] = {}
    for fact in published:
        shown.setdefault(fact.object, []).append((fact.delivered, fact.again))
    delivered, fetched, both = [(True, False)], [(False, False)], [(False, False), (True, True)]
    assert {str(turns) for turns in shown.values()} == {str(delivered), str(fetched), str(both)}


def test_parked_rows_hold_the_claim_and_never_the_body(connection: psycopg.Connection, history: History) -> None:
    new_generation(connection, 1)
    interpret(connection, history.log, 500)
    claims = [row[0] for row in connection.execute("SELECT claim FROM parked")]
    assert claims and not any(b"<p>hi" in claim for claim in claims)
