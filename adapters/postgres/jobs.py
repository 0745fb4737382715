"""Jobs: what is to be done behind, asked for in anybody's transaction and done at least once, whatever is killed.

A job is known by its kind and subject while it is open, so asking again changes nothing; asked for while it is under
way, it is done once more. A lease says who does it: one that ran out is anybody's.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Json

from adapters.postgres.short_statements import Pool, ShortStatements

CHANNEL: Final = "daybook_jobs"
LEASE: Final = timedelta(seconds=30)
TRIES_MAX: Final = 8
RETRY_FIRST: Final = timedelta(seconds=30)
RETRY_MAX: Final = timedelta(hours=6)
A_LANE_MAX: Final = 4
LOOKED_AT_MAX: Final = 1_000
GIVEN_UP_KEPT_FOR: Final = timedelta(days=7)
ERROR_LENGTH_MAX: Final = 500
CONNECT_TIMEOUT_S: Final = 5
SILENCE_S_MAX: Final = 15.0
RETRY_S: Final = 1.0
_log = logging.getLogger("daybook.work")

# A job that failed keeps its back-off, however often it is asked for. The order of rows keeps two who ask for the same
# jobs from waiting for each other.
_ASK = """
    WITH given AS (
        SELECT DISTINCT ON (kind, subject) kind, subject, payload, lane, due_in
        FROM unnest(%(kinds)s::text[], %(subjects)s::text[], %(payloads)s::json[], %(lanes)s::text[],
            %(due_ins)s::interval[]) AS g(kind, subject, payload, lane, due_in)
        ORDER BY kind, subject, due_in
    )
    INSERT INTO app.jobs AS job (kind, subject, payload, lane, due_at)
    SELECT kind, subject, payload, lane, now() + due_in FROM given ORDER BY kind, subject
    ON CONFLICT (kind, subject) WHERE given_up_at IS NULL DO UPDATE SET
        asked = job.asked + 1,
        due_at = CASE WHEN job.attempts = 0 THEN least(job.due_at, excluded.due_at) ELSE job.due_at END
    RETURNING id
"""
_RING = "SELECT pg_notify(%s, '')"
# A few of each lane, so that one host's thousand jobs leave room for the others'.
_TAKE = """
    UPDATE app.jobs SET leased_until = now() + %(lease)s, attempts = attempts + 1
    WHERE id = ANY(ARRAY(
        SELECT id FROM app.jobs WHERE id = ANY(ARRAY(
            SELECT id FROM (
                SELECT id, lane, due_at, row_number() OVER (PARTITION BY lane ORDER BY due_at, id) AS turn FROM (
                    SELECT id, lane, due_at FROM app.jobs
                    WHERE given_up_at IS NULL AND due_at <= now() AND coalesce(leased_until <= now(), true)
                        AND lane <> ALL(%(full)s::text[]) AND kind = ANY(%(kinds)s::text[])
                    ORDER BY due_at LIMIT %(looked_at)s
                ) due
            ) turns LEFT JOIN unnest(%(lanes)s::text[], %(doing)s::int[]) AS b(lane, doing) USING (lane)
            WHERE turn <= %(a_lane)s - coalesce(doing, 0) ORDER BY due_at, id LIMIT %(most)s
        )) AND given_up_at IS NULL AND due_at <= now() AND coalesce(leased_until <= now(), true)
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING id, kind, subject, payload, lane, attempts, asked
"""
_EXTEND = """
    UPDATE app.jobs SET leased_until = now() + %(lease)s WHERE id = ANY(%(ids)s) AND leased_until IS NOT NULL
"""
_DONE = "DELETE FROM app.jobs WHERE id = %(id)s AND asked = %(asked)s"
# Asked for meanwhile, or only put off.
_AGAIN = """
    UPDATE app.jobs SET leased_until = NULL, attempts = 0, last_error = NULL, due_at = now() + %(due_in)s
    WHERE id = %(id)s AND attempts = %(attempts)s
"""
_FAILED = """
    UPDATE app.jobs SET leased_until = NULL, last_error = %(error)s, due_at = now() + %(due_in)s,
        given_up_at = CASE WHEN attempts >= %(tries)s THEN now() END
    WHERE id = %(id)s AND attempts = %(attempts)s
"""
_NEXT = """
    SELECT extract(epoch FROM min(greatest(due_at, coalesce(leased_until, due_at))) - now())::float8 AS wait_s
    FROM app.jobs WHERE given_up_at IS NULL AND kind = ANY(%(kinds)s::text[])
"""
_DUE = """
    SELECT array(SELECT id FROM app.jobs WHERE given_up_at IS NULL AND due_at <= now()
    AND coalesce(leased_until <= now(), true) ORDER BY due_at LIMIT %(most)s) AS ids
"""
_FORGET = "DELETE FROM app.jobs WHERE given_up_at < now() - %(kept_for)s"


@dataclass(frozen=True, slots=True)
class Asked:
    """A job to ask for. `lane` is whose turn it takes, such as the host it asks; left out, its kind is."""

    kind: str
    subject: str
    payload: Mapping[str, Any] = field(default_factory=dict[str, Any])
    lane: str = ""
    due_in: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Job:
    """A job that is ours until its lease runs out; `attempts` counts this one."""

    id: int
    kind: str
    subject: str
    payload: dict[str, Any]
    lane: str
    attempts: int
    asked: int


@dataclass(frozen=True, slots=True)
class _Wait:
    wait_s: float | None


@dataclass(frozen=True, slots=True)
class _Ids:
    ids: list[int]


def ask(
    cursor: psycopg.Cursor[Any],
    kind: str,
    subject: str,
    payload: Mapping[str, Any] | None = None,
    *,
    lane: str = "",
    due_in: timedelta = timedelta(),
) -> None:
    """Ask for one job, in the transaction that `cursor` is in: it is there, and rung for, when that commits."""
    ask_all(cursor, [Asked(kind, subject, payload or {}, lane, due_in)])


def ask_all(cursor: psycopg.Cursor[Any], asked: Sequence[Asked]) -> None:
    """Ask for many jobs at once, as `ask` does."""
    if asked:
        cursor.execute(_ASK, _values(asked))
        cursor.execute(_RING, [CHANNEL])


def retry_in(attempts: int) -> timedelta:
    """How long a job waits that failed so often: 30 s, 2 min, 8 min, 32 min, 2 h, then 6 h."""
    return min(RETRY_FIRST * 4 ** (attempts - 1), RETRY_MAX)


class JobQueue:
    """Jobs for those who do them. Raises Unavailable when PostgreSQL does not answer."""

    def __init__(self, pool: Pool, lease: timedelta = LEASE) -> None:
        self._sql = ShortStatements(pool)
        self._lease = lease

    async def ask(self, *asked: Asked) -> list[int]:
        """Ask for jobs in a transaction of their own; gives their ids, for ringing about them."""
        if not asked:
            return []
        async with self._sql.transaction() as connection:
            rows = await (await connection.execute(_ASK, _values(asked))).fetchall()
            await connection.execute(_RING, [CHANNEL])
        return [row[0] for row in rows]

    async def take(self, most: int, kinds: Collection[str], doing: Mapping[str, int] | None = None) -> list[Job]:
        """Up to `most` jobs that are due, of these kinds, of a lane at most four together with those that one is doing.

        They are ours for the length of the lease, which is to be extended for what takes longer.
        """
        doing = doing or {}
        values = {
            "lease": self._lease,
            "most": most,
            "kinds": list(kinds),
            "lanes": list(doing),
            "doing": list(doing.values()),
            "full": [lane for lane, number in doing.items() if number >= A_LANE_MAX],
            "a_lane": A_LANE_MAX,
            "looked_at": LOOKED_AT_MAX,
        }
        async with self._sql.transaction() as connection, connection.cursor(row_factory=class_row(Job)) as cursor:
            return await (await cursor.execute(_TAKE, values)).fetchall()

    async def extend(self, jobs: Collection[int]) -> None:
        """They are still being done: the lease begins anew."""
        await self._sql.run(_EXTEND, {"lease": self._lease, "ids": list(jobs)})

    async def done(self, job: Job) -> None:
        """It is done; asked for again meanwhile, it is due again."""
        if not await self._sql.run(_DONE, {"id": job.id, "asked": job.asked}):
            await self.put_off(job, timedelta())

    async def put_off(self, job: Job, due_in: timedelta) -> None:
        """It is to be done later, and has not failed."""
        await self._sql.run(_AGAIN, {"id": job.id, "attempts": job.attempts, "due_in": due_in})

    async def failed(self, job: Job, error: str) -> None:
        """It failed; it is due again after a while, and given up after eight tries."""
        values = {
            "id": job.id,
            "attempts": job.attempts,
            "error": error.replace("\0", "")[:ERROR_LENGTH_MAX],
            "due_in": retry_in(job.attempts),
            "tries": TRIES_MAX,
        }
        await self._sql.run(_FAILED, values)

    async def next_in_s(self, kinds: Collection[str]) -> float | None:
        """Seconds until a job of these kinds is due or a lease of one runs out; None when there is none."""
        found = await self._sql.one(_Wait, _NEXT, {"kinds": list(kinds)})
        return None if found is None or found.wait_s is None else max(0.0, found.wait_s)

    async def due(self, most: int) -> list[int]:
        """Ids of jobs that are due and nobody does."""
        found = await self._sql.one(_Ids, _DUE, {"most": most})
        return found.ids if found is not None else []

    async def forget(self) -> int:
        """Delete what was given up a week ago; gives how many."""
        return await self._sql.run(_FORGET, {"kept_for": GIVEN_UP_KEPT_FOR})


async def listen(dsn: str, heard: Callable[[], object]) -> None:
    """Call `heard` whenever somebody has asked for a job, and when that may have been missed, until cancelled."""
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(
                dsn, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S, application_name="daybook jobs"
            ) as connection:
                await connection.execute(f"LISTEN {CHANNEL}".encode())
                while True:
                    heard()
                    async for _ in connection.notifies(timeout=SILENCE_S_MAX, stop_after=1):
                        pass
                    await connection.execute("SELECT")  # whether anybody is still there
        except psycopg.Error as error:
            _log.warning("jobs are not heard of until the database is back: %s", str(error).strip())
        await asyncio.sleep(RETRY_S)


def _values(asked: Sequence[Asked]) -> dict[str, Any]:
    return {
        "kinds": [one.kind for one in asked],
        "subjects": [one.subject for one in asked],
        "payloads": [Json(dict(one.payload)) for one in asked],
        "lanes": [one.lane or one.kind for one in asked],
        "due_ins": [one.due_in for one in asked],
    }
