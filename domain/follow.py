"""Following: one actor asks, the other accepts or rejects, either ends it.

`follower` and `followee` are account ids, `request` is the URI of the activity that asked, the time that of a decision
made here. An answer applies to the very request it names and to no other, so one that was overtaken by an Undo does no
harm.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import assert_never

import msgspec

from domain.events import Command, Event, Refused


class FollowRequested(Event, frozen=True, tag="follow.requested"):
    """The follower asks."""

    follower: int
    followee: int
    request: str
    requested_at: datetime | None = None


class FollowAccepted(Event, frozen=True, tag="follow.accepted"):
    """The followee agrees to that request."""

    follower: int
    followee: int
    request: str
    accepted_at: datetime | None = None


class FollowRejected(Event, frozen=True, tag="follow.rejected"):
    """The followee declines that request, or removes a follower."""

    follower: int
    followee: int
    request: str
    rejected_at: datetime | None = None


class FollowEnded(Event, frozen=True, tag="follow.ended"):
    """The follower withdraws the request or unfollows."""

    follower: int
    followee: int
    request: str
    ended_at: datetime | None = None


class RequestFollow(Command, frozen=True):
    """Ask to follow. `needs_approval` when the followee is locked or lives on another server."""

    follower: int
    followee: int
    request: str
    needs_approval: bool


class EndFollow(Command, frozen=True):
    """Unfollow, or take the request back."""

    follower: int
    followee: int


class AcceptFollow(Command, frozen=True):
    """Agree to the request that waits. With `request` only to that one: it may have been taken back meanwhile."""

    follower: int
    followee: int
    request: str | None = None


class RejectFollow(Command, frozen=True):
    """Decline the request that waits, or remove the follower. With `request` only if it stems from that one."""

    follower: int
    followee: int
    request: str | None = None


FollowEvent = FollowRequested | FollowAccepted | FollowRejected | FollowEnded
FollowCommand = RequestFollow | EndFollow | AcceptFollow | RejectFollow


class Stage(Enum):
    """How far a follow has come."""

    NONE = "none"
    REQUESTED = "requested"
    FOLLOWING = "following"


class Follow(msgspec.Struct, frozen=True):
    """What deciding needs: the stage, and which request it stems from."""

    stage: Stage = Stage.NONE
    request: str = ""


INITIAL = Follow()
TOUCHED_BY_REMOTE: bool = True


def stream(command: FollowCommand) -> str:
    """One stream per pair, in the direction of the follow."""
    return stream_of(command.follower, command.followee)


def stream_of(follower: int, followee: int) -> str:
    """The stream of a pair, also for facts that remote activities gave."""
    return f"follow:{follower}:{followee}"


def decide(state: Follow, command: FollowCommand, now: datetime) -> Sequence[FollowEvent]:
    """Raises Refused when somebody would follow themselves."""
    match command:
        case RequestFollow() if command.follower == command.followee:
            raise Refused("You can't follow yourself")
        case RequestFollow() if state.stage is not Stage.NONE:
            return []
        case RequestFollow():
            follower, followee, request = command.follower, command.followee, command.request
            asked = FollowRequested(follower=follower, followee=followee, request=request, requested_at=now)
            if command.needs_approval:
                return [asked]
            return [asked, FollowAccepted(follower=follower, followee=followee, request=request, accepted_at=now)]
        case EndFollow() if state.stage is Stage.NONE:
            return []
        case EndFollow():
            follower, followee = command.follower, command.followee
            return [FollowEnded(follower=follower, followee=followee, request=state.request, ended_at=now)]
        case AcceptFollow() | RejectFollow():
            return _answered(state, command, now)
        case _:
            assert_never(command)


def evolve(state: Follow, event: FollowEvent) -> Follow:
    """Fold one event into the state; an answer to another request changes nothing."""
    match event:
        case FollowRequested() if state.stage is Stage.FOLLOWING:
            return msgspec.structs.replace(state, request=event.request)
        case FollowRequested():
            return Follow(Stage.REQUESTED, event.request)
        case FollowAccepted() if event.request == state.request and state.stage is Stage.REQUESTED:
            return Follow(Stage.FOLLOWING, event.request)
        case FollowRejected() if event.request == state.request:
            return INITIAL
        case FollowEnded():
            return INITIAL
        case FollowAccepted() | FollowRejected():
            return state
        case _:
            assert_never(event)


def _answered(state: Follow, command: AcceptFollow | RejectFollow, now: datetime) -> Sequence[FollowEvent]:
    follower, followee, request = command.follower, command.followee, state.request
    if state.stage is Stage.NONE or command.request not in (None, request):
        return []
    if isinstance(command, RejectFollow):
        return [FollowRejected(follower=follower, followee=followee, request=request, rejected_at=now)]
    if state.stage is Stage.FOLLOWING:
        return []
    return [FollowAccepted(follower=follower, followee=followee, request=request, accepted_at=now)]
