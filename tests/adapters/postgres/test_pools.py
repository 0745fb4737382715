"""A pool finds a PostgreSQL that was away as soon as somebody asks."""

import logging
from pathlib import Path

import psycopg
import pytest
from psycopg_pool import PoolTimeout

from adapters.embedded.postgres import EmbeddedPostgres
from adapters.postgres.pools import RECONNECT_S_MAX, make_pool

SOCKET = ".s.PGSQL.5432"
# By then a series of attempts that wait twice as long each time has come to eight seconds.
ATTEMPTS = 4


@pytest.mark.anyio
async def test_however_long_postgresql_was_away_who_asks_afterwards_is_answered(
    postgres_server: EmbeddedPostgres, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "psycopg.pool")
    there = psycopg.conninfo.conninfo_to_dict(postgres_server.dsn("postgres"))
    pool = make_pool(psycopg.conninfo.make_conninfo(**{**there, "host": str(tmp_path)}), 1, "test", wait_s=0.2)
    await pool.open()
    try:
        while caplog.text.count("error connecting") < ATTEMPTS:
            with pytest.raises(PoolTimeout):
                await pool.getconn()
        (tmp_path / SOCKET).symlink_to(Path(str(there["host"])) / SOCKET)
        async with pool.connection(timeout=2 * RECONNECT_S_MAX) as connection:
            assert await (await connection.execute("SELECT 1")).fetchone() == (1,)
    finally:
        await pool.close()
