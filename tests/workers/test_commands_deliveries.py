"""`daybook deliveries`: an operator sees who can't be reached, and has them tried again at once."""

import json

import psycopg
import pytest

from adapters.postgres.outbox import enqueue
from tests.workers.operator import Operator

STATE = """
    SELECT h.state, h.failures, h.failing_days, h.last_error,
        h.next_at <= now(), h.not_before <= now(), d.due_at <= now()
    FROM app.delivery_hosts h JOIN app.deliveries d USING (host) WHERE host = %s
"""


@pytest.fixture
def failing(operator: Operator) -> Operator:
    """Two hosts that fail; a delivery waits for each."""
    with psycopg.connect(operator.url) as connection:
        inboxes = ["https://b.test/inbox", "https://c.test:8443/inbox"]
        enqueue(connection, activity_uri="http://here.test/1", sender=None, body=b"{}", inboxes=inboxes)
        connection.execute(
            "INSERT INTO app.delivery_hosts"
            " (host, state, failures, failing_days, failed_on, last_error, next_at, not_before)"
            " SELECT host, 'dead', 20, 7, '2026-11-20', 'answered 502', later, later"
            " FROM unnest(ARRAY['b.test', 'c.test:8443']) AS host, (SELECT now() + interval '7 days') AS t(later)"
        )
        connection.execute("UPDATE app.deliveries SET attempt = 5, due_at = now() + interval '12 hours'")
    return operator


def state(operator: Operator, host: str) -> tuple[object, ...] | None:
    with psycopg.connect(operator.url) as connection:
        return connection.execute(STATE, [host]).fetchone()


def test_hosts_that_fail_are_shown_with_why_and_what_waits(failing: Operator) -> None:
    found = [json.loads(line) for line in failing.says("deliveries", "hosts", "--json").splitlines()]
    assert [(one["host"], one["state"], one["waiting"], one["last_error"]) for one in found] == [
        ("b.test", "dead", 1, "answered 502"),
        ("c.test:8443", "dead", 1, "answered 502"),
    ]
    assert "c.test:8443" in failing.says("deliveries", "hosts")


def test_one_host_is_tried_again_and_the_others_left(failing: Operator) -> None:
    assert "b.test is tried now: 1 deliveries" in failing.says("deliveries", "retry", "B.test")
    assert state(failing, "b.test") == ("alive", 0, 0, None, True, True, True)
    assert state(failing, "c.test:8443") == ("dead", 20, 7, "answered 502", False, False, False)


def test_all_hosts_that_fail_are_tried_again_at_once(failing: Operator) -> None:
    failing.says("deliveries", "retry", "--all")
    assert state(failing, "c.test:8443") == ("alive", 0, 0, None, True, True, True)
    assert failing.says("deliveries", "hosts") == ""


def test_a_host_that_is_not_known_or_not_named_is_refused(failing: Operator) -> None:
    assert "Nothing was ever sent to x.test" in failing.refused("deliveries", "retry", "x.test")
    assert "Name hosts" in failing.refused("deliveries", "retry")
    assert "Name hosts" in failing.refused("deliveries", "retry", "b.test", "--all")
