"""Facts told again from their rows and the log: the same as when they were settled."""

from collections.abc import Sequence
from typing import Any

import msgspec
import psycopg
import pytest

from adapters.codec import Codec
from adapters.interpreter.claims import UnreadableEvent
from adapters.interpreter.interpret import Interpreter, ReadBack, Translated
from adapters.postgres.projecting import Projector
from adapters.retelling import COLUMNS, Retelling, Row, Untold, rows_of
from domain.block import AccountUnblocked
from domain.boost import PostUnboosted
from domain.events import Event
from domain.favourite import PostUnfavourited
from domain.ports import Recorded
from domain.post import PostPublished
from projections.catalogue import PROJECTIONS
from projections.fact import APPLIED, Fact
from tests.adapters.interpreter.peers import OURS
from tests.database import MASTER_KEY, Database
from tests.projections.histories import TimelineHistory
from tests.projections.projecting import new_generation, project_all, projector_of, write_log
from tests.projections.story import Story
from tests.seeds import new_seed

LENGTH = 1_500


class Remembering(Interpreter):
    """One that keeps what it settled."""

    def __init__(self) -> None:
        super().__init__(OURS)
        self.settled: list[Fact] = []

    def settle(self, cursor: psycopg.Cursor[Any], batch: Translated, read_back: ReadBack) -> list[Fact]:
        facts = super().settle(cursor, batch, read_back)
        self.settled += facts
        return facts


def settled_and_told(database: Database, log: Sequence[Recorded], size: int = 500) -> tuple[list[Fact], list[Fact]]:
    """What interpretation settled as applied, and the same told again, some at a time."""
    write_log(database, log)
    generation, interpreter = new_generation(database), Remembering()
    projector = Projector(database.app, generation, Codec(MASTER_KEY), interpreter, OURS, PROJECTIONS)
    project_all(projector, size)
    told: list[Fact] = []
    with psycopg.connect(database.owner, options=f"-c search_path={generation.schema}") as owner:
        cursor = owner.cursor()
        query = f"SELECT {COLUMNS} FROM facts f WHERE verdict = 'applied' ORDER BY position, n"
        rows = list(rows_of(cursor.execute(query.encode()).fetchall()))
        retelling = Retelling(OURS, lambda asked: [log[position - 1] for position in asked])
        for start in range(0, len(rows), 100):
            told += retelling.facts(cursor, rows[start : start + 100])
    return [fact for fact in interpreter.settled if fact.verdict == APPLIED], told


def without_what_no_table_reads(fact: Fact) -> Fact:
    """As it is when told again."""
    event: Event | None = fact.event
    if isinstance(event, PostPublished) and fact.because is not None:
        event = msgspec.structs.replace(event, in_reply_to=None)
    if isinstance(event, PostUnfavourited | AccountUnblocked) and fact.because is not None:
        event = msgspec.structs.replace(event, activity="")
    if isinstance(event, PostUnboosted) and fact.because is not None:
        event = msgspec.structs.replace(event, uri="")
    return msgspec.structs.replace(fact, event=event)


@pytest.mark.parametrize("seed", [20261121, new_seed("retelling")], ids=lambda seed: f"seed {seed}")
def test_facts_told_again_are_those_that_were_settled(database: Database, seed: int) -> None:
    settled, told = settled_and_told(database, TimelineHistory(seed, LENGTH).log)
    assert len(told) > LENGTH / 4
    for before, after in zip(settled, told, strict=True):
        assert after == without_what_no_table_reads(before)


def test_a_story_is_told_again_as_it_was(database: Database) -> None:
    settled, told = settled_and_told(database, Story().log)
    assert told == list(map(without_what_no_table_reads, settled))


def test_of_a_fetch_and_a_delivery_that_came_free_together_the_last_is_the_delivery(database: Database) -> None:
    write_log(database, Story().log)
    generation = new_generation(database)
    project_all(projector_of(database, generation), 500)
    with psycopg.connect(database.owner, options=f"-c search_path={generation.schema}") as owner:
        cursor = owner.cursor()
        query = f"SELECT {COLUMNS} FROM facts f JOIN statuses s ON s.id = f.object AND s.delivered = f.position "
        delivered = next(rows_of(cursor.execute((query + "ORDER BY f.position LIMIT 1").encode()).fetchall()))
        delivery = delivered._replace(n=delivered.n + 100, received_at_position=delivered.position - 1)
        fetched = delivered._replace(n=delivered.n + 99, received_at_position=delivered.position - 2)
        cursor.execute("DELETE FROM facts WHERE position = %s", [delivered.position])
        for row in (fetched, delivery):
            values = [*row, APPLIED]
            columns = COLUMNS.replace("f.", "") + ", verdict"
            places = ", ".join(["%s"] * len(values))
            cursor.execute(f"INSERT INTO facts ({columns}) VALUES ({places})".encode(), values)
        told = Retelling(OURS, lambda asked: []).outlines(cursor, [fetched, delivery])
    assert [fact.delivered for fact in told] == [False, True]


def test_what_can_not_be_read_any_more_is_not_told(database: Database) -> None:
    log = Story().log
    lost = next(recorded for recorded in log if isinstance(recorded.event, PostPublished))
    unread = Recorded(lost.position, lost.stream, lost.version, UnreadableEvent(reason="the key was destroyed"))
    row = Row(lost.position, 0, lost.position, lost.stream, "post.published", 1, 2, None)
    with psycopg.connect(database.owner) as owner, pytest.raises(Untold) as raised:
        Retelling(OURS, lambda asked: [unread]).facts(owner.cursor(), [row])
    assert str(raised.value) == f"event {lost.position} can't be read: the key was destroyed"
