"""Idempotency keys: under which id something was first asked for, for an hour, so that asking again changes nothing.

What is kept is the id, taken before anything is decided. Whoever asks again, even at the same moment, gets the same id
and decides on the same stream, where "already so" is silence: no lock, and nothing half done.
(Mastodon documentation, "Post a new status", header Idempotency-Key.)
"""

import hashlib
import time
from collections import OrderedDict
from typing import Final

from adapters.redis_link import RedisAway, RedisLink

KEPT_S: Final = 3600
REMEMBERED_MAX: Final = 10_000


class Idempotency:
    """(account, key) → id in Redis, and the latest in this process, too. Losing Redis refuses nobody.

    While Redis is away, only what is asked again of the same process changes nothing.
    """

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._here: OrderedDict[str, tuple[int, float]] = OrderedDict()

    async def first(self, account: int, key: str, proposed: int) -> int:
        """The id first proposed under this account's key: `proposed`, unless somebody was here within the hour."""
        name = f"asked:{account}:{hashlib.sha256(key.encode()).hexdigest()}"
        if (known := self._known(name)) is not None:
            return known
        found: str | None = None
        try:
            if not await self._link.ask(lambda redis: redis.set(name, str(proposed), ex=KEPT_S, nx=True)):
                found = await self._link.ask(lambda redis: redis.get(name))  # pyright: ignore[reportAssignmentType]
        except RedisAway:
            # Somebody else may have asked the same while this waited.
            if (known := self._known(name)) is not None:
                return known
        self._here[name] = (proposed if found is None else int(found)), time.monotonic()
        if len(self._here) > REMEMBERED_MAX:
            self._here.popitem(last=False)
        return self._here[name][0]

    def _known(self, name: str) -> int | None:
        number, since_s = self._here.get(name, (None, 0.0))
        return number if time.monotonic() - since_s < KEPT_S else None
