"""The condition as a running instance knows it: measured now and then, however often it is asked for."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

import psycopg

from adapters.condition.disk import Room, is_embedded, judge_disk, room
from adapters.condition.finding import Finding, wrong
from adapters.condition.measured import Measured, asking, judged, measure

# Scrapes come every 15 or 30 s; several who scrape cost no more than one.
MEASURED_FOR_S: Final = 10.0
# Walks through all pictures, which may take longer than whoever asks will wait.
ROOM_FOR_S: Final = 600.0
ROOM_PATIENCE_S: Final = 2.0
T = TypeVar("T")


class Renewed(Generic[T]):
    """Something that is made anew when it is asked for and older than `for_s`: once for all who ask, and to its end
    whoever goes away meanwhile.
    """

    def __init__(self, make: Callable[[], Awaitable[T | None]], for_s: float) -> None:
        self._make = make
        self._for_s = for_s
        self._made_at = float("-inf")
        self._made: T | None = None
        self._making: asyncio.Task[None] | None = None

    async def value(self, patience_s: float | None = None) -> T | None:
        """The newest there is within `patience_s`, or whenever it is made; None while there is none."""
        if self._making is None and time.monotonic() - self._made_at > self._for_s:
            self._making = asyncio.create_task(self._renew(), name="measure")
        if self._making is not None:
            await asyncio.wait([self._making], timeout=patience_s)
        return self._made

    async def _renew(self) -> None:
        try:
            self._made = await self._make()
        finally:
            self._made_at = time.monotonic()
            self._making = None


class Sampled:
    """Measures at most every ten seconds."""

    def __init__(self, url: str, data: Path) -> None:
        self._url = url
        self._data = data
        self._measured = Renewed(self._measure, MEASURED_FOR_S)
        self._room = Renewed(self._look, ROOM_FOR_S)

    async def measured(self) -> Measured | None:
        """What PostgreSQL said; None when it does not answer."""
        return await self._measured.value()

    async def room(self) -> Room | None:
        """Room on the disk and the weight of pictures; None where there is no data folder, or it is not known yet."""
        return await self._room.value(ROOM_PATIENCE_S)

    async def findings(self) -> list[Finding]:
        """The same, judged as `daybook doctor` does."""
        measured = await self.measured()
        if measured is None:
            return [wrong("database", "The database does not answer.", "Start it; `daybook doctor` says more.")]
        room, embedded = await self.room(), is_embedded(self._url)
        disk = [] if room is None else [judge_disk(room, measured.used, self._data, embedded=embedded)]
        return judged(measured) + disk

    async def _measure(self) -> Measured | None:
        try:
            async with asking(self._url) as connection:
                return await measure(connection)
        except psycopg.Error:
            return None  # which is what there is to say of it

    async def _look(self) -> Room | None:
        try:
            return await asyncio.to_thread(room, self._data)
        except OSError:
            return None
