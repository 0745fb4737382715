"""What a token wrote through one process, every process knows, without asking for it at each read."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import count
from typing import TypeVar

import pytest
import redis
import redis.asyncio

from adapters.embedded.valkey import EmbeddedValkey
from adapters.positions import Positions
from adapters.redis_link import RedisLink
from adapters.tasks import end

pytestmark = pytest.mark.anyio
PATIENCE_S = 10
EPOCH, OTHER_EPOCH = "epoch", "another"
STRANGERS = count(1_000)
T = TypeVar("T")


class SlowLink(RedisLink):
    """A way to Redis on which the first answer arrives when it is let go."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.answered, self.let_go = asyncio.Event(), asyncio.Event()

    async def ask(self, call: Callable[[redis.asyncio.Redis], Awaitable[T]]) -> T:
        answer = await super().ask(call)
        if not self.answered.is_set():
            self.answered.set()
            await self.let_go.wait()
        return answer


class CountingLink(RedisLink):
    """A way to Redis that counts how often it was gone."""

    asked = 0

    async def ask(self, call: Callable[[redis.asyncio.Redis], Awaitable[T]]) -> T:
        self.asked += 1
        return await super().ask(call)


async def until(positions: Positions, holds: Callable[[], bool]) -> None:
    """Return when it holds; Redis is asked after strangers meanwhile, and what it said before comes before."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await positions.last_of(next(STRANGERS), EPOCH)


async def knows(positions: Positions, token: int) -> None:
    """Return when a process remembers what it asked for."""
    async with asyncio.timeout(PATIENCE_S):
        while positions.known(token, EPOCH) is None:
            await positions.last_of(token, EPOCH)


@pytest.fixture
async def processes(valkey_server: EmbeddedValkey) -> AsyncIterator[list[Positions]]:
    """Two of them, on one Valkey."""
    with redis.Redis.from_url(valkey_server.url) as client:
        client.flushall()
    links = [RedisLink(valkey_server.url), RedisLink(valkey_server.url)]
    made = [Positions(link, valkey_server.url) for link in links]
    listening = [asyncio.create_task(one.keep_current()) for one in made]
    async with AsyncExitStack() as stack:
        for one in (*links, *made):
            stack.push_async_callback(one.aclose)
        stack.push_async_callback(end, *listening)
        yield made


async def test_who_never_wrote_is_asked_after_once(processes: list[Positions], valkey_server: EmbeddedValkey) -> None:
    here, _ = processes
    assert here.known(1, EPOCH) is None
    await knows(here, 1)
    assert here.known(1, EPOCH) == 0
    assert here.known(2, EPOCH) is None


async def test_a_write_through_another_process_is_heard_of(processes: list[Positions]) -> None:
    here, there = processes
    await knows(here, 1)
    await knows(there, 1)
    await there.remember(1, EPOCH, 7)
    assert there.known(1, EPOCH) == 7
    await until(here, lambda: here.known(1, EPOCH) == 7)
    await there.remember(1, OTHER_EPOCH, 9)
    await until(here, lambda: here.known(1, OTHER_EPOCH) == 9)
    assert here.known(1, EPOCH) == 7


async def test_nothing_is_known_once_the_channel_is_lost(
    processes: list[Positions], valkey_server: EmbeddedValkey
) -> None:
    here, there = processes
    await knows(here, 1)
    with redis.Redis.from_url(valkey_server.url) as client:
        client.client_kill_filter(_type="pubsub")
    await until(here, lambda: here.known(1, EPOCH) is None)
    await there.remember(1, EPOCH, 7)
    assert await here.last_of(1, EPOCH) == 7
    await knows(here, 1)
    assert here.known(1, EPOCH) == 7


async def test_an_answer_from_before_the_channel_was_there_is_not_remembered_behind_it(
    processes: list[Positions], valkey_server: EmbeddedValkey
) -> None:
    there = processes[0]
    async with AsyncExitStack() as stack, asyncio.timeout(PATIENCE_S):
        link = SlowLink(valkey_server.url)
        here = Positions(link, valkey_server.url)
        for one in (link, here):
            stack.push_async_callback(one.aclose)
        asked = asyncio.create_task(here.last_of(1, EPOCH))
        await link.answered.wait()
        await there.remember(1, EPOCH, 7)
        stack.push_async_callback(end, asyncio.create_task(here.keep_current()))
        await knows(here, 2)
        link.let_go.set()
        assert await asked == 0
        assert here.known(1, EPOCH) is None
        assert await here.last_of(1, EPOCH) == 7


async def test_what_is_written_at_the_same_moment_is_told_in_one_round_trip(
    processes: list[Positions], valkey_server: EmbeddedValkey
) -> None:
    here = processes[0]
    await knows(here, 1)
    async with AsyncExitStack() as stack:
        link = CountingLink(valkey_server.url)
        there = Positions(link, valkey_server.url)
        for one in (link, there):
            stack.push_async_callback(one.aclose)
        writes = ((1, EPOCH, 7), (1, EPOCH, 6), (2, EPOCH, 8), (3, OTHER_EPOCH, 1))
        await asyncio.gather(*(there.remember(*write) for write in writes))
        assert link.asked == 1
        assert [await there.last_of(token, EPOCH) for token in (1, 2, 3)] == [7, 8, 0]
        assert await there.last_of(3, OTHER_EPOCH) == 1
    await until(here, lambda: (here.known(1, EPOCH), here.known(2, EPOCH)) == (7, 8))


async def test_who_goes_away_while_several_are_told_takes_nobodys_write_along(
    processes: list[Positions], valkey_server: EmbeddedValkey
) -> None:
    async with AsyncExitStack() as stack, asyncio.timeout(PATIENCE_S):
        link = SlowLink(valkey_server.url)
        there = Positions(link, valkey_server.url)
        for one in (link, there):
            stack.push_async_callback(one.aclose)
        first, second = (asyncio.create_task(there.remember(token, EPOCH, 7)) for token in (1, 2))
        await link.answered.wait()
        await end(first)
        link.let_go.set()
        await second
    assert await processes[0].last_of(2, EPOCH) == 7


async def test_without_redis_nobody_knows(tmp_path_factory: pytest.TempPathFactory) -> None:
    url = f"unix://{tmp_path_factory.mktemp('none')}/valkey.sock"
    link = RedisLink(url)
    nowhere = Positions(link, url)
    await nowhere.remember(1, EPOCH, 7)
    assert nowhere.known(1, EPOCH) is None
    assert await nowhere.last_of(1, EPOCH) is None
    await nowhere.aclose()
    await link.aclose()
