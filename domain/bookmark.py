"""Bookmark: somebody keeps a post for themselves. Nobody else ever hears of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from domain.events import Command, Event


class PostBookmarked(Event, frozen=True, tag="post.bookmarked"):
    """The account keeps the post."""

    account: int
    post: int
    bookmarked_at: datetime | None = None


class PostUnbookmarked(Event, frozen=True, tag="post.unbookmarked"):
    """The account no longer keeps it."""

    account: int
    post: int
    unbookmarked_at: datetime | None = None


class BookmarkPost(Command, frozen=True):
    """Keep a post that the account may see."""

    account: int
    post: int


class UnbookmarkPost(Command, frozen=True):
    """Keep it no longer."""

    account: int
    post: int


BookmarkEvent = PostBookmarked | PostUnbookmarked
BookmarkCommand = BookmarkPost | UnbookmarkPost

# Whether it is kept is all there is to know.
INITIAL: bool = False
TOUCHED_BY_REMOTE: bool = False


def stream(command: BookmarkCommand) -> str:
    """One stream per account and post."""
    return f"bookmark:{command.account}:{command.post}"


def decide(state: bool, command: BookmarkCommand, now: datetime) -> Sequence[BookmarkEvent]:
    """Never refuses."""
    match command:
        case BookmarkPost(account=account, post=post):
            return [] if state else [PostBookmarked(account=account, post=post, bookmarked_at=now)]
        case UnbookmarkPost(account=account, post=post):
            return [PostUnbookmarked(account=account, post=post, unbookmarked_at=now)] if state else []
        case _:
            assert_never(command)


def evolve(state: bool, event: BookmarkEvent) -> bool:
    """Fold one event into the state."""
    return isinstance(event, PostBookmarked)
