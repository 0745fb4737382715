"""Pools of connections that are there again as soon as PostgreSQL is, however long it was away."""

from typing import Any, Final

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

CONNECT_TIMEOUT_S: Final = 5
# Other servers give up an answer after some ten seconds: a 503 before that is worth more to them.
WAIT_S_MAX: Final = 5.0
# Each next attempt waits twice as long, so a series of them has to end soon; whoever asks begins another.
RECONNECT_S_MAX: Final = 2.0

Pool = AsyncConnectionPool[AsyncConnection[TupleRow]]


def make_pool(dsn: str, size_max: int, name: str, options: str = "", *, wait_s: float = WAIT_S_MAX) -> Pool:
    """A pool that is not open yet, its connections in autocommit mode and called `name` in pg_stat_activity.

    Who gets no connection within `wait_s` seconds gets psycopg_pool.PoolTimeout, which is an OperationalError.
    """
    kwargs: dict[str, Any] = {"autocommit": True, "application_name": name, "connect_timeout": CONNECT_TIMEOUT_S}
    if options:
        kwargs["options"] = options
    return AsyncConnectionPool(
        dsn,
        min_size=1,
        max_size=size_max,
        open=False,
        timeout=wait_s,
        reconnect_timeout=RECONNECT_S_MAX,
        kwargs=kwargs,
    )
