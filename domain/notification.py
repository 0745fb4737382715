"""Notification: what somebody was told of, and no longer wants to see. What they were told of is worked out."""

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from domain.events import Command, Event


class NotificationsCleared(Event, frozen=True, tag="notifications.cleared"):
    """The account wants none of those up to this id any more."""

    account: int
    up_to: int
    cleared_at: datetime | None = None


class NotificationDismissed(Event, frozen=True, tag="notification.dismissed"):
    """The account does not want this one any more."""

    account: int
    notification: int
    dismissed_at: datetime | None = None


class ClearNotifications(Command, frozen=True):
    """Be rid of all up to the newest, whose id this is."""

    account: int
    up_to: int


class DismissNotification(Command, frozen=True):
    """Be rid of one."""

    account: int
    notification: int


NotificationEvent = NotificationsCleared | NotificationDismissed
NotificationCommand = ClearNotifications | DismissNotification

# The newest id that is gone from this stream's notifications.
INITIAL: int = 0
TOUCHED_BY_REMOTE: bool = False


def stream(command: NotificationCommand) -> str:
    """One stream per account for clearing, one per notification for dismissing."""
    if isinstance(command, ClearNotifications):
        return f"notifications:{command.account}"
    return f"notification:{command.account}:{command.notification}"


def decide(state: int, command: NotificationCommand, now: datetime) -> Sequence[NotificationEvent]:
    """Never refuses."""
    match command:
        case ClearNotifications(account=account, up_to=up_to):
            return [NotificationsCleared(account=account, up_to=up_to, cleared_at=now)] if up_to > state else []
        case DismissNotification(account=account, notification=number):
            if number <= state:
                return []
            return [NotificationDismissed(account=account, notification=number, dismissed_at=now)]
        case _:
            assert_never(command)


def evolve(state: int, event: NotificationEvent) -> int:
    """Fold one event into the state."""
    return event.up_to if isinstance(event, NotificationsCleared) else event.notification
