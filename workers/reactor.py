"""`daybook react`: acts upon what happened: tells other servers, answers follows, has things fetched.

It follows the facts by effective position behind the live tables, works out what follows from each batch, dispatches
the commands and then writes the rest with its checkpoint. A replay never comes here: it acts upon nothing.
"""

import asyncio
import logging
import threading
from collections.abc import Sequence

from adapters.config import Settings
from adapters.postgres.jobs import Asked
from adapters.postgres.tailing import DatabaseTrouble
from adapters.reacting import Batch, Failure, Happened, Reacting, Send
from adapters.unavailable import Unavailable
from adapters.wiring import Server
from domain.account import ProfileChanged
from domain.events import Refused
from domain.ports import Conflict, FactsBehind
from workers.lives import live, until
from workers.reactors import deliveries, fetches, follows
from workers.reactors.follows import Decide
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
        self._reacting = Reacting(dsn, server.codec, server.settings.origin)

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
                world = self._world()
                batch = await self._reacting.next(world.view, position, deliveries.KINDS, follows.KINDS)
                if batch.to > position:
                    await self._act(batch, world)
                    position = batch.to
                    await until(self._stopped, LINGER_S)
                else:
                    # A crash of the database takes the connection, the lock and the last commits; nobody else says so.
                    position = await asyncio.to_thread(self._reacting.position)
            except (Unavailable, FactsBehind, Conflict) as error:
                _log.warning("reacting waits: %s", error)
                await until(self._stopped, POLL_S)

    def _world(self) -> World:
        server, settings = self._server, self._server.settings
        return World(server.reads.view(), server.actor_keys, settings.origin, settings.domain)

    async def _act(self, batch: Batch, world: World) -> None:
        sends: list[Send] = []
        failures: list[Failure] = []
        for happened in batch.happened:
            try:
                sends += await self._react(happened, world)
            except (Unavailable, FactsBehind, Conflict, MemoryError, DatabaseTrouble):
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not stop the line
                # Trying again would fail the same; what comes behind must not wait for it.
                _log.exception("fact %d.%d can't be acted upon and is set aside", happened.position, happened.n)
                failures.append(Failure(happened.position, happened.n, f"raised {type(error).__name__}"))
        asked: list[Asked] = [*await fetches.above(batch.orphans, world)]
        for happened in batch.happened:
            asked += await fetches.once_followed(happened, world)
        for claim, uri in zip(batch.waiting, batch.waits_for, strict=True):
            asked += await fetches.waited_for(claim, uri, world)
        await asyncio.to_thread(self._reacting.commit, sends, asked, failures, batch.to)

    async def _react(self, happened: Happened, world: World) -> Sequence[Send]:
        sends = list(await deliveries.told(happened, world)) if happened.event is not None else []
        match happened.kind:
            case "follow.requested" if happened.claim is not None:
                decisions, more = await follows.asked(happened, world)
                sends += more
            case "account.blocked":
                decisions = await follows.parted(happened, world)
            case "account.profile_changed" if isinstance(happened.event, ProfileChanged):
                decisions = await follows.unlocked(happened.event, happened.position, world)
            case "account.moved" if happened.verdict == "applied" and happened.object is not None:
                decisions = await follows.moved(happened, world, happened.object, self._new_request)
            case _:
                decisions = ()
        await self._decide(decisions)
        return sends

    async def _decide(self, decisions: Sequence[Decide]) -> None:
        for decision in decisions:
            try:
                await self._server.do(decision.concept, decision.command)
            except Refused as refused:
                _log.info("what followed from an activity is refused: %s", refused.reason)

    def _new_request(self, follower: int) -> str:
        return f"{self._server.settings.origin}/ap/users/{follower}/follows/{self._server.ids.next()}"
