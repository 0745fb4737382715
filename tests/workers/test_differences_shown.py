"""Differences as an operator reads them: in words, with their events, counted, and as JSON."""

import io
import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from adapters.codec import Codec
from adapters.differences import Difference, decisions_behind, differences
from adapters.postgres import generations
from adapters.postgres.generations import Generation
from adapters.postgres.reading_log import LogReader, Names
from domain.follow import FollowAccepted
from projections.catalogue import KEYS
from tests.adapters.interpreter import peers
from tests.adapters.interpreter.peers import ALICE, ANN, BEN, LOCAL
from tests.database import MASTER_KEY, Database
from tests.projections.histories import TimelineHistory
from tests.projections.projecting import new_generation, project_all, projector_of, write_log
from tests.projections.story import FIRST, Story
from workers.differences_shown import NOT_LOOKED_UP, Shown
from workers.differences_words import NAMED, difference_in_words

# One that reaches every table, as tests/projections/test_law.py sees to.
SEED, LENGTH = 20261121, 1_500
NOBODY = Names({}, {})


class Beside:
    """A live generation of a log, another one of the same, and what is printed of them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.live, self.replayed = self._projected(), self._projected()
        with psycopg.connect(database.owner, autocommit=True) as owner:
            generations.switch(owner, self.live)
        self.reader = LogReader(database.app, Codec(MASTER_KEY))

    def change(self, statement: str, *values: object, of: Generation | None = None) -> None:
        """Do something to the live tables, or to those of another generation."""
        schema = (of or self.live).schema
        with psycopg.connect(self.database.owner, options=f"-c search_path={schema}") as owner:
            assert owner.execute(statement.encode(), values or None).rowcount > 0

    def value(self, query: str) -> Any:
        """The first column of the first row."""
        with psycopg.connect(self.database.owner, options=f"-c search_path={self.live.schema}") as owner:
            row = owner.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]

    def printed(self, tables: list[str], *, most: int = 10, as_json: bool = False) -> list[str]:
        """What is shown of the differences of some tables, by line."""
        out = io.StringIO()
        shown = Shown(self.reader, most=most, as_json=as_json, out=out)
        with psycopg.connect(self.database.owner) as owner:
            shown.show(differences(owner, self.live, self.replayed, tables))
        return out.getvalue().splitlines()

    def decisions(self, *, as_json: bool = False) -> list[str]:
        """What is shown of the decisions behind facts that are others now."""
        out = io.StringIO()
        with psycopg.connect(self.database.owner) as owner:
            Shown(self.reader, most=10, as_json=as_json, out=out).show_decisions(
                decisions_behind(owner, self.live, self.replayed)
            )
        return out.getvalue().splitlines()

    def _projected(self) -> Generation:
        generation = new_generation(self.database)
        project_all(projector_of(self.database, generation), 500)
        return generation


ASKED = [
    peers.registered(ALICE),
    peers.fetched(ANN, peers.actor(ANN)),
    peers.received(ANN, peers.follow(ANN, ALICE, "f1")),
]


@pytest.fixture
def beside(database: Database) -> Iterator[Beside]:
    write_log(database, Story().log)
    made = Beside(database)
    yield made
    made.reader.close()


def test_every_table_has_words_that_name_its_own_columns(database: Database) -> None:
    write_log(database, TimelineHistory(SEED, LENGTH).log)
    beside = Beside(database)
    beside.reader.close()
    assert NAMED.keys() == KEYS.keys()
    with psycopg.connect(beside.database.owner) as owner:
        for table in KEYS:
            row = owner.execute(f"SELECT to_jsonb(t) FROM {beside.live.schema}.{table} t LIMIT 1".encode()).fetchone()
            assert row is not None, table
            for live, log in ((row[0], None), (None, row[0])):
                assert "{" not in difference_in_words(Difference(table, live, log), NOBODY), table


def test_a_row_that_is_missing_is_told_with_its_place_its_cause_and_the_event(beside: Beside) -> None:
    beside.change("DELETE FROM home WHERE owner = %s AND via = 'follow'", LOCAL[ALICE])
    assert beside.printed(["home"]) == [
        f"@u65536's home lacks {FIRST}, which came by following @ann@good.test",
        f"    event 7, 2026-05-01 00:00:07: @ann@good.test's Create of {FIRST} arrived by /inbox; verdict: applied",
        "home: 1 missing, by post.published",
    ]


def test_a_changed_row_is_told_from_what_to_what(beside: Beside) -> None:
    beside.change("UPDATE account_counts SET followers = 6 WHERE account = %s", LOCAL[ALICE])
    assert beside.printed(["account_counts"]) == [
        "the list of accounts' counters: of @u65536, followers is 6, and by the log 1",
        "    event 14, 2026-05-01 00:00:14: @u65536 accepted @ben@good.test, "
        f"who had asked by {BEN}/f1; verdict: applied",
        "account_counts: 1 changed in followers, by follow.accepted",
    ]


def test_at_most_as_many_as_asked_for_are_shown_and_all_are_counted(beside: Beside) -> None:
    beside.change("DELETE FROM home")
    lines = beside.printed(["home"], most=3)
    assert len([line for line in lines if " home lacks " in line]) == 3
    assert [line for line in lines if line.startswith("home: ")] == [
        "home: 4 missing, by post.published",
        "home: 1 missing, by post.boosted",
    ]


def test_as_json_each_difference_is_an_object_with_both_rows_and_its_events(beside: Beside) -> None:
    beside.change("UPDATE statuses SET deleted = 7 WHERE id = (SELECT max(id) FROM statuses WHERE deleted IS NULL)")
    different, counted = map(json.loads, beside.printed(["statuses"], as_json=True))
    assert (different["table"], different["difference"], different["columns"]) == ("statuses", "changed", ["deleted"])
    assert (different["live"]["deleted"], different["replayed"]["deleted"]) == (7, None)
    assert isinstance(different["live"]["id"], str), "JavaScript would round it"
    assert {"event", "as_of", "kind", "stream", "topic", "actor", "object", "said"} <= different["causes"][0].keys()
    assert different["causes"][0]["event"] == 7
    assert counted["rows"] == 1 and counted["cause"]


def test_a_decision_is_listed_when_the_request_that_it_answered_is_not_understood_any_more(database: Database) -> None:
    write_log(database, peers.log_of(ASKED))
    asked = Beside(database)
    asked.reader.close()
    ann = asked.value(f"SELECT id FROM accounts WHERE uri = '{ANN}'")
    accepted = FollowAccepted(follower=ann, followee=LOCAL[ALICE], request=f"{ANN}/f1")
    write_log(database, peers.log_of([peers.local(f"follow:{ann}:{LOCAL[ALICE]}", accepted)], start=4))
    beside = Beside(database)
    assert beside.decisions() == []
    beside.change("UPDATE facts SET verdict = 'refused: no' WHERE position = 3", of=beside.replayed)
    decided, premise, count = beside.decisions()
    assert decided.startswith("decided here: event 4") and premise.startswith("    leaning on event 3")
    assert count.startswith("1 decisions made here")
    (found,) = map(json.loads, beside.decisions(as_json=True))
    assert (found["decision"], found["premise"]) == (4, 3)
    beside.reader.close()


def test_what_has_no_event_looked_up_says_so(beside: Beside) -> None:
    out = io.StringIO()
    Shown(beside.reader, most=0, as_json=False, out=out).show([Difference("home", {"owner": 1}, None)])
    assert out.getvalue() == f"home: 1 extra, by {NOT_LOOKED_UP}\n"
