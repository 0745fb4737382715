"""`daybook react`: acts upon what happened: tells other servers, answers follows, has things fetched.

It follows the facts by effective position behind the live tables, works out what follows from each batch, dispatches
the commands and then writes the rest with its checkpoint. A replay never comes here: it acts upon nothing.
"""

import asyncio
import logging
import threading

from adapters.config import Settings
from adapters.postgres.jobs import Asked
from adapters.postgres.tailing import DatabaseTrouble
from adapters.reacting import Batch, Failure, Reacting, Reading, Send
from adapters.unavailable import Unavailable
from adapters.wiring import Server
from domain.ports import Conflict, FactsBehind
from workers.lives import live, until
from workers.reactors import consequences, deliveries, fetches, follows
from workers.reactors.consequences import decide, later, world_of
from workers.reactors.world import World

POLL_S = 1.0
# Nobody elsewhere notices it, and where events come fast a few together cost hardly more than one.
LINGER_S = 0.02
_log = logging.getLogger("daybook.react")


def react(settings: Settings, stopping: threading.Event) -> None:
    """React until `stopping` is set. A database that does not answer is waited for; nothing is skipped for it."""
    live(settings, stopping, lambda server, stopped: _Reactor(server, stopped).run())


class _Reactor:
    """One life of the reactor: the composition, and a connection of its own that holds the lock."""

    def __init__(self, server: Server, stopped: asyncio.Event) -> None:
        dsn = server.settings.database_app_url
        assert dsn is not None, "settings must be attached first"
        self._server = server
        self._stopped = stopped
        self._reacting = Reacting(dsn)
        self._reading = Reading(server.codec, server.settings.origin)

    async def run(self) -> None:
        try:
            while not self._stopped.is_set():
                if await asyncio.to_thread(self._reacting.claim):
                    await self._follow()
                else:
                    await until(self._stopped, POLL_S)
        finally:
            self._reacting.close()

    async def _follow(self) -> None:
        position = await asyncio.to_thread(self._reacting.position)
        while not self._stopped.is_set():
            # Heard by NOTIFY; looked at every second all the same, as a crash may have taken a word of it away.
            await self._server.reads.caught_up(position + 1, timeout_s=POLL_S)
            try:
                world = world_of(self._server)
                batch = await self._reading.next(world.view, position, deliveries.KINDS, follows.KINDS)
                if batch.to > position:
                    await self._act(batch, world)
                    position = batch.to
                    await until(self._stopped, LINGER_S)
                else:
                    # A crash of the database takes the connection, the lock and the last commits; nobody else says so.
                    position = await asyncio.to_thread(self._reacting.position)
            except Unavailable as error:
                _log.warning("reacting waits: %s", error)
                await until(self._stopped, POLL_S)

    async def _act(self, batch: Batch, world: World) -> None:
        sends: list[Send] = []
        failures: list[Failure] = []
        asked: list[Asked] = [*await fetches.above(batch.orphans, world)]
        behind = False
        for happened in batch.happened:
            try:
                more, decisions = await consequences.of(happened, world, self._server)
                sends += more
                if decisions and behind:
                    # The first has waited for the facts, and in vain: the others need not wait as long again.
                    asked.append(later(happened))
                else:
                    await decide(decisions, self._server)
            except (FactsBehind, Conflict) as error:
                _log.warning("what follows from fact %d.%d is decided later: %s", happened.position, happened.n, error)
                asked.append(later(happened))
                behind = behind or isinstance(error, FactsBehind)
            except (Unavailable, MemoryError, DatabaseTrouble):
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not stop the line
                # Trying again would fail the same; what comes behind must not wait for it.
                _log.exception("fact %d.%d can't be acted upon and is set aside", happened.position, happened.n)
                failures.append(Failure(happened.position, happened.n, f"raised {type(error).__name__}"))
        for happened in batch.happened:
            asked += await fetches.once_followed(happened, world)
        for claim, uri in zip(batch.waiting, batch.waits_for, strict=True):
            asked += await fetches.waited_for(claim, uri, world)
        await asyncio.to_thread(self._reacting.commit, sends, asked, failures, batch.to)
