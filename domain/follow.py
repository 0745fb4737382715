"""Following: one actor asks, the other accepts or rejects, either ends it.

`follower` and `followee` are account ids, `request` is the URI of the activity that asked. An answer applies to the
very request it names and to no other, so one that was overtaken by an Undo does no harm.
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


class FollowAccepted(Event, frozen=True, tag="follow.accepted"):
    """The followee agrees to that request."""

    follower: int
    followee: int
    request: str


class FollowRejected(Event, frozen=True, tag="follow.rejected"):
    """The followee declines that request, or removes a follower."""

    follower: int
    followee: int
    request: str


class FollowEnded(Event, frozen=True, tag="follow.ended"):
    """The follower withdraws the request or unfollows."""

    follower: int
    followee: int
    request: str


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


FollowEvent = FollowRequested | FollowAccepted | FollowRejected | FollowEnded
FollowCommand = RequestFollow | EndFollow


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
            pair = command.follower, command.followee
            asked = FollowRequested(follower=pair[0], followee=pair[1], request=command.request)
            accepted = FollowAccepted(follower=pair[0], followee=pair[1], request=command.request)
            return [asked] if command.needs_approval else [asked, accepted]
        case EndFollow() if state.stage is Stage.NONE:
            return []
        case EndFollow():
            return [FollowEnded(follower=command.follower, followee=command.followee, request=state.request)]
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
