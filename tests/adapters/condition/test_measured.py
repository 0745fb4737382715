"""What is measured is what stands in PostgreSQL, and one thing that can't be measured hides no other."""

import psycopg
import pytest

from adapters.condition.measured import Measured, asking, judged, measure
from adapters.config import Settings
from adapters.first_account import prepare_database
from adapters.postgres.outbox import enqueue
from tests.database import MASTER_KEY, Database

pytestmark = pytest.mark.anyio


@pytest.fixture
def prepared(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Database:
    """With read models, which nothing is projected into."""
    data = tmp_path_factory.mktemp("data")
    prepare_database(
        Settings(data=data, database_url=database.owner, database_app_url=database.app, master_key=MASTER_KEY.hex())
    )
    return database


async def of(url: str) -> Measured:
    async with asking(url) as connection:
        return await measure(connection)


def states(measured: Measured) -> dict[str, str]:
    return {finding.check: finding.state for finding in judged(measured)}


def sql(database: Database, *statements: str) -> None:
    with psycopg.connect(database.owner, autocommit=True) as owner:
        for statement in statements:
            owner.execute(statement.encode())


async def test_parked_events_are_counted_by_why_and_told_by_the_last_of_each_kind(prepared: Database) -> None:
    sql(
        prepared,
        "UPDATE app.generations SET status = 'live'",
        "INSERT INTO read_1.parked (received_at_position, waits_for, brings, claim, reason) VALUES"
        " (1, 'https://b.test/1', NULL, '', 'waits'), (2, 'https://b.test/2', NULL, '', 'waits'),"
        " (3, 'https://c.test/1', NULL, '', 'waits'), (4, NULL, NULL, '', 'ValueError: of one'),"
        " (9, NULL, NULL, '', 'ValueError: of another'), (5, NULL, NULL, '', 'KeyError: x')",
    )
    reading = (await of(prepared.app)).reading
    assert reading is not None
    assert (reading.waiting, reading.poisoned, reading.oldest_waiting) == (3, 3, 1)
    assert [(one.reason, one.count, one.last_position) for one in reading.poison] == [
        ("ValueError", 2, 9),
        ("KeyError", 1, 5),
    ]
    assert list(reading.awaited) == [("b.test", 2), ("c.test", 1)]


async def test_deliveries_and_the_hosts_that_fail_are_counted(prepared: Database) -> None:
    with psycopg.connect(prepared.app) as connection:
        for number in range(3):
            enqueue(
                connection,
                activity_uri=f"http://here.test/{number}",
                sender=None,
                body=b"{}",
                inboxes=["https://b.test/inbox", "https://c.test/inbox"],
            )
    sql(
        prepared,
        "INSERT INTO app.delivery_hosts (host, state, failures, failing_days, failed_on, last_error, next_at) VALUES"
        " ('b.test', 'dead', 20, 7, '2026-11-20', 'answered 502', now() + interval '1 day'),"
        " ('c.test', 'alive', 0, 0, NULL, NULL, now() - interval '1 hour'),"
        " ('d.test', 'alive', 1, 1, '2026-11-25', 'no route', 'infinity')",
        "UPDATE app.deliveries SET attempt = 3 WHERE host = 'b.test'",
        "UPDATE app.deliveries SET due_at = now() - interval '1 hour' WHERE host = 'c.test'",
        "UPDATE app.outbox_activities SET created_at = now() - interval '2 days' WHERE uri LIKE '%/0'",
    )
    sending = (await of(prepared.app)).sending
    assert sending is not None
    assert (sending.backlog, sending.retried, sending.late_hosts, sending.dead_hosts) == (6, 3, 1, 1)
    assert sending.oldest_s is not None and 2 * 86_400 <= sending.oldest_s < 3 * 86_400
    assert sending.untried_s is not None and 3_600 <= sending.untried_s < 7_200
    assert [(one.host, one.waiting) for one in sending.worst] == [("b.test", 3), ("d.test", 0)]
    assert sending.worst[1].next_in_s is None


async def test_jobs_and_the_schedule_are_measured_by_the_databases_clock(prepared: Database) -> None:
    sql(
        prepared,
        "INSERT INTO app.jobs (kind, subject, payload, lane, due_at, attempts, last_error, leased_until, given_up_at)"
        " VALUES ('fetch', 'a', '{}', 'x', now() - interval '10 min', 0, NULL, NULL, NULL),"
        " ('fetch', 'b', '{}', 'x', now() - interval '20 min', 1, NULL, now() + interval '1 min', NULL),"
        " ('fetch', 'c', '{}', 'x', now() + interval '20 min', 2, 'FetchError: x', NULL, NULL),"
        " ('thread', 'd', '{}', 'x', now(), 8, 'FetchError: y', NULL, now())",
        "INSERT INTO app.schedule (name, last_run, every) VALUES ('end mutes', now() - interval '1 hour', '30 s'),"
        " ('backup', now() - interval '3 hours', NULL)",
    )
    measured = await of(prepared.app)
    working = measured.working
    assert working is not None
    assert (working.open, working.failing, working.given_up) == (3, 1, 1)
    assert working.late_s is not None and 600 <= working.late_s < 1_200
    assert {one.name: one.is_late for one in working.runs} == {"end mutes": True, "backup": False}
    assert measured.backup_ago_s is not None and 10_800 <= measured.backup_ago_s < 14_400


async def test_who_owns_the_log_and_whether_its_trigger_stands_is_told(prepared: Database) -> None:
    assert states(await of(prepared.app))["rights"] == "ok"
    assert states(await of(prepared.owner))["rights"] == "warning"
    sql(prepared, "ALTER TABLE log.events DISABLE TRIGGER append_only")
    assert states(await of(prepared.app))["rights"] == "wrong"
    sql(prepared, "ALTER TABLE log.events ENABLE TRIGGER append_only", "GRANT UPDATE ON log.events TO daybook_test_app")
    assert states(await of(prepared.app))["rights"] == "wrong"


async def test_processes_that_are_connected_are_seen_and_others_missed(prepared: Database) -> None:
    missing = {"projection", "reactor", "deliveries", "jobs", "schedule"}
    found = states(await of(prepared.app))
    assert {check for check in missing if found[check] == "wrong"} == missing
    with (
        psycopg.connect(prepared.app, application_name="daybook project read_1"),
        psycopg.connect(prepared.app, application_name="daybook deliver"),
    ):
        measured = await of(prepared.app)
    assert measured.reading is not None and measured.reading.projectors == 1
    assert states(measured)["deliveries"] == "ok"


async def test_what_takes_room_is_told_apart(prepared: Database) -> None:
    used = (await of(prepared.app)).used
    assert used is not None
    assert set(used.parts) == {"log", "keys", "app", "read models", "rest"} and min(used.parts.values()) > 0


async def test_what_can_not_be_measured_is_said_and_hides_nothing_else(prepared: Database) -> None:
    sql(prepared, "DROP TABLE app.jobs", "REVOKE SELECT ON app.refusals FROM daybook_test_app")
    measured = await of(prepared.app)
    assert set(measured.unknown) == {"jobs", "refused at the door"}
    assert measured.sending is not None and measured.used is not None
    found = {finding.check: finding for finding in judged(measured)}
    assert found["jobs"].state == "wrong" and "does not exist" in found["jobs"].what


async def test_a_database_that_was_never_set_up_is_told_by_its_migrations(prepared: Database) -> None:
    url = prepared.maintenance
    measured = await of(url)
    assert measured.rights is None
    found = {finding.check: finding for finding in judged(measured)}
    assert found["migrations"].state == "wrong" and "daybook migrate" in found["migrations"].todo


async def test_who_threw_read_models_away_is_told_what_makes_them_anew(prepared: Database) -> None:
    sql(prepared, "UPDATE app.generations SET status = 'live'", "DROP SCHEMA read_1 CASCADE")
    (found,) = [finding for finding in judged(await of(prepared.app)) if finding.check == "read models"]
    assert found.state == "wrong" and "`daybook replay` makes them" in found.todo
