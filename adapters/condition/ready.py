"""Whether this process can answer what it is asked: for whoever sends requests here, or elsewhere meanwhile."""

import asyncio
import time
from typing import Final

from adapters.condition.finding import span
from adapters.condition.reading import BEHIND_MAX
from adapters.postgres.reads import GONE, Reads
from adapters.unavailable import Unavailable

PATIENCE_S: Final = 2.0
# Anybody may ask; the database is asked once a second at most.
KNOWN_FOR_S: Final = 1.0
STUCK_S_MAX: Final = 60.0


class Progress:
    """How the read models follow the log, from one look to the next."""

    def __init__(self) -> None:
        self._stuck: tuple[int, float] | None = None

    def lacking(self, head: int, projected: int, now: float) -> list[str]:
        """What is wrong with the log's `head` and what is `projected` at the time `now`, in seconds of any clock."""
        behind = max(0, head - projected)
        if not behind:
            self._stuck = None
        elif self._stuck is None or self._stuck[0] != projected:
            self._stuck = projected, now
        if behind > BEHIND_MAX:
            return [f"The read models are {behind:,} events behind the log, which is more than {BEHIND_MAX:,}."]
        if self._stuck is not None and now - self._stuck[1] > STUCK_S_MAX:
            stuck = span(now - self._stuck[1])
            return [f"The read models are {behind:,} events behind the log and have not moved for {stuck}."]
        return []


class Ready:
    """Looks at the database and at how far the read models are behind."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._lock = asyncio.Lock()
        self._known: list[str] = []
        self._known_at = float("-inf")
        self._progress = Progress()

    async def reasons(self) -> list[str]:
        """Why not, a sentence each; none when it is ready."""
        async with self._lock:
            if time.monotonic() - self._known_at > KNOWN_FOR_S:
                self._known = await self._look()
                self._known_at = time.monotonic()
            return self._known

    async def _look(self) -> list[str]:
        try:
            view = self._reads.view()
        except Unavailable:
            return ["The read models are not made by this code; they are being built, or the database was never seen."]
        try:
            async with asyncio.timeout(PATIENCE_S):
                head, _ = await self._reads.head()
                await view.position()
        except Unavailable as error:
            return ["The read models are gone."] if GONE in str(error) else ["The database does not answer."]
        except TimeoutError:
            return [f"The database does not answer within {PATIENCE_S:.0f} s."]
        return self._progress.lacking(head, head - self._reads.behind(head), time.monotonic())
