"""The deliverer's book: which hosts are due, what of theirs is next, and what became of it.

A host is leased to one deliverer at a time, so that its deliveries keep their order. A lease ends with its report, with
its holder's connection, or by itself. Hosts are locked in the order of their names, or not waited for; so deliverers
never lock each other out. Times are the database's own.
"""

from collections.abc import Sequence
from typing import Any, LiteralString, NamedTuple

import psycopg
from psycopg.rows import TupleRow

ROWS_PER_HOST_MAX = 8
FRESH_MAX = 1_000
LEASE_S = 90.0
KEPT_DAYS = 3
REMEMBERED_DAYS = 7
DEAD_AFTER_DAYS = 7
DEAD_PAUSE_DAYS = 7
PRUNED_MAX = 10_000

Connection = psycopg.AsyncConnection[TupleRow]


class Due(NamedTuple):
    """A delivery to make: `sender` None is the instance's own actor, `lane` what must keep its order, if anything.

    With the id and the wrapped private half of the sender's key, None where there is no such key.
    """

    id: int
    url: str
    uri: str
    sender: int | None
    body: bytes
    lane: int | None
    attempt: int
    key_id: str | None
    wrapped_key: bytes | None

    @property
    def about_object(self) -> bool:
        """Whether its lane is what its sender says about one object, and not all that is about none."""
        return self.lane is not None and self.lane >= 0


class Leased(NamedTuple):
    """A host that is ours for a while, after so many failures in a row, and what to send to it, in order."""

    host: str
    failures: int
    rows: list[Due]


class Again(NamedTuple):
    """A delivery to try again in `in_s`; `aside` when it no longer holds up what comes after it."""

    id: int
    in_s: float
    aside: bool


class Report(NamedTuple):
    """What became of a host's deliveries. `pause_s` is how long nobody may try it; `failed` counts today as a failing
    day, `succeeded` forgets those there were; one that was not `tried` is as it was."""

    host: str
    done: Sequence[int]
    again: Sequence[Again]
    failures: int
    tried: bool = True
    succeeded: bool = False
    failed: bool = False
    pause_s: float | None = None
    error: str | None = None


# A lock in a statement of its own, so that the next ones see what was enqueued until it was had.
_LOCK = "SELECT FROM app.delivery_hosts WHERE host = ANY(%(hosts)s) ORDER BY host FOR UPDATE"
_DONE = """
    DELETE FROM app.deliveries d USING unnest(%(hosts)s::text[], %(ids)s::bigint[]) AS g(host, id)
    WHERE d.host = g.host AND d.id = g.id
"""
_AGAIN = """
    UPDATE app.deliveries d SET attempt = d.attempt + 1, due_at = now() + g.in_s * interval '1 second',
        lane = CASE WHEN g.aside THEN NULL ELSE d.lane END
    FROM unnest(%(hosts)s::text[], %(ids)s::bigint[], %(in_s)s::float8[], %(aside)s::bool[]) AS g(host, id, in_s, aside)
    WHERE d.host = g.host AND d.id = g.id
"""
# What may be sent to host h now: due, and behind nothing of its lane that waits to be tried again. Look-ups are scalar,
# as in log.append, so that no plan reads a whole table for them.
_SENDABLE: LiteralString = """
    FROM app.deliveries d WHERE d.host = h.host AND (d.attempt = 0 OR d.due_at <= now()) AND (
        SELECT true FROM app.deliveries e
        WHERE e.host = d.host AND e.attempt > 0 AND e.due_at > now() AND e.lane = d.lane AND e.id < d.id
        LIMIT 1) IS NULL
    ORDER BY d.id
"""
# Whoever lost its lease reports what it did, and says nothing about the host.
_HOSTS: LiteralString = f"""
    UPDATE app.delivery_hosts h SET
        leased_until = '-infinity', leased_by = NULL, failures = n.failures,
        last_error = CASE WHEN n.failures > 0 THEN coalesce(n.error, h.last_error) ELSE n.error END,
        failing_days = n.days, failed_on = CASE WHEN n.failed THEN n.today WHEN n.days > 0 THEN h.failed_on END,
        state = CASE WHEN n.days >= %(dead_after)s THEN 'dead' ELSE 'alive' END,
        not_before = n.not_before, next_at = greatest(n.not_before, n.next_at)
    FROM (
        SELECT r.*, today, days, CASE
                WHEN NOT r.tried THEN h.not_before
                WHEN days >= %(dead_after)s THEN now() + %(dead_pause)s * interval '1 day'
                ELSE coalesce(now() + r.pause_s * interval '1 second', '-infinity') END AS not_before,
            CASE WHEN (SELECT true {_SENDABLE} LIMIT 1) THEN now() ELSE coalesce((
                SELECT min(d.due_at) FROM app.deliveries d
                WHERE d.host = h.host AND d.attempt > 0 AND d.due_at > now()), 'infinity') END AS next_at
        FROM unnest(%(hosts)s::text[], %(tried)s::bool[], %(well)s::bool[], %(failed)s::bool[], %(failures)s::int[],
            %(pauses)s::float8[], %(errors)s::text[]) AS r(host, tried, well, failed, failures, pause_s, error)
        JOIN app.delivery_hosts h ON h.host = r.host AND h.leased_by = pg_backend_pid()
        CROSS JOIN LATERAL (SELECT (now() AT TIME ZONE 'UTC')::date AS today) AS this
        CROSS JOIN LATERAL (SELECT CASE WHEN r.well THEN 0
            ELSE h.failing_days + (r.failed AND h.failed_on IS DISTINCT FROM today)::int END AS days) AS counted
    ) n WHERE h.host = n.host
"""  # noqa: S608 - put together from constants
_TELL = """
    WITH told AS (
        DELETE FROM app.outbox_fresh WHERE activity IN (
            SELECT activity FROM app.outbox_fresh ORDER BY activity LIMIT %(fresh_max)s FOR UPDATE SKIP LOCKED)
        RETURNING activity
    )
    INSERT INTO app.delivery_hosts AS h (host, next_at)
    SELECT DISTINCT d.host, now() FROM told t JOIN app.deliveries d ON d.activity = t.activity ORDER BY 1
    ON CONFLICT (host) DO UPDATE SET next_at = least(h.next_at, greatest(h.not_before, now()))
"""
# A host that failed last time is tried with one delivery alone. Row by row, so that no plan reads all inboxes for few.
_LEASE: LiteralString = f"""
    WITH chosen AS (
        SELECT host FROM app.delivery_hosts
        WHERE greatest(next_at, leased_until) <= now() AND (failures = 0 OR %(failing)s)
        ORDER BY greatest(next_at, leased_until) LIMIT %(hosts_max)s FOR UPDATE SKIP LOCKED
    ), h AS (
        UPDATE app.delivery_hosts o SET leased_until = now() + %(lease_s)s * interval '1 second',
            leased_by = pg_backend_pid()
        FROM chosen WHERE o.host = chosen.host RETURNING o.host, o.failures, o.next_at
    )
    SELECT h.host, h.failures, d.id, i.url, a.uri, a.sender, a.body, d.lane, d.attempt,
        k.key_id, k.wrapped
    FROM h LEFT JOIN LATERAL (
        SELECT d.* {_SENDABLE} LIMIT CASE WHEN h.failures > 0 THEN 1 ELSE %(rows_max)s END
    ) d ON true
    LEFT JOIN LATERAL (SELECT url FROM app.inboxes WHERE id = d.inbox LIMIT 1) i ON true
    LEFT JOIN LATERAL (SELECT * FROM app.outbox_activities WHERE id = d.activity LIMIT 1) a ON true
    LEFT JOIN LATERAL (SELECT * FROM app.account_keys WHERE account = a.sender LIMIT 1) k ON true
    ORDER BY h.next_at, h.host, d.id
"""  # noqa: S608 - likewise
_NEXT = """
    SELECT extract(epoch FROM min(greatest(next_at, leased_until)) - now())::float8
    FROM app.delivery_hosts WHERE greatest(next_at, leased_until) < 'infinity'
"""
_FREE = """
    UPDATE app.delivery_hosts SET leased_until = '-infinity', leased_by = NULL WHERE host IN (
        SELECT host FROM app.delivery_hosts WHERE leased_by IS NOT NULL AND leased_by NOT IN (
            SELECT pid FROM pg_stat_activity) FOR UPDATE SKIP LOCKED)
"""
_EXPIRE = """
    DELETE FROM app.deliveries d USING app.outbox_activities a
    WHERE a.id = d.activity AND a.created_at < now() - %(kept)s * interval '1 day'
"""
_FORGET = """
    DELETE FROM app.outbox_activities WHERE id IN (
        SELECT a.id FROM app.outbox_activities a
        WHERE a.created_at < now() - %(remembered)s * interval '1 day'
            AND (SELECT true FROM app.deliveries d WHERE d.activity = a.id LIMIT 1) IS NULL LIMIT %(pruned_max)s)
"""


class DeliveryBook:
    """One deliverer's book, on a connection of its own, which holds its leases. Raises psycopg.Error."""

    def __init__(self, connection: Connection, lease_s: float = LEASE_S) -> None:
        self._connection = connection
        self._lease_s = lease_s

    async def settle(self, reports: Sequence[Report]) -> None:
        """Write down what became of hosts, each reported once, and let go of them."""
        done = [(report.host, number) for report in reports for number in report.done]
        again = [(report.host, one) for report in reports for one in report.again]
        async with self._connection.pipeline(), self._connection.transaction():
            await self._run(_LOCK, hosts=[report.host for report in reports])
            if done:
                await self._run(_DONE, hosts=[host for host, _ in done], ids=[number for _, number in done])
            if again:
                await self._run(
                    _AGAIN,
                    hosts=[host for host, _ in again],
                    ids=[one.id for _, one in again],
                    in_s=[one.in_s for _, one in again],
                    aside=[one.aside for _, one in again],
                )
            await self._run(
                _HOSTS,
                hosts=[report.host for report in reports],
                tried=[report.tried for report in reports],
                well=[report.succeeded for report in reports],
                failed=[report.failed for report in reports],
                failures=[report.failures for report in reports],
                pauses=[report.pause_s for report in reports],
                errors=[report.error for report in reports],
                dead_after=DEAD_AFTER_DAYS,
                dead_pause=DEAD_PAUSE_DAYS,
            )

    async def lease(self, hosts_max: int, failing: bool) -> list[Leased]:
        """Take hosts that are due, those that have waited longest first; `failing` ones only where it says so."""
        async with self._connection.pipeline(), self._connection.transaction():
            await self._run(_TELL, fresh_max=FRESH_MAX)
            found = await self._run(
                _LEASE, hosts_max=hosts_max, failing=failing, rows_max=ROWS_PER_HOST_MAX, lease_s=self._lease_s
            )
            rows = await found.fetchall()
        leased: dict[str, Leased] = {}
        for host, failures, number, *rest in rows:
            one = leased.setdefault(host, Leased(host, failures, []))
            if number is not None:
                one.rows.append(Due(number, *rest))
        return list(leased.values())

    async def next_in_s(self) -> float | None:
        """How long until some host is due; None while nothing is left for any."""
        found = await (await self._run(_NEXT)).fetchone()
        return None if found is None or found[0] is None else max(0.0, found[0])

    async def free(self) -> int:
        """End the leases of deliverers that are gone; gives how many."""
        return (await self._run(_FREE)).rowcount

    async def prune(self) -> int:
        """Give up what is too old to be sent (gives how many), and forget activities that are done for long."""
        expired = (await self._run(_EXPIRE, kept=KEPT_DAYS)).rowcount
        await self._run(_FORGET, remembered=REMEMBERED_DAYS, pruned_max=PRUNED_MAX)
        return expired

    async def _run(self, sql: LiteralString, **values: Any) -> psycopg.AsyncCursor[TupleRow]:
        return await self._connection.execute(sql, values, binary=True)
