"""While the database can't be written to, who would write is told when to come again."""

import pytest

from tests.api.mastodon.world import World
from tests.database import Database, read_only

pytestmark = pytest.mark.anyio


async def test_who_would_write_to_a_database_that_is_read_only_is_told_when_to_come_again(
    world: World, database: Database
) -> None:
    bob = await world.person("bob")
    read_only(database, "on")
    await world.server.pool.check()
    marker = {"home": {"last_read_id": "1"}}
    refused = await bob.raw("POST", "/api/v1/markers", json=marker)
    assert (refused.status_code, refused.headers.get("Retry-After")) == (503, "5"), refused.text
    read_only(database, "off")
    await world.server.pool.check()
    await bob.ask("POST", "/api/v1/markers", json=marker)
