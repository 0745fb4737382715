"""Every test of the client API has an instance of its own that runs: a database, a projector, the application."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis

from adapters.embedded.valkey import EmbeddedValkey
from tests.api.mastodon.world import World, running_world
from tests.database import Database


@pytest.fixture
async def world(database: Database, valkey_server: EmbeddedValkey, tmp_path: Path) -> AsyncIterator[World]:
    """An instance nobody lives on yet."""
    with redis.Redis.from_url(valkey_server.url) as client:
        client.flushall()  # tests share one Valkey, and their databases, copies of one another, number tokens alike
    async with running_world(database, valkey_server.url, tmp_path) as world:
        yield world
