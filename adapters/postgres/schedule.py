"""When each thing of the schedule was begun last, and who keeps it: one process at a time, by a lock of the session.

What is done by others, such as backups, is noted here too, so that it can be told how long ago that was.
"""

from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final, LiteralString

import psycopg
from psycopg import AsyncConnection

from adapters.postgres.passing import PASSING
from adapters.unavailable import Unavailable

CONNECT_TIMEOUT_S: Final = 5
SET_BACK_MIN: Final = timedelta(seconds=5)
BACKUP: Final = "backup"

_LEAD = "SELECT pg_try_advisory_lock(hashtext('daybook schedule'), 0)"
# By the database's clock alone.
_BEGIN = """
    INSERT INTO app.schedule AS s (name, last_run, every) VALUES (%(name)s, now(), %(every)s)
    ON CONFLICT (name) DO UPDATE SET last_run = now(), every = excluded.every WHERE s.last_run <= now() - %(every)s
    RETURNING name
"""
# What nobody keeps any more is never late.
_ONLY = "UPDATE app.schedule SET every = NULL WHERE every IS NOT NULL AND name <> ALL(%(names)s::text[])"
_NOTE = """
    INSERT INTO app.schedule (name, last_run) VALUES (%(name)s, now())
    ON CONFLICT (name) DO UPDATE SET last_run = now(), every = NULL
"""
_NEXT = """
    SELECT g.name, coalesce(extract(epoch FROM s.last_run + g.every - now()), 0)::float8
    FROM unnest(%(names)s::text[], %(everys)s::interval[]) AS g(name, every) LEFT JOIN app.schedule s USING (name)
"""
# What was begun later than now was begun by a clock that was set back since.
_SET_BACK = "SELECT max(last_run) - now() FROM app.schedule HAVING max(last_run) > now() + %(least)s"
# What was put off until a time of that clock's is due as much earlier. Hosts are locked in their order (deliveries.py).
_SHIFT: tuple[LiteralString, ...] = (
    "UPDATE app.schedule SET last_run = last_run - %(by)s WHERE last_run > now()",
    """
    UPDATE app.jobs SET due_at = due_at - %(by)s, leased_until = leased_until - %(by)s
    WHERE given_up_at IS NULL AND greatest(due_at, leased_until) > now()
    """,
    """
    UPDATE app.delivery_hosts SET next_at = next_at - %(by)s, not_before = not_before - %(by)s,
        leased_until = leased_until - %(by)s
    WHERE host IN (
        SELECT host FROM app.delivery_hosts
        WHERE greatest(not_before, leased_until, CASE WHEN next_at < 'infinity' THEN next_at END) > now()
        ORDER BY host FOR UPDATE)
    """,
    "UPDATE app.deliveries SET due_at = due_at - %(by)s WHERE attempt > 0 AND due_at > now()",
)


class Schedule:
    """The schedule, kept by whoever made this; another keeper's connection must have ended before."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection

    async def only(self, names: Collection[str]) -> None:
        """From now on nothing else is kept by it. Raises Unavailable."""
        try:
            await self._connection.execute(_ONLY, {"names": list(names)})
        except PASSING as error:
            raise Unavailable("PostgreSQL") from error

    async def begin(self, name: str, every: timedelta) -> bool:
        """Whether it is time; from now on it was begun. Raises Unavailable."""
        return bool(await self._rows(_BEGIN, {"name": name, "every": every}))

    async def next_in_s(self, everys: Mapping[str, timedelta]) -> float:
        """Seconds until the first of these is to be begun. Raises Unavailable."""
        rows = await self._rows(_NEXT, {"names": list(everys), "everys": list(everys.values())})
        return max(0.0, min(wait_s for _, wait_s in rows))

    async def follow_clock(self) -> timedelta | None:
        """Make due in time what a clock put off that was set back since; gives by how much. Raises Unavailable."""
        found = await self._rows(_SET_BACK, {"least": SET_BACK_MIN})
        if not found:
            return None
        by: timedelta = found[0][0]
        try:
            async with self._connection.transaction():
                for statement in _SHIFT:
                    await self._connection.execute(statement, {"by": by})
        except PASSING as error:
            raise Unavailable("PostgreSQL") from error
        return by

    async def _rows(self, statement: Any, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        try:
            return await (await self._connection.execute(statement, values)).fetchall()
        except PASSING as error:
            raise Unavailable("PostgreSQL") from error


def note(url: str, name: str) -> str | None:
    """Note that somebody has done this just now; gives why that could not be."""
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S) as connection:
            connection.execute(_NOTE, {"name": name})
    except psycopg.Error as error:
        return str(error).strip()
    return None


@asynccontextmanager
async def keeping(dsn: str) -> AsyncGenerator[Schedule | None]:
    """The schedule, for as long as this lasts; None when another process keeps it. Raises Unavailable."""
    try:
        connection = await AsyncConnection.connect(
            dsn, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S, application_name="daybook schedule"
        )
    except PASSING as error:
        raise Unavailable("PostgreSQL") from error
    async with connection:
        row = await (await connection.execute(_LEAD)).fetchone()
        yield Schedule(connection) if row is not None and row[0] else None
