"""The ports' twins in memory."""

from collections.abc import Sequence

from domain.events import Event
from domain.ports import Conflict, Recorded


class MemoryLog:
    """domain.ports.EventLog: a list."""

    def __init__(self) -> None:
        self.recorded: list[Recorded] = []

    async def load(self, stream: str) -> Sequence[Recorded]:
        return [recorded for recorded in self.recorded if recorded.stream == stream]

    async def append(self, stream: str, expected_version: int, events: Sequence[Event]) -> Sequence[Recorded]:
        if len(await self.load(stream)) != expected_version:
            raise Conflict(stream)
        new = [
            Recorded(len(self.recorded) + number, stream, expected_version + number, event)
            for number, event in enumerate(events, start=1)
        ]
        self.recorded += new
        return new


class MemoryFacts:
    """domain.ports.Facts: what a test says that remote activities did."""

    def __init__(self) -> None:
        self.remote: list[Recorded] = []

    async def caught_up(self) -> None:
        return

    async def of(self, stream: str) -> Sequence[Recorded]:
        return [recorded for recorded in self.remote if recorded.stream == stream]
