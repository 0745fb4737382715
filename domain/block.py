"""Block: two accounts have nothing to do with each other, because one of them wants it so.

Whoever blocks sees nothing of the other, and the other nothing of them; follows between them end both ways, which is
decided on by the follows' own streams.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

import msgspec

from domain.events import Command, Event, Refused


class AccountBlocked(Event, frozen=True, tag="account.blocked"):
    """`blocker` blocks `blocked`; `activity` is the URI of the Block, by which it is undone."""

    blocker: int
    blocked: int
    activity: str
    blocked_at: datetime | None = None


class AccountUnblocked(Event, frozen=True, tag="account.unblocked"):
    """`blocker` takes that Block back."""

    blocker: int
    blocked: int
    activity: str
    unblocked_at: datetime | None = None


class BlockAccount(Command, frozen=True):
    """Block somebody."""

    blocker: int
    blocked: int
    activity: str


class UnblockAccount(Command, frozen=True):
    """Block them no longer. The follows that ended stay ended."""

    blocker: int
    blocked: int


BlockEvent = AccountBlocked | AccountUnblocked
BlockCommand = BlockAccount | UnblockAccount


class Block(msgspec.Struct, frozen=True):
    """What deciding needs: the Block that stands, if one does."""

    activity: str | None = None


INITIAL = Block()
TOUCHED_BY_REMOTE: bool = False


def stream(command: BlockCommand) -> str:
    """One stream per pair, in the direction of the block."""
    return f"block:{command.blocker}:{command.blocked}"


def decide(state: Block, command: BlockCommand, now: datetime) -> Sequence[BlockEvent]:
    """Raises Refused when somebody would block themselves."""
    blocker, blocked = command.blocker, command.blocked
    match command:
        case BlockAccount() if blocker == blocked:
            raise Refused("You can't block yourself")
        case BlockAccount() if state.activity is not None:
            return []
        case BlockAccount():
            return [AccountBlocked(blocker=blocker, blocked=blocked, activity=command.activity, blocked_at=now)]
        case UnblockAccount() if state.activity is None:
            return []
        case UnblockAccount():
            assert state.activity is not None, "a Block stands"
            return [AccountUnblocked(blocker=blocker, blocked=blocked, activity=state.activity, unblocked_at=now)]
        case _:
            assert_never(command)


def evolve(state: Block, event: BlockEvent) -> Block:
    """Fold one event into the state."""
    match event:
        case AccountBlocked():
            return Block(event.activity)
        case AccountUnblocked():
            return INITIAL
        case _:
            assert_never(event)
