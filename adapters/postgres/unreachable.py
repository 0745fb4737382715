"""Hosts that could not be reached, for an operator: which they are, and trying them again at once."""

from collections.abc import Iterable
from datetime import date
from typing import Final

import msgspec
import psycopg
from psycopg.rows import class_row

from adapters.postgres.outbox import CHANNEL

_FAILING: Final = """
    SELECT h.host, h.state, h.failures, h.failing_days, h.failed_on, h.last_error,
        (SELECT count(*) FROM app.deliveries d WHERE d.host = h.host)::int AS waiting
    FROM app.delivery_hosts h WHERE h.failures > 0 OR h.state = 'dead' ORDER BY waiting DESC, h.host
"""
# A host at a time: whoever locks several does so in an order of its own.
_ALIVE: Final = """
    UPDATE app.delivery_hosts SET failures = 0, failing_days = 0, failed_on = NULL, state = 'alive', last_error = NULL,
        not_before = '-infinity', next_at = now() WHERE host = %(host)s
"""
_DUE: Final = "UPDATE app.deliveries SET due_at = now() WHERE host = %(host)s AND attempt > 0"
_WAITING: Final = "SELECT count(*) FROM app.deliveries WHERE host = %(host)s"


class Unreachable(msgspec.Struct, frozen=True, kw_only=True):
    """A host that failed last time: how often in a row, on how many days, last on which, and how much waits for it."""

    host: str
    state: str
    failures: int
    failing_days: int
    failed_on: date | None
    last_error: str | None
    waiting: int


def unreachable(url: str) -> list[Unreachable]:
    """The hosts that failed last time or are given up, those first that most waits for. Raises DatabaseTrouble."""
    with psycopg.connect(url) as connection, connection.cursor(row_factory=class_row(Unreachable)) as cursor:
        return cursor.execute(_FAILING).fetchall()


def retry(url: str, hosts: Iterable[str]) -> dict[str, int]:
    """Forget the failures of these hosts and let all that waits for them be due; gives how much that is, by host.

    A host that nothing was ever sent to is left out. Raises DatabaseTrouble.
    """
    found: dict[str, int] = {}
    with psycopg.connect(url, autocommit=True) as connection:
        for host in hosts:
            with connection.transaction():
                if connection.execute(_ALIVE, {"host": host}).rowcount:
                    connection.execute(_DUE, {"host": host})
                    row = connection.execute(_WAITING, {"host": host}).fetchone()
                    found[host] = 0 if row is None else row[0]
        connection.execute("SELECT pg_notify(%s, '')", [CHANNEL])
    return found
