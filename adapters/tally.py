"""What the processes behind count, added up in Redis: so it is one number however many of them there are.

Counts are written every few seconds and go on over restarts; with Redis they are lost, which whoever reads counters is
used to. Nothing depends on them.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import redis.asyncio as redis
from redis.exceptions import RedisError

from adapters.tasks import end

KEY: Final = "daybook:tally"
WRITE_EVERY_S: Final = 5.0
TIMEOUT_S: Final = 1.0
_log = logging.getLogger(__name__)

BETWEEN: Final = "\t"

Name = tuple[str, ...]
"""What is counted, and its labels' values: none holds a tab."""


class Tally:
    """Counts things by name. From one thread; written while `running`, and once at its end."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(  # pyright: ignore[reportUnknownMemberType] - its keyword types are open
            url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, decode_responses=True
        )
        self._counts: Counter[Name] = Counter()

    def count(self, *name: str) -> None:
        """One more of this."""
        self._counts[name] += 1

    async def write(self) -> None:
        """Add what was counted to what everybody counted; kept for the next time when Redis does not answer."""
        counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            async with self._redis.pipeline(transaction=True) as pipeline:
                for name, count in counts.items():
                    pipeline.hincrby(KEY, BETWEEN.join(name), count)
                await pipeline.execute()
        except (RedisError, OSError) as error:
            self._counts += counts
            _log.debug("counts are not written now: %s", error)

    async def read(self) -> dict[Name, int] | None:
        """All that everybody counted, as far as it was written; None when Redis does not answer."""
        try:
            found = await self._redis.hgetall(KEY)
        except (RedisError, OSError) as error:
            _log.debug("counts can't be read: %s", error)
            return None
        return {tuple(str(name).split(BETWEEN)): int(count) for name, count in found.items()}

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Write every few seconds while this is open."""
        writing = asyncio.create_task(self._keep_writing(), name="write counts")
        try:
            yield
        finally:
            await end(writing)
            await self.write()
            await self._redis.aclose()

    async def _keep_writing(self) -> None:
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            await self.write()
