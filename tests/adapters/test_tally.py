"""What several processes count is one number, which outlives them and is missed by nobody when Redis is gone."""

from collections.abc import AsyncIterator

import pytest
import redis

from adapters.embedded.valkey import EmbeddedValkey
from adapters.tally import KEY, Tally
from tests.system.instance import free_port

pytestmark = pytest.mark.anyio


@pytest.fixture
async def url(valkey_server: EmbeddedValkey) -> AsyncIterator[str]:
    """A database of its own: others count, too."""
    url = f"{valkey_server.url}?db=9"
    with redis.Redis.from_url(url) as client:  # pyright: ignore[reportUnknownMemberType]
        client.delete(KEY)
        yield url
        client.delete(KEY)


async def test_two_processes_counts_are_added_up_and_outlive_them(url: str) -> None:
    for _ in range(2):
        tally = Tally(url)
        async with tally.running():
            tally.count("jobs", "fetch", "done")
            tally.count("jobs", "fetch", "done")
            tally.count("deliveries", "again")
    reader = Tally(url)
    async with reader.running():
        assert await reader.read() == {("jobs", "fetch", "done"): 4, ("deliveries", "again"): 2}


async def test_without_redis_counting_goes_on_and_nothing_is_read() -> None:
    tally = Tally(f"redis://127.0.0.1:{free_port()}/0")
    async with tally.running():
        tally.count("deliveries", "done")
        await tally.write()
        assert await tally.read() is None


async def test_what_could_not_be_written_is_written_later(url: str) -> None:
    away, there = Tally(f"redis://127.0.0.1:{free_port()}/0"), Tally(url)
    async with away.running(), there.running():
        away.count("deliveries", "done")
        await away.write()
        there._counts, away._counts = away._counts, there._counts  # pyright: ignore[reportPrivateUsage]
        await there.write()
        assert await there.read() == {("deliveries", "done"): 1}
