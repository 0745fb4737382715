"""The condition as a running instance knows it: measured now and then, however often it is asked for."""

import asyncio
import time
from pathlib import Path
from typing import Final

import psycopg

from adapters.condition.disk import Room, is_embedded, judge_disk, room
from adapters.condition.finding import Finding, wrong
from adapters.condition.measured import Measured, asking, judged, measure

# Scrapes come every 15 or 30 s; several who scrape cost no more than one.
MEASURED_FOR_S: Final = 10.0
# Walks through all pictures.
ROOM_FOR_S: Final = 600.0


class Sampled:
    """Measures at most every ten seconds, and once for all who ask at the same time."""

    def __init__(self, url: str, data: Path) -> None:
        self._url = url
        self._data = data
        self._lock = asyncio.Lock()
        self._measured: Measured | None = None
        self._measured_at = self._room_at = float("-inf")
        self._room: Room | None = None

    async def measured(self) -> Measured | None:
        """What PostgreSQL said; None when it does not answer."""
        async with self._lock:
            if time.monotonic() - self._measured_at > MEASURED_FOR_S:
                try:
                    async with asking(self._url) as connection:
                        self._measured = await measure(connection)
                except psycopg.Error:
                    self._measured = None  # which is what there is to say of it
                self._measured_at = time.monotonic()
            return self._measured

    async def room(self) -> Room | None:
        """Room on the disk and the weight of pictures, at most ten minutes old; None where there is no data folder."""
        async with self._lock:
            if time.monotonic() - self._room_at > ROOM_FOR_S:
                try:
                    self._room = await asyncio.to_thread(room, self._data)
                except OSError:
                    self._room = None
                self._room_at = time.monotonic()
            return self._room

    async def findings(self) -> list[Finding]:
        """The same, judged as `daybook doctor` does."""
        measured = await self.measured()
        if measured is None:
            return [wrong("database", "The database does not answer.", "Start it; `daybook doctor` says more.")]
        room, embedded = await self.room(), is_embedded(self._url)
        disk = [] if room is None else [judge_disk(room, measured.used, self._data, embedded=embedded)]
        return judged(measured) + disk
