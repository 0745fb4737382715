"""What the interpreter hands on: facts with their events complete, and ids for whatever is brought."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from adapters.interpreter.ids import MILLISECOND
from adapters.interpreter.interpret import Interpreter
from domain.account import AccountRegistered, ProfileChanged
from domain.post import PostPublished
from projections.fact import Fact
from projections.interpretation import TABLES
from tests.adapters.interpreter.peers import ANN, OURS, actor, at, create, fetched, log_of, received
from tests.database import Database

POST, REPLY = "https://good.test/n/1", "https://good.test/n/2"


@pytest.fixture
def cursor(database: Database) -> Iterator[psycopg.Cursor]:
    with psycopg.connect(database.owner) as connection, connection.cursor() as made:
        made.execute("CREATE SCHEMA read_1")
        made.execute("SET search_path TO read_1")
        made.execute(TABLES)
        yield made


def interpreted(cursor: psycopg.Cursor, *entries: tuple[str, Any]) -> list[Fact]:
    log = log_of(entries)
    return Interpreter(OURS).interpret(cursor, log, lambda positions: [log[position - 1] for position in positions])


def test_a_known_account_s_document_comes_as_a_changed_profile(cursor: psycopg.Cursor) -> None:
    facts = interpreted(cursor, fetched(ANN, actor(ANN)), fetched(ANN, actor(ANN, name="Ann")))
    first, second = (fact.event for fact in facts)
    assert isinstance(first, AccountRegistered) and isinstance(second, ProfileChanged)
    assert second.account == first.account and second.profile.display_name == "Ann"
    assert second.endpoints == first.endpoints


def test_a_reply_carries_the_id_of_its_parent_if_that_is_known_by_then(cursor: psycopg.Cursor) -> None:
    early = received(ANN, create("https://good.test/n/0", ANN, inReplyTo=POST))
    late = received(ANN, create(REPLY, ANN, inReplyTo=POST))
    _, before, parent, after = interpreted(
        cursor, fetched(ANN, actor(ANN)), early, received(ANN, create(POST, ANN)), late
    )
    assert isinstance(before.event, PostPublished) and before.event.in_reply_to is None
    assert isinstance(after.event, PostPublished) and after.event.in_reply_to == parent.object is not None


def test_what_the_frozen_extractor_can_t_read_gets_its_id_by_receipt(cursor: psycopg.Cursor) -> None:
    # One object in an array: the translator has learnt that, the extractor never will.
    body = create(POST, ANN)
    _, fact = interpreted(cursor, fetched(ANN, actor(ANN)), received(ANN, body | {"object": [body["object"]]}))
    assert fact.verdict == "applied" and fact.object is not None
    assert fact.object // MILLISECOND == int(at(2).timestamp()) * 1000
