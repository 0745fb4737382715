"""Redis for small questions on whose answer nobody may have to wait: what is not answered soon is done without."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionBroke
from redis.exceptions import RedisError

from adapters.outage import Outage

TIMEOUT_S: Final = 1.0
T = TypeVar("T")


class RedisAway(Exception):
    """Redis does not answer; who asked does without."""


class RedisLink:
    """One process's way to Redis. While it is away only one caller every two seconds finds out whether it is back."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(  # pyright: ignore[reportUnknownMemberType] - its keyword types are open
            url,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            decode_responses=True,
            # A connection that a restart broke is made anew at once; what is silent is not waited for twice.
            retry=Retry(NoBackoff(), 1, (ConnectionBroke,)),
        )
        self._outage = Outage(
            "Redis",
            "reads wait for the log's head rather than one's own last write, Idempotency-Keys hold in one process",
        )

    async def ask(self, call: Callable[[redis.Redis], Awaitable[T]]) -> T:
        """The answer, within two seconds. Raises RedisAway."""
        if not self._outage.worth_asking():
            raise RedisAway
        try:
            answer = await call(self._redis)
        except (RedisError, OSError) as error:
            self._outage.failed(error)
            raise RedisAway from error
        self._outage.answered()
        return answer

    async def aclose(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
