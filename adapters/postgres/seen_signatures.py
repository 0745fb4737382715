"""Signatures seen: remembered by the append itself, and forgotten here once they are too old to be taken again."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from adapters.activitypub.signatures import LIFE_MAX, SKEW
from adapters.postgres.short_statements import Pool, ShortStatements
from adapters.tasks import end
from adapters.unavailable import Unavailable

# A signature may be made an hour from now and live for twelve more; from then on the check of its time refuses it.
KEPT_FOR = SKEW + LIFE_MAX
FORGET_EVERY_S = 300.0
_log = logging.getLogger(__name__)

# By the database's clock alone, which also wrote `seen_at`.
_FORGET = "DELETE FROM app.signatures WHERE seen_at < now() - %(kept_for)s"


class SeenSignatures:
    """Keeps the memory of signatures as short as it may be. Nothing is deleted outside of `running` or `forget`."""

    def __init__(self, pool: Pool, every_s: float = FORGET_EVERY_S) -> None:
        self._sql = ShortStatements(pool)
        self._every_s = every_s

    async def forget(self) -> int:
        """Delete what is too old to be replayed; gives how many. Raises Unavailable."""
        return await self._sql.run(_FORGET, {"kept_for": KEPT_FOR})

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Forget every five minutes while this is open; what runs for less long has no part in it."""
        forgetting = asyncio.create_task(self._keep_forgetting(), name="forget signatures")
        try:
            yield
        finally:
            await end(forgetting)

    async def _keep_forgetting(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self.forget()
            except Unavailable as error:
                _log.warning("old signatures can't be forgotten: %s", error)
