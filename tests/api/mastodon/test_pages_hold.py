"""Whatever happens, a page that is handed out again is the page that would be made now, for the very person asking."""

import asyncio

import pytest

from tests.api.mastodon.histories_of_pages import Told
from tests.api.mastodon.world import World
from tests.seeds import new_seed

pytestmark = pytest.mark.anyio
ROUNDS = 40
AT_ONCE = 3


@pytest.mark.parametrize("seed", [20261126, new_seed("pages that hold")], ids=lambda seed: f"seed {seed}")
async def test_a_page_asked_for_again_is_the_page_that_would_be_made_now(world: World, seed: int) -> None:
    told = Told(world, seed)
    await told.begin()
    viewers = [*told.people, world.anybody()]
    pages = world.server.pages
    for _ in range(ROUNDS):
        # Read while it happens, so that pages are made of rows that are just being replaced.
        paths = told.dice.sample(told.paths(), 8)
        reads = (told.ask(viewer, path) for path in paths for viewer in viewers)
        await asyncio.gather(*(told.something() for _ in range(AT_ONCE)), *reads)
        await world.settled()
        for path in told.dice.sample(told.paths(), 12):
            for viewer in viewers:
                await told.same(viewer, path)
                # Once more, now surely from what is kept.
                await told.same(viewer, path)
    assert pages.found > ROUNDS * len(viewers)
    await told.close()
