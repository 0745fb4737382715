"""Idempotency keys: under which id something was first asked for, for an hour, so that asking again changes nothing.

What is kept is the id, taken before anything is decided. Whoever asks again, even at the same moment, gets the same id
and decides on the same stream, where "already so" is silence: no lock, and nothing half done.
(Mastodon documentation, "Post a new status", header Idempotency-Key.)
"""

import hashlib
from typing import Final

from adapters.redis_link import RedisAway, RedisLink

KEPT_S: Final = 3600


class Idempotency:
    """(account, key) → id in Redis. Losing Redis forgets keys; it refuses nobody."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def first(self, account: int, key: str, proposed: int) -> int:
        """The id first proposed under this account's key: `proposed`, unless somebody was here within the hour."""
        name = f"asked:{account}:{hashlib.sha256(key.encode()).hexdigest()}"
        try:
            if await self._link.ask(lambda redis: redis.set(name, str(proposed), ex=KEPT_S, nx=True)):
                return proposed
            found: str | None = await self._link.ask(lambda redis: redis.get(name))  # pyright: ignore[reportAssignmentType]
        except RedisAway:
            return proposed
        return proposed if found is None else int(found)
