"""Waiting: what came before that which it needs is waited with for a while, and then nothing comes of it any more."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from domain.events import Command, Event

WAITS_MAX: Final = timedelta(days=7)
"""How long: what others send again and again, and what is fetched for it, has come or been given up by then."""
EXPIRED_MAX: Final = 500
"""How many positions one event names."""


class WaitingExpired(Event, frozen=True, tag="waiting.expired"):
    """What was received at these positions of the log, and still waits, waits no more; the others are as they were."""

    positions: tuple[int, ...]
    expired_at: datetime | None = None


class ExpireWaiting(Command, frozen=True):
    """Give up what was received at these positions, in their order; at least one, at most EXPIRED_MAX."""

    positions: tuple[int, ...]


WaitingEvent = WaitingExpired


class Waiting(msgspec.Struct, frozen=True):
    """What deciding needs: what was given up already."""

    expired: frozenset[int] = frozenset()


INITIAL = Waiting()
TOUCHED_BY_REMOTE: bool = False


def stream(command: ExpireWaiting) -> str:
    """One per first position: the same asked again, before it is projected, meets itself."""
    return f"waiting:{command.positions[0]}"


def decide(state: Waiting, command: ExpireWaiting, now: datetime) -> Sequence[WaitingEvent]:
    """Refuses nothing."""
    assert 0 < len(command.positions) <= EXPIRED_MAX, "some, and no more than one event names"
    positions = tuple(position for position in command.positions if position not in state.expired)
    return [WaitingExpired(positions=positions, expired_at=now)] if positions else []


def evolve(state: Waiting, event: WaitingEvent) -> Waiting:
    """Fold one event into the state."""
    return Waiting(state.expired.union(event.positions))
