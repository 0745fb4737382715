"""How a part that uses the whole composition lives: with a Server, and with a new one after the database went away."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final

from adapters.config import Settings
from adapters.postgres.tailing import DatabaseTrouble
from adapters.unavailable import Unavailable
from adapters.wiring import Server

RETRY_S: Final = 1.0
STOPPED_EVERY_S: Final = 0.2
_log = logging.getLogger("daybook.behind")

Life = Callable[[Server, asyncio.Event], Awaitable[None]]


def live(settings: Settings, stopping: threading.Event, life: Life) -> None:
    """Run `life` on an event loop of this thread's own until `stopping` is set; it is told by an asyncio.Event.

    A database that does not answer is waited for. Raises SettingsError, and what `life` raises.
    """
    asyncio.run(_live(settings, stopping, life))


async def _live(settings: Settings, stopping: threading.Event, life: Life) -> None:
    stopped = asyncio.Event()
    telling = asyncio.create_task(_tell(stopping, stopped), name="tell when to stop")
    while not stopped.is_set():
        try:
            server = await asyncio.to_thread(partial(Server, settings, answers=False))
            async with server.running():
                await life(server, stopped)
        except (DatabaseTrouble, Unavailable) as error:
            _log.warning("the database does not go along (%s); it is tried again", str(error).strip())
            await until(stopped, RETRY_S)
    await telling


async def until(event: asyncio.Event, timeout_s: float) -> bool:
    """Wait until the event is set, at most so long; whether it is."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), timeout_s)
    return event.is_set()


async def _tell(stopping: threading.Event, stopped: asyncio.Event) -> None:
    # A thread that waited for the event would have to be waited for in turn, whenever a life ends by an error.
    while not stopping.is_set():  # noqa: ASYNC110
        await asyncio.sleep(STOPPED_EVERY_S)
    stopped.set()
