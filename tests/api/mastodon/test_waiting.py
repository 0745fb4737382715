"""What waits for something that never comes is given up by the schedule, a week after it came."""

from datetime import timedelta
from typing import Any

import pytest

from domain.waiting import WAITS_MAX
from tests.adapters.interpreter.peers import BEN, act, actor, fetched, received
from tests.api.mastodon.world import World
from workers.schedule import expire_what_waits

pytestmark = pytest.mark.anyio
POST = "https://good.test/n/1"


async def rows(world: World, sql: Any) -> list[tuple[Any, ...]]:
    await world.settled()
    return await world.server.reads.view().execute(sql, [])


async def test_what_has_waited_for_a_week_is_given_up_once(world: World) -> None:
    now = world.server.now
    await world.hear(fetched(BEN, actor(BEN)), received(BEN, act("Like", BEN, POST, "l1")))
    ((waiting,),) = await rows(world, "SELECT received_at_position FROM parked")
    await expire_what_waits(world.server)
    assert await rows(world, "SELECT received_at_position FROM parked") == [(waiting,)]
    world.server.now = world.server.dispatch._now = lambda: now() + WAITS_MAX + timedelta(minutes=1)
    await expire_what_waits(world.server)
    await expire_what_waits(world.server)
    await world.settled()
    await expire_what_waits(world.server)
    assert await rows(world, "SELECT count(*) FROM parked") == [(0,)]
    assert await rows(world, "SELECT count(*) FROM facts WHERE verdict = 'expired'") == [(1,)]
    assert await rows(world, "SELECT count(*) FROM facts WHERE kind = 'waiting.expired'") == [(1,)]
