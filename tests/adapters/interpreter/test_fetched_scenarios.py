"""What a fetched post comes to, before, after and without its delivery, one rule a test."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from adapters.interpreter.interpret import Interpreter
from domain.post import PostEdited, PostPublished
from projections.fact import Fact
from projections.interpretation import TABLES
from tests.adapters.interpreter.memory import Story
from tests.adapters.interpreter.peers import (
    ANN,
    BEN,
    OURS,
    act,
    actor,
    create,
    delete,
    fetched,
    log_of,
    note,
    received,
    update,
)
from tests.database import Database

POST = "https://good.test/n/1"
ANN_DOCUMENT, BEN_DOCUMENT = fetched(ANN, actor(ANN)), fetched(BEN, actor(BEN))
CREATE = received(ANN, create(POST, ANN))


def document(**more: Any) -> tuple[str, Any]:
    return fetched(POST, note(POST, ANN, **more))


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


def test_a_fetched_post_waits_for_its_author_and_releases_what_waits_for_it() -> None:
    story = Story(BEN_DOCUMENT, received(BEN, act("Like", BEN, POST, "l1")), document())
    assert story.waiting() == {2: POST, 3: ANN}
    assert story.tell(ANN_DOCUMENT) == ["applied", "applied", "applied"]
    assert [place[2] for place in story.places()[-3:]] == [4, 3, 2]


def test_a_fetched_post_is_published_but_not_delivered_and_its_delivery_publishes_it_again(
    cursor: psycopg.Cursor,
) -> None:
    _, fetch, delivery, repeat = interpreted(cursor, ANN_DOCUMENT, document(), CREATE, CREATE)
    assert (fetch.verdict, fetch.delivered, fetch.again) == ("applied", False, False)
    assert (delivery.verdict, delivery.delivered, delivery.again) == ("applied", True, True)
    assert isinstance(fetch.event, PostPublished) and isinstance(delivery.event, PostPublished)
    assert fetch.event.post == delivery.event.post == fetch.object == delivery.object
    assert repeat.verdict == "duplicate"


def test_a_fetched_post_that_waited_is_still_no_delivery(cursor: psycopg.Cursor) -> None:
    _, post = interpreted(cursor, document(), ANN_DOCUMENT)
    assert (post.verdict, post.delivered, post.received_at_position) == ("applied", False, 1)
    assert isinstance(post.event, PostPublished) and post.event.html == "<p>hi</p>"


def test_a_document_of_what_was_delivered_is_a_repeat_unless_it_is_newer(cursor: psycopg.Cursor) -> None:
    newer = document(updated="2026-04-30T15:00:00Z", content="<p>new</p>", summary="cw")
    _, _, same, edit, again, late = interpreted(
        cursor, ANN_DOCUMENT, CREATE, document(), newer, newer, received(ANN, update(POST, ANN))
    )
    assert (same.verdict, again.verdict) == ("duplicate", "duplicate")
    assert (edit.kind, edit.verdict, edit.delivered) == ("post.edited", "applied", False)
    assert isinstance(edit.event, PostEdited)
    assert (edit.event.html, edit.event.spoiler_text, edit.event.edited_at.hour) == ("<p>new</p>", "cw", 15)
    assert (edit.event.post, edit.event.author) == (edit.object, edit.actor)
    assert late.verdict == "refused: older than what is known"


def test_a_newer_document_that_waited_is_an_edit_all_the_same(cursor: psycopg.Cursor) -> None:
    newer = document(updated="2026-04-30T15:00:00Z", content="<p>new</p>")
    _, _, edit = interpreted(cursor, CREATE, newer, ANN_DOCUMENT)
    assert (edit.kind, edit.verdict) == ("post.edited", "applied")
    assert isinstance(edit.event, PostEdited) and edit.event.html == "<p>new</p>"


def test_a_fetch_never_brings_back_what_was_deleted() -> None:
    story = Story(ANN_DOCUMENT, CREATE, received(ANN, delete(POST, ANN)))
    assert story.tell(document(updated="2026-04-30T15:00:00Z")) == ["duplicate"]
    story = Story(ANN_DOCUMENT, received(ANN, delete(POST, ANN)))
    assert story.tell(document(), CREATE) == ["refused: deleted before it came", "duplicate"]


def test_a_document_that_names_another_author_than_was_known_changes_nothing() -> None:
    story = Story(ANN_DOCUMENT, BEN_DOCUMENT, CREATE)
    assert story.tell(fetched(POST, note(POST, BEN, updated="2026-04-30T15:00:00Z"))) == ["refused: not the owner"]


def test_a_fetched_post_s_reach_is_known_too() -> None:
    story = Story(ANN_DOCUMENT, BEN_DOCUMENT, document(to=[f"{ANN}/followers"]))
    assert story.tell(received(BEN, act("Announce", BEN, POST, "b1"))) == ["refused: not for passing on"]
