"""Hosts that were given up and speak again: whoever sends something validly signed is there to be sent to."""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from adapters.postgres.outbox import ALIVE, CHANNEL, authority_of
from adapters.postgres.short_statements import Pool, ShortStatements

ASK_EVERY: Final = timedelta(seconds=10)
HOSTS_MAX: Final = 10_000


class HostLife:
    """Looks a host up at most every ten seconds, so that a busy one costs nothing."""

    def __init__(self, pool: Pool, now: Callable[[], datetime]) -> None:
        self._sql = ShortStatements(pool)
        self._now = now
        self._heard: OrderedDict[str, datetime] = OrderedDict()

    async def heard_from(self, uri: str) -> None:
        """Something came from the host of this URI: its failures are forgotten. Raises Unavailable."""
        host, now = authority_of(uri), self._now()
        last = self._heard.get(host)
        if last is not None and now < last + ASK_EVERY:
            return
        self._heard[host] = now
        self._heard.move_to_end(host)
        if len(self._heard) > HOSTS_MAX:
            self._heard.popitem(last=False)
        await self._sql.run(ALIVE, {"host": host, "channel": CHANNEL})
