"""What each token has written last, for an hour, so that its later reads can wait for it: you read what you wrote."""

import logging

import redis.asyncio as redis
from redis.exceptions import RedisError

KEPT_S = 3600
TIMEOUT_S = 1.0
_log = logging.getLogger(__name__)


class Positions:
    """Token → (epoch, position) in Redis. Losing Redis makes reads wait a little longer, never fail."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(  # pyright: ignore[reportUnknownMemberType] - its keyword types are open
            url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, decode_responses=True
        )

    async def remember(self, token: int, epoch: str, position: int) -> None:
        """Note the position of a write. A failure is logged: the write itself stands."""
        try:
            await self._redis.set(f"written:{token}", f"{epoch}:{position}", ex=KEPT_S)
        except (RedisError, OSError) as error:
            _log.warning("a write is not remembered: %s", error)

    async def last_of(self, token: int, epoch: str) -> int | None:
        """The position of the token's last write, 0 when there was none lately, None when Redis does not answer."""
        try:
            found: str | None = await self._redis.get(f"written:{token}")  # pyright: ignore[reportAssignmentType]
        except (RedisError, OSError) as error:
            _log.warning("the last write is not known: %s", error)
            return None
        written, _, position = (found or ":0").partition(":")
        return int(position) if written == epoch else 0

    async def aclose(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
