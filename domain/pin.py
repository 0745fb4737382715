"""Pin: an author features some of their own posts on their profile. (The featured collection on the wire.)"""

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from domain.events import Command, Event, Refused
from domain.post import Visibility

PINS_MAX = 5


class PostPinned(Event, frozen=True, tag="post.pinned"):
    """The author features the post."""

    account: int
    post: int
    pinned_at: datetime | None = None


class PostUnpinned(Event, frozen=True, tag="post.unpinned"):
    """The author features it no longer."""

    account: int
    post: int
    unpinned_at: datetime | None = None


class PinPost(Command, frozen=True):
    """Feature a post; `author` and `visibility` are the post's."""

    account: int
    post: int
    author: int
    visibility: Visibility


class UnpinPost(Command, frozen=True):
    """Feature it no longer; a deleted post is unpinned by this, too."""

    account: int
    post: int


PinEvent = PostPinned | PostUnpinned
PinCommand = PinPost | UnpinPost
Pins = tuple[int, ...]
INITIAL: Pins = ()
TOUCHED_BY_REMOTE: bool = False


def stream(command: PinCommand) -> str:
    """One stream per account: the limit is over all pins of one."""
    return f"pins:{command.account}"


def decide(state: Pins, command: PinCommand, now: datetime) -> Sequence[PinEvent]:
    """Raises Refused for another's post, a direct one, and one too many (Mastodon's sentences)."""
    match command:
        case PinPost() if command.post in state:
            return []
        case PinPost() if command.author != command.account:
            raise Refused("Someone else's post cannot be pinned")
        case PinPost() if command.visibility == "direct":
            raise Refused("Posts that are only visible to mentioned users cannot be pinned")
        case PinPost() if len(state) >= PINS_MAX:
            raise Refused("You have already pinned the maximum number of posts")
        case PinPost():
            return [PostPinned(account=command.account, post=command.post, pinned_at=now)]
        case UnpinPost() if command.post not in state:
            return []
        case UnpinPost():
            return [PostUnpinned(account=command.account, post=command.post, unpinned_at=now)]
        case _:
            assert_never(command)


def evolve(state: Pins, event: PinEvent) -> Pins:
    """Fold one event into the state; at most PINS_MAX posts."""
    others = tuple(post for post in state if post != event.post)
    match event:
        case PostPinned():
            return (*others, event.post)
        case PostUnpinned():
            return others
        case _:
            assert_never(event)
