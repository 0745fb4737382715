"""What the domain needs from outside, as protocols. Each has a twin in memory, and one contract holds both to it."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from domain.events import Event


class Recorded(msgspec.Struct, frozen=True):
    """An event as it stands in the log: position counts over the log, version over the stream, both from 1."""

    position: int
    stream: str
    version: int
    event: Event


class Conflict(Exception):
    """Another command wrote to the stream first. Load, decide and append again."""


class FactsBehind(Exception):
    """Interpretation has not passed the head of the log in time. Answered as 503 with Retry-After."""


class EventLog(Protocol):
    """The log as commands see it."""

    async def load(self, stream: str) -> Sequence[Recorded]:
        """All events of a stream, oldest first."""
        ...

    async def append(self, stream: str, expected_version: int, events: Sequence[Event]) -> Sequence[Recorded]:
        """Append after `expected_version` (0 for a new stream), all or nothing. Raises Conflict."""
        ...


class Facts(Protocol):
    """What remote activities did to a stream, as interpretation settled it."""

    async def caught_up(self) -> None:
        """Return when facts have passed the head of the log as of this call. Raises FactsBehind."""
        ...

    async def of(self, stream: str) -> Sequence[Recorded]:
        """The applied facts that remote activities gave this stream; `position` is the effective one, `version` 0."""
        ...
