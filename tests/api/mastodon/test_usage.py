"""What the instance documents tell of how much is here."""

from datetime import timedelta

import pytest

from adapters.wiring import USAGE_MAX_S
from tests.api.mastodon.world import World

pytestmark = pytest.mark.anyio


async def test_how_much_is_here_is_counted_once_a_minute(world: World) -> None:
    anybody, now = world.anybody(), world.server.now
    await world.person("alice")

    async def users() -> int:
        return (await anybody.get("/api/v1/instance"))["stats"]["user_count"]

    before = await users()
    await world.person("bob")
    assert await users() == before
    world.server.now = lambda: now() + timedelta(seconds=USAGE_MAX_S)
    assert await users() == before + 1
