"""Ending background tasks for certain."""

import asyncio
from typing import Any

ASK_AGAIN_S = 0.5


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks until they are done.

    Once is not enough: up to Python 3.11 `asyncio.wait_for`, which connection pools are made with, loses a
    cancellation that arrives in the moment when what it waits for is done.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=ASK_AGAIN_S)
