"""Boost: somebody passes a post on to their followers, or takes that back. (Announce on the wire, reblog in the API.)

A boost has an id and a place in timelines of its own, as a post has.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from domain.events import Command, Event, NotFound, Refused
from domain.post import Visibility


class PostBoosted(Event, frozen=True, tag="post.boosted"):
    """The account boosts the post. `boost` is the boost's own id, `uri` that of the Announce."""

    boost: int
    account: int
    post: int
    uri: str
    visibility: Visibility
    boosted_at: datetime


class PostUnboosted(Event, frozen=True, tag="post.unboosted"):
    """The account takes that boost back."""

    boost: int
    account: int
    post: int
    uri: str
    unboosted_at: datetime | None = None


class BoostPost(Command, frozen=True):
    """Boost a post that the account may see; `author` and `post_visibility` are the post's."""

    boost: int
    account: int
    post: int
    uri: str
    visibility: Visibility
    author: int
    post_visibility: Visibility


class UnboostPost(Command, frozen=True):
    """Take the boost back."""

    account: int
    post: int


BoostEvent = PostBoosted | PostUnboosted
BoostCommand = BoostPost | UnboostPost
Boost = PostBoosted | None
INITIAL: Boost = None
TOUCHED_BY_REMOTE: bool = False


def stream(command: BoostCommand) -> str:
    """One stream per account and post: a post is boosted once by each."""
    return f"boost:{command.account}:{command.post}"


def decide(state: Boost, command: BoostCommand, now: datetime) -> Sequence[BoostEvent]:
    """Raises NotFound for a direct post, Refused for somebody else's that is for followers only."""
    match command:
        case BoostPost() if state is not None:
            return []
        case BoostPost():
            return [_boosted(command, now)]
        case UnboostPost() if state is None:
            return []
        case UnboostPost():
            assert state is not None, "a boost stands"
            ended = PostUnboosted(
                boost=state.boost, account=state.account, post=state.post, uri=state.uri, unboosted_at=now
            )
            return [ended]
        case _:
            assert_never(command)


def evolve(state: Boost, event: BoostEvent) -> Boost:
    """Fold one event into the state."""
    match event:
        case PostBoosted():
            return event
        case PostUnboosted():
            return None
        case _:
            assert_never(event)


def may_boost(account: int, author: int, visibility: Visibility) -> bool:
    """Whether it is for passing on: what everybody may see, and one's own for followers (federation §9)."""
    return visibility in ("public", "unlisted") or (visibility == "private" and account == author)


def _boosted(command: BoostPost, now: datetime) -> PostBoosted:
    if command.post_visibility == "direct":
        raise NotFound("Record not found")
    if not may_boost(command.account, command.author, command.post_visibility):
        raise Refused("This action is not allowed")
    visibility = command.visibility
    if command.post_visibility == "private" or visibility == "direct":
        visibility = "private"
    return PostBoosted(
        boost=command.boost,
        account=command.account,
        post=command.post,
        uri=command.uri,
        visibility=visibility,
        boosted_at=now,
    )
