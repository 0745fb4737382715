"""Idempotency keys: under which id something was first asked for, for an hour, so that asking again changes nothing.

What is kept is the id, taken before anything is decided. Whoever asks again, even at the same moment, gets the same id
and decides on the same stream, where "already so" is silence: no lock, and nothing half done.
(Mastodon documentation, "Post a new status", header Idempotency-Key.)
"""

import hashlib
import logging

import redis.asyncio as redis
from redis.exceptions import RedisError

KEPT_S = 3600
TIMEOUT_S = 1.0
_log = logging.getLogger(__name__)


class Idempotency:
    """(account, key) → id in Redis. Losing Redis forgets keys; it refuses nobody."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(  # pyright: ignore[reportUnknownMemberType] - its keyword types are open
            url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, decode_responses=True
        )

    async def first(self, account: int, key: str, proposed: int) -> int:
        """The id first proposed under this account's key: `proposed`, unless somebody was here within the hour."""
        name = f"asked:{account}:{hashlib.sha256(key.encode()).hexdigest()}"
        try:
            if await self._redis.set(name, str(proposed), ex=KEPT_S, nx=True):
                return proposed
            found: str | None = await self._redis.get(name)  # pyright: ignore[reportAssignmentType]
        except (RedisError, OSError) as error:
            _log.warning("an idempotency key is not remembered: %s", error)
            return proposed
        return proposed if found is None else int(found)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
