"""When each thing of the schedule was begun last, and who keeps it: one process at a time, by a lock of the session."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection

from adapters.unavailable import Unavailable

CONNECT_TIMEOUT_S: Final = 5

_LEAD = "SELECT pg_try_advisory_lock(hashtext('daybook schedule'), 0)"
# By the database's clock alone.
_BEGIN = """
    INSERT INTO app.schedule AS s (name, last_run) VALUES (%(name)s, now())
    ON CONFLICT (name) DO UPDATE SET last_run = now() WHERE s.last_run <= now() - %(every)s
    RETURNING name
"""
_NEXT = """
    SELECT g.name, coalesce(extract(epoch FROM s.last_run + g.every - now()), 0)::float8
    FROM unnest(%(names)s::text[], %(everys)s::interval[]) AS g(name, every) LEFT JOIN app.schedule s USING (name)
"""


class Schedule:
    """The schedule, kept by whoever made this; another keeper's connection must have ended before."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection

    async def begin(self, name: str, every: timedelta) -> bool:
        """Whether it is time; from now on it was begun. Raises Unavailable."""
        return bool(await self._rows(_BEGIN, {"name": name, "every": every}))

    async def next_in_s(self, everys: Mapping[str, timedelta]) -> float:
        """Seconds until the first of these is to be begun. Raises Unavailable."""
        rows = await self._rows(_NEXT, {"names": list(everys), "everys": list(everys.values())})
        return max(0.0, min(wait_s for _, wait_s in rows))

    async def _rows(self, statement: Any, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        try:
            return await (await self._connection.execute(statement, values)).fetchall()
        except psycopg.OperationalError as error:
            raise Unavailable("PostgreSQL") from error


@asynccontextmanager
async def keeping(dsn: str) -> AsyncGenerator[Schedule | None]:
    """The schedule, for as long as this lasts; None when another process keeps it. Raises Unavailable."""
    try:
        connection = await AsyncConnection.connect(
            dsn, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S, application_name="daybook schedule"
        )
    except psycopg.OperationalError as error:
        raise Unavailable("PostgreSQL") from error
    async with connection:
        row = await (await connection.execute(_LEAD)).fetchone()
        yield Schedule(connection) if row is not None and row[0] else None
