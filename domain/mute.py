"""Mute: somebody does not want to see another's posts, for a while or for good, and the other never hears of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

import msgspec

from domain.events import Command, Event, Refused


class AccountMuted(Event, frozen=True, tag="account.muted"):
    """`muter` mutes `muted`, with or without their notifications, until that time (None: for good)."""

    muter: int
    muted: int
    notifications: bool = True
    expires_at: datetime | None = None
    muted_at: datetime | None = None


class AccountUnmuted(Event, frozen=True, tag="account.unmuted"):
    """`muter` mutes them no longer; `expired` when it was time that ended it."""

    muter: int
    muted: int
    expired: bool = False
    unmuted_at: datetime | None = None


class MuteAccount(Command, frozen=True):
    """Mute somebody, or mute them otherwise than before."""

    muter: int
    muted: int
    notifications: bool = True
    expires_at: datetime | None = None


class UnmuteAccount(Command, frozen=True):
    """Mute them no longer."""

    muter: int
    muted: int


class ExpireMute(Command, frozen=True):
    """End a mute whose time is over; one that was renewed meanwhile stays."""

    muter: int
    muted: int


MuteEvent = AccountMuted | AccountUnmuted
MuteCommand = MuteAccount | UnmuteAccount | ExpireMute


class Mute(msgspec.Struct, frozen=True):
    """What deciding needs: whether it stands, and how."""

    stands: bool = False
    notifications: bool = True
    expires_at: datetime | None = None


INITIAL = Mute()
TOUCHED_BY_REMOTE: bool = False


def stream(command: MuteCommand) -> str:
    """One stream per pair, in the direction of the mute."""
    return f"mute:{command.muter}:{command.muted}"


def decide(state: Mute, command: MuteCommand, now: datetime) -> Sequence[MuteEvent]:
    """Raises Refused when somebody would mute themselves."""
    muter, muted = command.muter, command.muted
    match command:
        case MuteAccount() if muter == muted:
            raise Refused("You can't mute yourself")
        case MuteAccount(notifications=notifications, expires_at=expires_at):
            if state == Mute(True, notifications, expires_at):
                return []
            event = AccountMuted(
                muter=muter, muted=muted, notifications=notifications, expires_at=expires_at, muted_at=now
            )
            return [event]
        case UnmuteAccount():
            return [AccountUnmuted(muter=muter, muted=muted, unmuted_at=now)] if state.stands else []
        case ExpireMute():
            if not state.stands or state.expires_at is None or state.expires_at > now:
                return []
            return [AccountUnmuted(muter=muter, muted=muted, expired=True, unmuted_at=now)]
        case _:
            assert_never(command)


def evolve(state: Mute, event: MuteEvent) -> Mute:
    """Fold one event into the state."""
    match event:
        case AccountMuted():
            return Mute(True, event.notifications, event.expires_at)
        case AccountUnmuted():
            return INITIAL
        case _:
            assert_never(event)
