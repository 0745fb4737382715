"""What our own code fails on is set aside alone, with its reason; nothing else waits for it, nothing is lost."""

from collections.abc import Iterator, Sequence

import psycopg
import pytest

from adapters.interpreter.claims import Claim, UnreadableEvent
from adapters.interpreter.interpret import Interpreter
from adapters.interpreter.state import NotLookedUp, State
from adapters.interpreter.walk import walk
from domain.ports import Recorded
from projections.interpretation import TABLES
from tests.adapters.interpreter.memory import MemoryState
from tests.adapters.interpreter.peers import ANN, OURS, actor, create, fetched, log_of, received
from tests.database import Database

POST = "https://good.test/n/1"


@pytest.fixture
def cursor(database: Database) -> Iterator[psycopg.Cursor]:
    with psycopg.connect(database.owner) as connection, connection.cursor() as made:
        made.execute("CREATE SCHEMA read_1")
        made.execute("SET search_path TO read_1")
        made.execute(TABLES)
        yield made


def unreadable() -> tuple[str, object]:
    """An event as no inbox could have stored it, which stands for any that a bug of ours chokes on."""
    stream, make = received(ANN, b"")
    return stream, lambda when: type(make(when))(signer=ANN, inbox="/inbox", raw=None, evidence=None, received_at=when)


@pytest.mark.parametrize("size", [1, 3])
def test_an_event_that_the_translator_fails_on_is_parked_alone(cursor: psycopg.Cursor, size: int) -> None:
    log = log_of([fetched(ANN, actor(ANN)), unreadable(), received(ANN, create(POST, ANN))])
    interpreter = Interpreter(OURS)
    facts = [
        fact
        for start in range(0, len(log), size)
        for fact in interpreter.interpret(cursor, log[start : start + size], lambda _: [])
    ]
    assert [(fact.position, fact.verdict) for fact in facts] == [(1, "applied"), (3, "applied")]
    parked = cursor.execute("SELECT received_at_position, waits_for, brings, reason FROM parked").fetchall()
    assert parked == [(2, None, None, "raised TypeError")]


def test_a_claim_that_a_rule_fails_on_is_parked_alone_and_changes_nothing() -> None:
    state = MemoryState()
    state.seed([ANN, POST])
    broken = Claim(position=1, stream="x", kind="no.such.kind", actor=ANN, object=POST)
    fine = Claim(position=2, stream="y", actor=ANN, verdict="duplicate")
    assert [one.position for one in walk([broken, fine], state)] == [2]
    assert state.parked[1].waits_for is None and state.parked[1].reason == "raised KeyError"
    assert not state.changed_known


def test_only_what_was_released_is_read_back_and_comes_with_its_body(cursor: psycopg.Cursor) -> None:
    log = log_of([received(ANN, create(POST, ANN)), fetched(ANN, actor(ANN))])
    asked: list[int] = []

    def read_back(positions: Sequence[int]) -> list[Recorded]:
        asked.extend(positions)
        return [log[position - 1] for position in positions]

    interpreter = Interpreter(OURS)
    assert interpreter.interpret(cursor, log[:1], read_back) == []
    account, post = interpreter.interpret(cursor, log[1:], read_back)
    assert asked == [1]
    assert (post.position, post.n, post.received_at_position) == (2, 1, 1)
    assert post.event is not None and post.event.html == "<p>hi</p>" and post.event.author == account.object


def test_a_released_body_that_can_t_be_read_any_more_stops_nothing(cursor: psycopg.Cursor) -> None:
    log = log_of([received(ANN, create(POST, ANN)), fetched(ANN, actor(ANN))])
    interpreter = Interpreter(OURS)
    interpreter.interpret(cursor, log[:1], lambda _: [])
    lost = Recorded(position=1, stream=log[0].stream, version=1, event=UnreadableEvent(reason="the key is gone"))
    _, post = interpreter.interpret(cursor, log[1:], lambda _: [lost])
    assert (post.verdict, post.event) == ("refused: its body can't be read", None)


def test_an_event_that_can_t_be_opened_is_parked_with_its_reason(cursor: psycopg.Cursor) -> None:
    sealed = Recorded(position=1, stream="remote:00", version=1, event=UnreadableEvent(reason="the key is gone"))
    assert Interpreter(OURS).interpret(cursor, [sealed], lambda _: []) == []
    assert cursor.execute("SELECT waits_for, reason FROM parked").fetchall() == [(None, "the key is gone")]


def test_a_key_that_was_not_looked_up_stops_the_line_and_is_never_poison() -> None:
    state = State()
    with pytest.raises(NotLookedUp):
        walk([Claim(position=1, stream="x", kind="post.published", actor=ANN, object=POST)], state)
    assert state.parked == {}
