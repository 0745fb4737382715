"""Look-up and write: a fixed number of queries a batch, and nothing read that the batch can't need."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from adapters.activitypub.incoming import Translator
from adapters.interpreter.interpret import Interpreter
from adapters.interpreter.storage import look_up
from projections.interpretation import KEYS, TABLES
from tests.adapters.interpreter.histories import History
from tests.adapters.interpreter.peers import ANN, OURS, actor, create, fetched, log_of, received, update
from tests.database import Database

POST = "https://good.test/n/1"
CROWD = 300
# Look-ups 9 and parked ids 1, ids 3, writes 8; more only when a number is taken.
QUERIES_MAX = 23


class Counting(psycopg.Cursor[Any]):
    """A cursor that counts its queries."""

    queries = 0

    def execute(self, *given: Any, **more: Any) -> Any:
        self.queries += 1
        return super().execute(*given, **more)


@pytest.fixture
def cursor(database: Database) -> Iterator[Counting]:
    with psycopg.connect(database.owner, cursor_factory=Counting) as connection, connection.cursor() as made:
        made.execute("CREATE SCHEMA read_1")
        made.execute("SET search_path TO read_1")
        made.execute(TABLES)
        yield made


@pytest.mark.parametrize("size", [20, 400])
def test_a_batch_takes_a_fixed_number_of_queries(cursor: Counting, size: int) -> None:
    log = History(7, 1_200).log
    for start in range(0, len(log), size):
        cursor.queries = 0
        Interpreter(OURS).interpret(cursor, log[start : start + size], lambda ones: [log[one - 1] for one in ones])
        assert cursor.queries <= QUERIES_MAX


def test_what_only_names_an_unknown_post_does_not_load_the_crowd_that_waits_for_it(cursor: Counting) -> None:
    edits = [received(ANN, update(POST, ANN, f"2026-04-30T{number % 24:02}:00:00Z")) for number in range(CROWD)]
    log = log_of([fetched(ANN, actor(ANN)), *edits, edits[0], received(ANN, create(POST, ANN))])
    Interpreter(OURS).interpret(cursor, log[: CROWD + 1], lambda _: [])
    translate = Translator(OURS).translate
    assert look_up(cursor, [translate(log[-2])], []).parked == {}
    assert len(look_up(cursor, [translate(log[-1])], []).parked) == CROWD


def test_every_table_is_digested_in_the_order_of_its_own_key(cursor: Counting) -> None:
    query = """
        SELECT c.relname, array_agg(a.attname::text ORDER BY k.place)
        FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace s ON s.oid = c.relnamespace
        CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attribute, place)
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attribute
        WHERE i.indisprimary AND s.nspname = 'read_1' GROUP BY c.relname
    """
    assert {table: tuple(key) for table, key in cursor.execute(query)} == KEYS


def test_the_facts_of_a_follow_are_found_by_their_index(cursor: Counting) -> None:
    cursor.execute("SET enable_seqscan TO off")
    query = "EXPLAIN SELECT * FROM facts WHERE stream = 'follow:1:2' AND stream LIKE 'follow:%' ORDER BY position"
    assert "facts_of_follows" in "".join(row[0] for row in cursor.execute(query))
