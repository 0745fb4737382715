"""What each token has written last, for an hour, so that its later reads can wait for it: you read what you wrote."""

from collections import OrderedDict
from typing import Final

from adapters.redis_link import RedisAway, RedisLink

KEPT_S: Final = 3600
UNTOLD_MAX: Final = 10_000


class Positions:
    """Token → (epoch, position) in Redis. Losing Redis makes reads wait a little longer, never fail.

    What Redis could not be told this process remembers itself, for when Redis is back and knows nothing of it.
    """

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._untold: OrderedDict[int, tuple[str, int]] = OrderedDict()

    async def remember(self, token: int, epoch: str, position: int) -> None:
        """Note the position of a write. Without Redis the write stands all the same."""
        try:
            await self._link.ask(lambda redis: redis.set(f"written:{token}", f"{epoch}:{position}", ex=KEPT_S))
        except RedisAway:
            self._untold[token] = epoch, position
            self._untold.move_to_end(token)
            if len(self._untold) > UNTOLD_MAX:
                self._untold.popitem(last=False)
        else:
            self._untold.pop(token, None)

    async def last_of(self, token: int, epoch: str) -> int | None:
        """The position of the token's last write, 0 when there was none lately, None when Redis does not answer."""
        try:
            found: str | None = await self._link.ask(lambda redis: redis.get(f"written:{token}"))  # pyright: ignore[reportAssignmentType]
        except RedisAway:
            return None
        written, _, position = (found or ":0").partition(":")
        untold = self._untold.get(token, (epoch, 0))
        return max(int(position) if written == epoch else 0, untold[1] if untold[0] == epoch else 0)
