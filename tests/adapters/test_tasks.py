"""A background task ends when it is told to, also when it loses the first cancellation."""

import asyncio

import pytest

from adapters.tasks import end

pytestmark = pytest.mark.anyio


async def test_a_task_that_loses_one_cancellation_ends_all_the_same() -> None:
    lost = asyncio.Event()

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            lost.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await end(task)
    assert lost.is_set() and task.cancelled()


async def test_ending_nothing_or_what_has_ended_is_fine() -> None:
    task = asyncio.create_task(asyncio.sleep(0))
    await task
    await end()
    await end(task)
