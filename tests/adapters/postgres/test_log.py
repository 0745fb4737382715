"""The log keeps the library's recorder contracts, and its own promises: dense, whole, once, append-only."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import ClassVar

import psycopg
import pytest
from eventsourcing.persistence import IntegrityError, StoredEvent
from eventsourcing.tests.persistence import ApplicationRecorderTestCase, NonInterleavingNotificationIDsBaseCase

from adapters.codec import Sealed
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.postgres.log import LogRecorder
from adapters.postgres.writer import GroupWriter, NewEvent
from tests.database import Database, clone


class _OnOurDatabase:
    """Gives the library's test cases a recorder on a database of their own; our stream names are strings."""

    server: ClassVar[EmbeddedPostgres]
    template: ClassVar[str]
    names: ClassVar[Iterator[int]] = count(1)

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _server(cls, postgres_server: EmbeddedPostgres, database_template: str) -> None:
        cls.server, cls.template = postgres_server, database_template

    def new_originator_id(self) -> str:
        return f"stream-{next(self.names)}"

    def create_recorder(self) -> LogRecorder:
        database = clone(self.server.dsn, self.template)
        recorder = LogRecorder(database.app)
        self.addCleanup(database.drop)
        self.addCleanup(recorder.close)
        return recorder


class TestLibraryContract(_OnOurDatabase, ApplicationRecorderTestCase[LogRecorder]):
    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestLibraryOrder(_OnOurDatabase, NonInterleavingNotificationIDsBaseCase):
    pass


@pytest.fixture
def log(database: Database) -> Iterator[LogRecorder]:
    recorder = LogRecorder(database.app)
    yield recorder
    recorder.close()


def event(stream: str, version: int, state: bytes = b"state") -> StoredEvent:
    return StoredEvent(originator_id=stream, originator_version=version, topic="topic", state=state)


def new(stream: str, version: int | None, once: bytes | None = None, signature: bytes | None = None) -> NewEvent:
    return NewEvent(stream, version, Sealed("topic", b"state", b"key"), once, signature)


def test_a_tailing_reader_misses_nothing_under_eight_writers_and_a_slow_transaction(
    log: LogRecorder, database: Database
) -> None:
    writers, each = 8, 125
    seen: list[int] = []
    done = threading.Event()

    def read() -> None:
        while not (done.is_set() and len(seen) == writers * each * 50):
            batch = log.select_notifications(seen[-1] if seen else None, 1_000, inclusive_of_start=not seen)
            seen.extend(notification.id for notification in batch)
            if done.is_set() and not batch:
                break

    def write(writer: int) -> None:
        recorder = LogRecorder(database.app)
        for command in range(each):
            recorder.insert_events([event(f"w{writer}-{command}", version) for version in range(1, 51)])
        recorder.close()

    def hold_the_head() -> None:
        with psycopg.connect(database.owner) as slow:
            slow.execute("SELECT * FROM log.append('{0}','{slow}','{1}','{t}','{s}','{k}','{null}','{null}')")
            slow.execute("SELECT pg_sleep(0.5)")  # the transaction is slow, not the test: writers queue behind it

    reader = threading.Thread(target=read)
    reader.start()
    with ThreadPoolExecutor(writers + 1) as pool:
        slow = pool.submit(hold_the_head)
        list(pool.map(write, range(writers)))
        slow.result()
    done.set()
    reader.join()
    assert seen == list(range(1, writers * each * 50 + 2))


def test_of_two_commands_racing_on_one_stream_in_one_group_one_is_whole_and_the_other_refused_whole(
    database: Database,
) -> None:
    with psycopg.connect(database.app) as connection:
        row = connection.execute(
            "SELECT outcomes, positions FROM log.append(%s::int[], %s::text[], %s::bigint[], %s::text[], %s::bytea[],"
            " %s::bytea[], %s::bytea[], %s::bytea[])",
            [
                [0, 0, 1, 1],
                ["a", "a", "b", "a"],
                [1, 2, 1, 2],
                ["t"] * 4,
                [b"s"] * 4,
                [b"k"] * 4,
                [None] * 4,
                [None] * 4,
            ],
        ).fetchone()
        stored = connection.execute("SELECT originator_id, originator_version FROM log.events").fetchall()
        assert row == (["stored", "stored", "conflict", "conflict"], [1, 2, None, None])
        assert stored == [("a", 1), ("a", 2)]


def test_positions_stay_dense_when_commands_are_refused(log: LogRecorder) -> None:
    log.insert_events([event("a", 1)])
    with pytest.raises(IntegrityError):
        log.insert_events([event("b", 1), event("a", 1)])
    assert log.insert_events([event("c", 1)]) == [2]
    assert log.select_events("b") == []


def test_the_other_entry_gives_the_next_version_of_a_stream(log: LogRecorder) -> None:
    assert log.append_next(event("s", 0)) == (1, 1)
    assert log.append_next(event("s", 0)) == (2, 2)
    log.insert_events([event("t", 7)])
    assert log.append_next(event("t", 0)) == (4, 8)


def test_two_next_events_of_one_stream_in_one_group_follow_each_other(database: Database) -> None:
    with psycopg.connect(database.app) as connection:
        row = connection.execute(
            "SELECT versions, positions FROM log.append('{0,1}','{s,s}','{null,null}','{t,t}','{a,b}','{k,k}',"
            "'{null,null}','{null,null}')"
        ).fetchone()
    assert row == ([1, 2], [1, 2])


def test_what_may_stand_once_stands_once_and_a_seen_signature_is_a_replay(database: Database) -> None:
    writer = GroupWriter(database.app)
    first = writer.submit([new("s", None, once=b"content", signature=b"sig-1")]).result()
    copied = writer.submit([new("s", None, once=b"content", signature=b"sig-2")]).result()
    replayed = writer.submit([new("s", None, once=b"content", signature=b"sig-1")]).result()
    other = writer.submit([new("s", None, once=b"other content", signature=b"sig-3")]).result()
    writer.close()
    outcomes = [answer.outcome for answer in (first, copied, replayed, other)]
    assert outcomes == ["stored", "repeated", "replayed", "stored"]
    assert other.positions == (2,)


def test_content_is_known_again_for_a_million_events_at_least_and_taken_as_new_three_eras_later(
    database: Database,
) -> None:
    def appended_at(head: int) -> str:
        with psycopg.connect(database.owner) as owner:
            owner.execute("UPDATE log.head SET position = %s", [head])
        return writer.submit([new("s", None, once=b"content")]).result().outcome

    writer, era = GroupWriter(database.app), 2**19
    assert [appended_at(head) for head in (era - 2, 3 * era - 1, 3 * era)] == ["stored", "repeated", "stored"]
    writer.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE log.events SET topic = 'x'",
        "DELETE FROM log.events",
        "TRUNCATE log.events",
        "DROP TRIGGER append_only ON log.events",
        "ALTER TABLE log.events DISABLE TRIGGER append_only",
        "UPDATE log.head SET position = 0",
        "DROP TABLE log.events",
        "DELETE FROM keys.event_keys",
    ],
)
def test_the_application_role_cannot_change_the_log(log: LogRecorder, database: Database, statement: str) -> None:
    log.insert_events([event("a", 1)])
    with psycopg.connect(database.app) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())


@pytest.mark.parametrize(
    "statement", ["UPDATE log.events SET topic = 'x'", "DELETE FROM log.events", "TRUNCATE log.events"]
)
def test_even_the_owner_is_stopped_by_the_trigger(log: LogRecorder, database: Database, statement: str) -> None:
    log.insert_events([event("a", 1)])
    with psycopg.connect(database.owner) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())


def test_a_group_cut_off_by_a_lost_connection_is_stored_exactly_once(log: LogRecorder, database: Database) -> None:
    log.insert_events([event("before", 1)])
    with psycopg.connect(database.owner, autocommit=True) as owner:
        owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'daybook log'")
    assert log.insert_events([event("after", 1)]) == [2]
    assert log.max_notification_id() == 2


def test_an_append_reads_only_what_it_asks_for_in_a_log_that_was_never_analysed(database: Database) -> None:
    groups, each = 60, 8
    with psycopg.connect(database.owner, autocommit=True) as owner:
        for group in range(groups):
            names = [f"{group}-{number}" for number in range(each)]
            keys = [name.encode() for name in names]
            owner.execute(
                "SELECT FROM log.append(%b::int[], %b::text[], %b::bigint[], %b::text[], %b::bytea[], %b::bytea[],"
                " %b::bytea[], %b::bytea[])",
                [list(range(each)), names, [1] * each, ["t"] * each, keys, keys, keys, keys],
            )
        owner.execute("SELECT pg_stat_force_next_flush()")
        read = owner.execute(
            "SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables"
            " WHERE relname IN ('events', 'signatures') ORDER BY relname"
        ).fetchall()
    assert all(rows <= groups * each for _, rows in read), read


def test_each_event_has_its_key_in_a_schema_of_its_own_and_its_digest_beside_it(database: Database) -> None:
    writer = GroupWriter(database.app)
    writer.submit([new("s", 1)]).result()
    writer.close()
    with psycopg.connect(database.app) as connection:
        row = connection.execute(
            "SELECT wrapped_key, digest = sha256(state) FROM keys.event_keys"
            " JOIN log.events ON notification_id = position"
        ).fetchone()
    assert row == (b"key", True)
