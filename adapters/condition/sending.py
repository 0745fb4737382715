"""What is to be sent: how much waits and since when, and the hosts that can't be reached."""

from collections.abc import Sequence
from datetime import date
from typing import Final

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from adapters.condition.finding import Finding, ok, span, warning, wrong
from adapters.postgres.deliveries import DEAD_PAUSE_DAYS, KEPT_DAYS

COUNTED_MAX: Final = 1_000_000
HOSTS_SHOWN_MAX: Final = 5
LATE_S_MAX: Final = 3_600.0
# What never was tried is due at once: so long it waits when nobody sends, or not fast enough.
UNTRIED_S_MAX: Final = 600.0
DELIVERER: Final = "daybook deliver"
ERROR_SHOWN_MAX: Final = 80

# Numbers are given out in order, so that the first activity of any delivery left is about the oldest.
_BACKLOG: Final = """
    SELECT (SELECT count(*) FROM (SELECT FROM app.deliveries LIMIT %(most)s) AS sample),
        (SELECT count(*) FROM (SELECT FROM app.deliveries WHERE attempt > 0 LIMIT %(most)s) AS tried),
        (SELECT extract(epoch FROM now() - a.created_at)::float8 FROM app.outbox_activities a
            WHERE a.id = (SELECT min(activity) FROM app.deliveries)),
        (SELECT extract(epoch FROM now() - min(due_at))::float8 FROM (
            SELECT d.due_at FROM app.delivery_hosts h
            JOIN app.deliveries d ON d.host = h.host AND d.attempt = 0
            WHERE h.failures = 0 AND h.next_at <= now() ORDER BY h.next_at LIMIT 100) AS untried)
"""
_HOSTS: Final = """
    SELECT count(*) FILTER (WHERE state = 'alive'), count(*) FILTER (WHERE state = 'dead')
    FROM app.delivery_hosts WHERE failures > 0 OR state = 'dead'
"""
_WORST: Final = """
    SELECT h.host, h.state, h.failures, h.failing_days, h.failed_on, h.last_error,
        extract(epoch FROM nullif(nullif(h.next_at, 'infinity'), '-infinity') - now())::float8,
        (SELECT count(*) FROM app.deliveries d WHERE d.host = h.host) AS waiting
    FROM app.delivery_hosts h WHERE h.failures > 0 OR h.state = 'dead'
    ORDER BY waiting DESC, h.failing_days DESC, h.host LIMIT %(shown)s
"""


class Unreachable(msgspec.Struct, frozen=True):
    """A host that failed last time: how often in a row, on how many days, last on which, when it is tried next."""

    host: str
    state: str
    failures: int
    failing_days: int
    failed_on: date | None
    last_error: str | None
    next_in_s: float | None
    waiting: int


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries left (counted up to a million), those tried before, the age of the oldest, how long the oldest of
    those that were never tried and could be is due; hosts that fail and hosts that are given up, the worst by name.
    """

    backlog: int
    retried: int
    oldest_s: float | None
    untried_s: float | None
    late_hosts: int
    dead_hosts: int
    worst: Sequence[Unreachable]
    deliverers: int


async def sending(connection: AsyncConnection[TupleRow], running: dict[str, int]) -> Sending:
    """Measure the outbox. Raises psycopg.Error."""
    backlog = await (await connection.execute(_BACKLOG, {"most": COUNTED_MAX})).fetchone()
    hosts = await (await connection.execute(_HOSTS)).fetchone()
    worst = await (await connection.execute(_WORST, {"shown": HOSTS_SHOWN_MAX})).fetchall()
    assert backlog is not None and hosts is not None, "counting always answers"
    return Sending(
        backlog=backlog[0],
        retried=backlog[1],
        oldest_s=backlog[2],
        untried_s=backlog[3],
        late_hosts=hosts[0],
        dead_hosts=hosts[1],
        worst=[Unreachable(*row) for row in worst],
        deliverers=running.get(DELIVERER, 0),
    )


def judge_deliveries(found: Sending) -> Finding:
    """Whether what is to be sent is being sent."""
    check = "deliveries"
    left = f"{found.backlog:,}{'+' if found.backlog >= COUNTED_MAX else ''} deliveries are left to do"
    since = "" if found.oldest_s is None else f", the oldest {span(found.oldest_s)} old"
    if not found.deliverers:
        what = f"Nobody delivers: {left}{since}."
        return wrong(check, what, "Start `daybook behind` (or `daybook up`, or `daybook deliver`).")
    if found.untried_s is not None and found.untried_s > UNTRIED_S_MAX:
        what = f"{left}{since}; some are due for {span(found.untried_s)} and were never tried."
        return warning(check, what, "Start another `daybook deliver`, and look at this machine's CPU and uplink.")
    return ok(check, f"{left}{since} ({found.retried:,} tried before)." if found.backlog else "All is delivered.")


def judge_hosts(found: Sending) -> Finding:
    """Whether some hosts can't be reached."""
    check = "hosts"
    if not found.late_hosts and not found.dead_hosts:
        return ok(check, "Every host was reached when it was tried last.")
    numbers = f"{found.late_hosts:,} hosts fail and {found.dead_hosts:,} are given up"
    which = "; ".join(map(_told, found.worst))
    todo = (
        f"Most come back by themselves: what waits is sent for {KEPT_DAYS} days, a host that was given up is tried "
        f"every {DEAD_PAUSE_DAYS} days and whenever it sends something. To try one at once: "
        "`daybook deliveries retry HOST`. If nearly all fail, look at this machine's DNS and uplink."
    )
    waits = any(one.waiting for one in found.worst)
    return warning(check, f"{numbers}: {which}.", todo) if waits else ok(check, f"{numbers}; nothing waits for them.")


def _told(host: Unreachable) -> str:
    since = f"failing on {host.failing_days} days until {host.failed_on}" if host.failing_days else "failing now"
    error = (host.last_error or "no word why")[:ERROR_SHOWN_MAX]
    when = "" if host.next_in_s is None else f", next attempt in {span(host.next_in_s)}"
    state = "given up, " if host.state == "dead" else ""
    return f"{host.host}: {state}{since} ({error}), {host.waiting:,} waiting{when}"
