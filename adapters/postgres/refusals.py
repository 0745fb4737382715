"""Refused at the door: how often, from whom and why, by the hour. Nothing of what was sent is kept.

Anybody may knock under any name, so it is counted in memory and written now and then, and both are bounded: in one
hour so many hosts are told apart, all others are counted together.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Literal

from adapters.postgres.short_statements import Pool, ShortStatements
from adapters.tasks import end
from adapters.unavailable import Unavailable

HOSTS_AN_HOUR_MAX = 1_000
BUFFERED_MAX = 10_000
FLUSH_EVERY_S = 10.0
KEPT_FOR = timedelta(days=30)
OTHERS = "*"
_log = logging.getLogger(__name__)

Reason = Literal[
    "size", "content type", "not JSON", "no activity", "unknown actor", "signature", "no key", "key not there", "gone"
]

# Adds to what another process may have counted in the same hour.
_ADD = """
    INSERT INTO app.refusals (hour, host, reason, count)
    SELECT * FROM unnest(%(hours)s::timestamptz[], %(hosts)s::text[], %(reasons)s::text[], %(counts)s::bigint[])
    ON CONFLICT (hour, host, reason) DO UPDATE SET count = refusals.count + excluded.count
"""
_FORGET = "DELETE FROM app.refusals WHERE hour < %(before)s"


class Refusals:
    """Counts refusals. One a process; nothing is written outside of `running`. `told` hears of each at once."""

    def __init__(self, pool: Pool, now: Callable[[], datetime], told: Callable[[Reason], None] | None = None) -> None:
        self._sql = ShortStatements(pool)
        self._now = now
        self._told = told
        self._counts: Counter[tuple[datetime, str, Reason]] = Counter()
        self._hour: datetime | None = None
        self._hosts: set[str] = set()

    def count(self, host: str, reason: Reason) -> None:
        """One more from `host`, as the sender claims to be; "" where it claims nothing."""
        if self._told is not None:
            self._told(reason)
        hour = self._now().replace(minute=0, second=0, microsecond=0)
        if hour != self._hour:
            self._hour, self._hosts = hour, set()
        if host not in self._hosts:
            if len(self._hosts) >= HOSTS_AN_HOUR_MAX:
                host = OTHERS
            self._hosts.add(host)
        key = (hour, host, reason)
        # Only a database that stays away for hours fills the buffer; then what is new goes uncounted.
        if key in self._counts or len(self._counts) < BUFFERED_MAX:
            self._counts[key] += 1

    async def flush(self) -> None:
        """Write what was counted. Raises Unavailable, and then keeps it."""
        counts, self._counts = self._counts, Counter()
        if not counts:
            return
        values = {
            "hours": [hour for hour, _, _ in counts],
            "hosts": [host for _, host, _ in counts],
            "reasons": [reason for _, _, reason in counts],
            "counts": list(counts.values()),
        }
        try:
            await self._sql.run(_ADD, values)
        except Unavailable:
            self._counts += counts
            raise

    async def forget(self) -> None:
        """Delete what is older than 30 days. Raises Unavailable."""
        await self._sql.run(_FORGET, {"before": self._now() - KEPT_FOR})

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Write every ten seconds while this is open, and once at its end."""
        writing = asyncio.create_task(self._keep_writing(), name="write refusals")
        try:
            yield
        finally:
            await end(writing)
            await self._write()

    async def _keep_writing(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_EVERY_S)
            await self._write()

    async def _write(self) -> None:
        try:
            if self._counts:
                await self.flush()
        except Unavailable as error:
            _log.warning("refusals can't be written: %s", error)
