"""Tests of the HTTP edge run on asyncio, as granian does, and on real PostgreSQL."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from psycopg_pool import AsyncConnectionPool

from tests.api.composition import TestServer, browsing
from tests.database import Database


@pytest.fixture
def anyio_backend() -> str:
    """The one event loop that the server runs on."""
    return "asyncio"


@pytest.fixture
async def server(database: Database) -> AsyncIterator[TestServer]:
    """A composition with alice, whose password is known."""
    async with AsyncConnectionPool[Any](database.app, min_size=1, max_size=4, open=False) as pool:
        composed = TestServer(pool)
        await composed.add_alice()
        yield composed


@pytest.fixture
async def browser(server: TestServer) -> AsyncIterator[httpx.AsyncClient]:
    """Something that keeps cookies, before the whole application."""
    async with browsing(server) as client:
        yield client
