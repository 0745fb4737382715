"""The outbox: what is enqueued once is there once, in one transaction with whatever else its caller wrote."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from adapters.postgres.outbox import CHANNEL, alive_again, enqueue, reached, withdraw
from tests.database import Database

POST = "https://here.test/ap/users/1/statuses/7"
CREATE = f"{POST}/activity"
BOB, CAROL, SHARED = "https://b.test/bob/inbox", "https://c.test:8443/carol/inbox", "https://b.test/inbox"


@pytest.fixture
def session(database: Database) -> Iterator[psycopg.Connection[Any]]:
    """What the reactor has: a connection of the application's role, in a transaction."""
    with psycopg.connect(database.app) as connection:
        yield connection


def rows(session: psycopg.Connection[Any]) -> list[Any]:
    return session.execute("""
        SELECT d.host, i.url, a.uri, a.sender, a.body FROM app.deliveries d
        JOIN app.inboxes i ON i.id = d.inbox JOIN app.outbox_activities a ON a.id = d.activity ORDER BY d.id
    """).fetchall()


def put(session: psycopg.Connection[Any], *inboxes: str, uri: str = CREATE, **more: Any) -> int:
    return enqueue(session, **{"activity_uri": uri, "sender": 1, "body": b"{}", "inboxes": inboxes, **more})


def test_each_inbox_gets_a_row_beside_its_authority(session: psycopg.Connection[Any]) -> None:
    assert put(session, BOB, CAROL, body=b'{"id":1}') == 2
    assert rows(session) == [
        ("b.test", BOB, CREATE, 1, b'{"id":1}'),
        ("c.test:8443", CAROL, CREATE, 1, b'{"id":1}'),
    ]


def test_an_inbox_named_twice_or_in_two_spellings_gets_one(session: psycopg.Connection[Any]) -> None:
    assert put(session, BOB, BOB, "https://B.test:443/bob/inbox", f"{BOB}#main") == 1


def test_enqueuing_again_changes_nothing(session: psycopg.Connection[Any]) -> None:
    put(session, BOB)
    assert put(session, BOB, CAROL, body=b"other") == 0
    assert rows(session) == [("b.test", BOB, CREATE, 1, b"{}")]


def test_enqueuing_again_after_all_was_delivered_sends_nothing_anew(session: psycopg.Connection[Any]) -> None:
    put(session, BOB)
    session.execute("DELETE FROM app.deliveries")
    assert put(session, BOB) == 0 and rows(session) == []


def test_two_who_enqueue_the_same_at_once_enqueue_it_once(session: psycopg.Connection[Any], database: Database) -> None:
    put(session, BOB, CAROL)
    with psycopg.connect(database.app, autocommit=True) as other, ThreadPoolExecutor() as threads:
        second = threads.submit(put, other, BOB, CAROL)
        session.commit()
        assert second.result(20) == 0
        assert len(rows(other)) == 2


def test_the_instance_s_own_actor_is_no_sender(session: psycopg.Connection[Any]) -> None:
    put(session, BOB, sender=None)
    assert rows(session) == [("b.test", BOB, CREATE, None, b"{}")]


def test_what_is_no_inbox_for_everybody_is_left_out(session: psycopg.Connection[Any]) -> None:
    assert put(session, "acct:bob@b.test", "https://u:p@b.test/inbox", "", "https://b.test/ inbox", BOB) == 1


def test_nobody_to_send_to_is_nothing_to_do(session: psycopg.Connection[Any]) -> None:
    assert put(session) == 0
    assert session.execute("SELECT count(*) FROM app.reached").fetchone() == (0,)


def test_an_object_reached_whom_it_was_ever_sent_to(session: psycopg.Connection[Any]) -> None:
    put(session, BOB, SHARED, object_uri=POST)
    put(session, SHARED, CAROL, uri=f"{POST}#updates/1", object_uri=POST)
    put(session, "https://d.test/inbox", uri="https://here.test/follow/1")
    session.execute("DELETE FROM app.deliveries")
    assert reached(session, POST) == [BOB, SHARED, CAROL]
    assert reached(session, f"{POST}0") == []


def test_listeners_hear_of_it_when_it_is_committed_and_not_before(
    session: psycopg.Connection[Any], database: Database
) -> None:
    with psycopg.connect(database.app, autocommit=True) as listener:
        listener.execute(f"LISTEN {CHANNEL}")
        put(session, BOB)
        assert list(listener.notifies(timeout=0)) == []
        session.commit()
        assert [note.channel for note in listener.notifies(timeout=20, stop_after=1)] == [CHANNEL]


def test_what_is_rolled_back_was_never_enqueued(session: psycopg.Connection[Any]) -> None:
    put(session, BOB, object_uri=POST)
    session.rollback()
    assert rows(session) == [] and reached(session, POST) == []


def test_a_cursor_does_as_well(session: psycopg.Connection[Any]) -> None:
    with session.cursor() as cursor:
        assert enqueue(cursor, activity_uri=CREATE, sender=1, body=b"", inboxes=[BOB], object_uri=POST) == 1
        assert reached(cursor, POST) == [BOB]


def test_what_is_withdrawn_is_its_sender_s_and_about_that_object_alone(session: psycopg.Connection[Any]) -> None:
    put(session, BOB, CAROL, object_uri=POST)
    put(session, BOB, uri=f"{POST}#updates/1", object_uri=POST)
    kept = [f"{POST}0/activity", "https://here.test/likes/1", "https://here.test/follow/1"]
    put(session, BOB, uri=kept[0], object_uri=f"{POST}0")
    put(session, BOB, uri=kept[1], object_uri=POST, sender=2)
    put(session, BOB, uri=kept[2])
    assert withdraw(session, POST, 1) == 3
    assert withdraw(session, POST, 1) == 0 and withdraw(session, "https://here.test/never", 1) == 0
    assert [row[2] for row in rows(session)] == kept
    assert put(session, *reached(session, POST), uri=f"{POST}#delete", object_uri=POST) == 2


def test_withdrawing_waits_for_no_deliverer_that_settles(session: psycopg.Connection[Any], database: Database) -> None:
    """Each would wait for what the other has locked already."""
    put(session, BOB, CAROL, SHARED, object_uri=POST)
    session.commit()
    with psycopg.connect(database.app) as deliverer:
        deliverer.execute("UPDATE app.deliveries SET attempt = 1 WHERE host = 'c.test:8443'")
        session.execute("SET LOCAL lock_timeout = '2s'")
        assert withdraw(session, POST, 1) == 2
        session.commit()
        deliverer.commit()
    assert [row[1] for row in rows(session)] == [CAROL]


def test_a_sign_of_life_ends_what_failures_brought(session: psycopg.Connection[Any]) -> None:
    session.execute("""
        INSERT INTO app.delivery_hosts (host, state, failures, failing_days, not_before)
        VALUES ('b.test', 'dead', 9, 7, now() + interval '7 days'), ('c.test', 'alive', 0, 0, '-infinity')
    """)
    assert alive_again(session, "https://b.test/bob#main-key")
    assert not alive_again(session, "https://b.test/bob#main-key")
    assert not alive_again(session, "https://c.test/carol") and not alive_again(session, "nonsense")
    assert (
        session.execute("SELECT state, failures, failing_days FROM app.delivery_hosts").fetchall()
        == [("alive", 0, 0)] * 2
    )
