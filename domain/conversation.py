"""Conversation: somebody has heard enough of a thread and wants no more notifications from it.

A conversation is named by the id of the topmost post that was known when it was muted.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from domain.events import Command, Event


class ConversationMuted(Event, frozen=True, tag="conversation.muted"):
    """The account hears no more of this thread."""

    account: int
    conversation: int
    muted_at: datetime | None = None


class ConversationUnmuted(Event, frozen=True, tag="conversation.unmuted"):
    """The account hears of it again."""

    account: int
    conversation: int
    unmuted_at: datetime | None = None


class MuteConversation(Command, frozen=True):
    """Hear no more of a thread."""

    account: int
    conversation: int


class UnmuteConversation(Command, frozen=True):
    """Hear of it again."""

    account: int
    conversation: int


ConversationEvent = ConversationMuted | ConversationUnmuted
ConversationCommand = MuteConversation | UnmuteConversation

# Whether it is muted is all there is to know.
INITIAL: bool = False
TOUCHED_BY_REMOTE: bool = False


def stream(command: ConversationCommand) -> str:
    """One stream per account and thread."""
    return f"conversation:{command.account}:{command.conversation}"


def decide(state: bool, command: ConversationCommand, now: datetime) -> Sequence[ConversationEvent]:
    """Never refuses."""
    account, conversation = command.account, command.conversation
    match command:
        case MuteConversation():
            return [] if state else [ConversationMuted(account=account, conversation=conversation, muted_at=now)]
        case UnmuteConversation():
            return [ConversationUnmuted(account=account, conversation=conversation, unmuted_at=now)] if state else []
        case _:
            assert_never(command)


def evolve(state: bool, event: ConversationEvent) -> bool:
    """Fold one event into the state."""
    return isinstance(event, ConversationMuted)
