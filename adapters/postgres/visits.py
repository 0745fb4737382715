"""Visits: when somebody was last here, in schema `app`, so that it can be decided who is away."""

import datetime as dt
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, LiteralString

from adapters.postgres.reads import View
from adapters.postgres.short_statements import Pool, ShortStatements
from adapters.unavailable import Unavailable
from projections.home_turns import home_kept_now

NOTED_EVERY: Final = dt.timedelta(hours=1)
NOTED_MAX: Final = 10_000
# How long nobody is noted after that failed, so that not every request waits for what fails.
TRY_AGAIN_S: Final = 2.0
log = logging.getLogger("daybook.visits")


class Visits:
    """Notes who is here, each once an hour; remembers at most NOTED_MAX of them, and notes the others more often."""

    def __init__(
        self, pool: Pool, now: Callable[[], dt.datetime], clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._sql = ShortStatements(pool)
        self._now = now
        self._clock_s = clock_s
        self._noted: OrderedDict[int, dt.datetime] = OrderedDict()
        self._try_at_s = clock_s()

    async def note(self, account: int) -> None:
        """This account is here now. Where that can't be written down (the disk is full), whoever asks goes on."""
        now = self._now()
        noted = self._noted.get(account)
        if (noted is not None and now - noted < NOTED_EVERY) or self._clock_s() < self._try_at_s:
            return
        try:
            await self._sql.run(NOTE, {"account": account, "now": now})
        except Unavailable as error:
            self._try_at_s = self._clock_s() + TRY_AGAIN_S
            log.warning("who is here can't be noted and is answered all the same: %s", error.__cause__ or error)
            return
        self._noted[account] = now
        self._noted.move_to_end(account)
        if len(self._noted) > NOTED_MAX:
            self._noted.popitem(last=False)


# Writes a visit down; one that is noted late moves nothing back.
NOTE = """
    INSERT INTO app.visits AS v (account, last_at) VALUES (%(account)s, %(now)s)
    ON CONFLICT (account) DO UPDATE SET last_at = excluded.last_at WHERE v.last_at < excluded.last_at
"""

# Who has not been here lately and still has a home; who never was has been since they could. That a home was dropped
# may have been set aside, as this code fails on it: it still stands then, and nothing but a rebuild can take it away.
_AWAY: LiteralString = """
    SELECT u.account, coalesce(v.last_at, u.created_at) FROM app.users u LEFT JOIN app.visits v USING (account)
    WHERE coalesce(v.last_at, u.created_at) <= %(before)s::timestamptz AND :kept AND NOT EXISTS (
        SELECT FROM log.events e JOIN parked p ON p.received_at_position = e.notification_id AND p.waits_for IS NULL
        WHERE e.originator_id = 'home:' || u.account)
    ORDER BY u.account LIMIT %(most)s::bigint
"""


async def away(view: View, before: dt.datetime, most: int) -> list[tuple[int, dt.datetime]]:
    """Accounts last here `before` then, with when that was, whose homes are kept as far as is projected.

    Raises Unavailable.
    """
    rows = await view.execute(_AWAY.replace(":kept", home_kept_now("u.account")), {"before": before, "most": most})
    return [(account, last_at) for account, last_at in rows]
