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

from domain.events import Command, Event, Forbidden, Refused


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


class FollowAdjusted(Event, frozen=True, tag="follow.adjusted"):
    """What the follower wants of the followee from now on, whole, until the follow ends.

    Whether boosts show in their home, whether they are told of new posts, and in which languages alone (None: any).
    """

    follower: int
    followee: int
    reblogs: bool = True
    notify: bool = False
    languages: tuple[str, ...] | None = None
    adjusted_at: datetime | None = None


class RequestFollow(Command, frozen=True):
    """Ask to follow, or want something else of somebody followed already; None leaves a wish as it is.

    `needs_approval` when the followee is locked or lives on another server; `barred` when either blocks the other, or
    the followee has moved away. No language at all means any.
    """

    follower: int
    followee: int
    request: str
    needs_approval: bool
    barred: bool = False
    reblogs: bool | None = None
    notify: bool | None = None
    languages: tuple[str, ...] | None = None


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


FollowEvent = FollowRequested | FollowAccepted | FollowRejected | FollowEnded | FollowAdjusted
FollowCommand = RequestFollow | EndFollow | AcceptFollow | RejectFollow


class Stage(Enum):
    """How far a follow has come."""

    NONE = "none"
    REQUESTED = "requested"
    FOLLOWING = "following"


class Wishes(msgspec.Struct, frozen=True):
    """What the follower wants of the followee; as an adjustment says it."""

    reblogs: bool = True
    notify: bool = False
    languages: tuple[str, ...] | None = None


class Follow(msgspec.Struct, frozen=True):
    """What deciding needs: the stage, which request it stems from, what is wished."""

    stage: Stage = Stage.NONE
    request: str = ""
    wishes: Wishes = Wishes()


INITIAL = Follow()
TOUCHED_BY_REMOTE: bool = True


def stream(command: FollowCommand) -> str:
    """One stream per pair, in the direction of the follow."""
    return stream_of(command.follower, command.followee)


def stream_of(follower: int, followee: int) -> str:
    """The stream of a pair, also for facts that remote activities gave."""
    return f"follow:{follower}:{followee}"


def decide(state: Follow, command: FollowCommand, now: datetime) -> Sequence[FollowEvent]:
    """Raises Refused when somebody would follow themselves, Forbidden where that is barred."""
    match command:
        case RequestFollow() if command.follower == command.followee:
            raise Refused("You can't follow yourself")
        case RequestFollow(barred=True):
            raise Forbidden("This action is not allowed")
        case RequestFollow():
            return [*_requested(state, command, now), *_adjusted(state, command, now)]
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
        case FollowRequested():
            stage = Stage.FOLLOWING if state.stage is Stage.FOLLOWING else Stage.REQUESTED
            return msgspec.structs.replace(state, stage=stage, request=event.request)
        case FollowAccepted() if event.request == state.request and state.stage is Stage.REQUESTED:
            return msgspec.structs.replace(state, stage=Stage.FOLLOWING)
        case FollowRejected() if event.request == state.request:
            return INITIAL
        case FollowEnded():
            return INITIAL
        case FollowAdjusted() if state.stage is not Stage.NONE:
            return msgspec.structs.replace(state, wishes=Wishes(event.reblogs, event.notify, event.languages))
        case FollowAccepted() | FollowRejected() | FollowAdjusted():
            return state
        case _:
            assert_never(event)


def _requested(state: Follow, command: RequestFollow, now: datetime) -> Sequence[FollowEvent]:
    if state.stage is not Stage.NONE:
        return []
    follower, followee, request = command.follower, command.followee, command.request
    asked = FollowRequested(follower=follower, followee=followee, request=request, requested_at=now)
    if command.needs_approval:
        return [asked]
    return [asked, FollowAccepted(follower=follower, followee=followee, request=request, accepted_at=now)]


def _adjusted(state: Follow, command: RequestFollow, now: datetime) -> Sequence[FollowEvent]:
    had = state.wishes
    reblogs = had.reblogs if command.reblogs is None else command.reblogs
    notify = had.notify if command.notify is None else command.notify
    languages = had.languages if command.languages is None else command.languages or None
    if Wishes(reblogs, notify, languages) == had:
        return []
    adjusted = FollowAdjusted(
        follower=command.follower,
        followee=command.followee,
        reblogs=reblogs,
        notify=notify,
        languages=languages,
        adjusted_at=now,
    )
    return [adjusted]


def _answered(state: Follow, command: AcceptFollow | RejectFollow, now: datetime) -> Sequence[FollowEvent]:
    follower, followee, request = command.follower, command.followee, state.request
    if state.stage is Stage.NONE or command.request not in (None, request):
        return []
    if isinstance(command, RejectFollow):
        return [FollowRejected(follower=follower, followee=followee, request=request, rejected_at=now)]
    if state.stage is Stage.FOLLOWING:
        return []
    return [FollowAccepted(follower=follower, followee=followee, request=request, accepted_at=now)]
