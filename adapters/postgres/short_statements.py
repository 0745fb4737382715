"""How the stores in schema `app` speak to PostgreSQL: one short statement, or one short transaction, at a time."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, LiteralString, TypeVar

from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from adapters.postgres.passing import PASSING
from adapters.unavailable import Unavailable

Pool = AsyncConnectionPool[AsyncConnection[Any]]
Row = TypeVar("Row")


class ShortStatements:
    """A pool, and the three ways to use it. Raises Unavailable when PostgreSQL can't be reached or written to."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def one(self, kind: type[Row], sql: LiteralString, values: Mapping[str, Any]) -> Row | None:
        """The first row as a `kind`, or None."""
        async with self._connection() as connection, connection.cursor(row_factory=class_row(kind)) as cursor:
            await cursor.execute(sql, values)
            return await cursor.fetchone()

    async def run(self, sql: LiteralString, values: Mapping[str, Any]) -> int:
        """How many rows the statement touched."""
        async with self._connection() as connection:
            return (await connection.execute(sql, values)).rowcount

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[AsyncConnection[Any]]:
        """A connection inside one transaction, whether or not the pool's are in autocommit mode."""
        async with self._connection() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[AsyncConnection[Any]]:
        """A connection for one statement, which is a transaction by itself."""
        try:
            async with self._pool.connection() as connection:
                yield connection
        except PASSING as error:
            raise Unavailable("PostgreSQL") from error
