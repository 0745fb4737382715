"""Home: whether somebody's home timeline is kept. It costs a row for each post of everybody they follow, for as long.

It is dropped when its owner has not been here for as many days as the operator grants, and restored when they ask for
it again. Everybody has one to begin with.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import assert_never

from domain.events import Command, Event


class HomeDropped(Event, frozen=True, tag="home.dropped"):
    """The account had not been here for `days` days: its home is empty from now on, and nothing comes into it."""

    account: int
    days: int
    dropped_at: datetime | None = None


class HomeRestored(Event, frozen=True, tag="home.restored"):
    """The account is back: its home is made anew of the last of what would be in it by now, and kept again."""

    account: int
    restored_at: datetime | None = None


class DropHome(Command, frozen=True):
    """Keep it no longer, if the account has not been here for `days` days; with 0 it is kept for ever."""

    account: int
    last_here_at: datetime
    days: int


class RestoreHome(Command, frozen=True):
    """Keep it again."""

    account: int


HomeEvent = HomeDropped | HomeRestored
HomeCommand = DropHome | RestoreHome

# Whether it is kept is all there is to know.
INITIAL: bool = True
TOUCHED_BY_REMOTE: bool = False


def stream(command: HomeCommand) -> str:
    """One stream per account."""
    return f"home:{command.account}"


def decide(state: bool, command: HomeCommand, now: datetime) -> Sequence[HomeEvent]:
    """Never refuses."""
    match command:
        case DropHome(account=account, days=days):
            absent = days > 0 and now - command.last_here_at >= timedelta(days=days)
            return [HomeDropped(account=account, days=days, dropped_at=now)] if state and absent else []
        case RestoreHome(account=account):
            return [] if state else [HomeRestored(account=account, restored_at=now)]
        case _:
            assert_never(command)


def evolve(state: bool, event: HomeEvent) -> bool:
    """Fold one event into the state."""
    return isinstance(event, HomeRestored)
