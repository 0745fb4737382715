"""What each token has written last, for an hour, so that its later reads can wait for it: you read what you wrote.

Redis holds it for all processes and tells them of each write, before that is answered. So a process knows by itself
of the tokens that it has asked Redis about once, for as long as it hears what is told.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final, cast

import redis.asyncio as redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionBroke
from redis.exceptions import RedisError

from adapters.redis_link import TIMEOUT_S, RedisAway, RedisLink

KEPT_S: Final = 3600
UNTOLD_MAX: Final = 10_000
KNOWN_MAX: Final = 10_000
RETRY_S: Final = 1.0
# How long the connection may be silent before it is asked whether it is still there.
SILENCE_S_MAX: Final = 15.0
CHANNEL: Final = "daybook:written"
_log = logging.getLogger(__name__)


class Positions:
    """(epoch, token) → position in Redis. Losing Redis makes reads wait a little longer, never fail.

    What Redis could not be told this process remembers itself, for when Redis is back and knows nothing of it. Other
    processes don't learn of it: there a read may come before its write is projected (ADR 19).
    """

    def __init__(self, link: RedisLink, url: str) -> None:
        self._link = link
        self._untold: OrderedDict[int, tuple[str, int]] = OrderedDict()
        self._to_tell: dict[int, tuple[str, int]] = {}
        self._telling: asyncio.Task[None] | None = None
        # Connecting again by itself it would miss what is told meanwhile, and not say so.
        self._told_by = redis.Redis.from_url(  # pyright: ignore[reportUnknownMemberType] - its keyword types are open
            url, socket_connect_timeout=TIMEOUT_S, decode_responses=True, retry=Retry(NoBackoff(), 0)
        )
        self._known: OrderedDict[tuple[str, int], int] = OrderedDict()
        self._listening = False
        # Counts what was told: an answer asked for before must not be remembered after it.
        self._changes = 0

    async def remember(self, token: int, epoch: str, position: int) -> None:
        """Note the position of a write. Without Redis the write stands all the same."""
        # This process's own reads are not to wait for what it tells the others.
        self._hear(token, epoch, position)
        if self._telling is None or not self._to_tell:
            self._telling = asyncio.create_task(self._tell(), name="tell what was written")
        before = self._to_tell.get(token, (epoch, 0))
        self._to_tell[token] = epoch, max(position, before[1] if before[0] == epoch else 0)
        # Others' writes are told by it, too: who goes away does not end it.
        await asyncio.shield(self._telling)

    async def _tell(self) -> None:
        """Tell of all that comes in the same turn of the loop: what one commit has stored is told together."""
        told, self._to_tell = self._to_tell, {}
        try:
            await self._link.ask(lambda redis: _told(redis, told))
        except RedisAway:
            self._untold |= told
            for token in told:
                self._untold.move_to_end(token)
            while len(self._untold) > UNTOLD_MAX:
                self._untold.popitem(last=False)
        else:
            for token in told:
                self._untold.pop(token, None)

    def known(self, token: int, epoch: str) -> int | None:
        """The position of the token's last write, 0 when there was none lately; None when Redis has to be asked."""
        return self._known.get((epoch, token))

    async def last_of(self, token: int, epoch: str) -> int | None:
        """The position of the token's last write, 0 when there was none lately, None when Redis does not answer."""
        known = self.known(token, epoch)
        if known is not None:
            return known
        changes = self._changes
        try:
            found: str | None = await self._link.ask(lambda redis: redis.get(f"written:{token}"))  # pyright: ignore[reportAssignmentType]
        except RedisAway:
            return None
        written, _, position = (found or ":0").partition(":")
        untold = self._untold.get(token, (epoch, 0))
        last = max(int(position) if written == epoch else 0, untold[1] if untold[0] == epoch else 0)
        if changes == self._changes:
            self._keep(token, epoch, last)
        return last

    async def keep_current(self) -> None:
        """Listens for ever to what is written through other processes; run it as a task."""
        while True:
            try:
                async with self._told_by.pubsub() as channel:  # pyright: ignore[reportUnknownMemberType]
                    await channel.subscribe(CHANNEL)  # pyright: ignore[reportUnknownMemberType] - its types are open
                    await self._listen(channel)
            except (RedisError, OSError) as error:
                # That Redis is away says whoever asks it something, once.
                _log.debug("each read asks for its last write: %s", error)
            finally:
                self._listening = False
                self._changes += 1
                self._known.clear()
            await asyncio.sleep(RETRY_S)

    async def _listen(self, channel: PubSub) -> None:
        """Raises RedisError when there is nothing more to hear."""
        asked = False
        while True:
            message = cast("dict[str, str] | None", await channel.get_message(timeout=SILENCE_S_MAX))  # pyright: ignore[reportUnknownMemberType]
            if message is None and asked:
                raise ConnectionBroke("Redis is silent")
            asked = message is None
            if message is None:
                # A connection that died without a word would look like silence for ever.
                await channel.ping()  # pyright: ignore[reportUnknownMemberType]
            elif message["type"] == "subscribe":
                # What was asked before may have been answered before a write that nobody told us of.
                self._changes += 1
                self._listening = True
            elif message["type"] == "message":
                token, epoch, position = message["data"].split(":")
                self._hear(int(token), epoch, int(position))

    def _hear(self, token: int, epoch: str, position: int) -> None:
        self._changes += 1
        # Two processes may tell of one token out of order.
        self._keep(token, epoch, max(position, self._known.get((epoch, token), 0)))

    def _keep(self, token: int, epoch: str, position: int) -> None:
        if not self._listening:
            return
        self._known[epoch, token] = position
        self._known.move_to_end((epoch, token))
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)

    async def aclose(self) -> None:
        """Close the connection that listens; the link is others' too."""
        await self._told_by.aclose()


async def _told(redis: redis.Redis, written: Mapping[int, tuple[str, int]]) -> None:
    """Keep them, and tell the other processes, in one round trip."""
    async with redis.pipeline(transaction=True) as together:
        for token, (epoch, position) in written.items():
            together.set(f"written:{token}", f"{epoch}:{position}", ex=KEPT_S)
            together.publish(CHANNEL, f"{token}:{epoch}:{position}")  # pyright: ignore[reportUnknownMemberType]
        await together.execute()
