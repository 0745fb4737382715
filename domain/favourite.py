"""Favourite: somebody likes a post, or no longer. (A Like on the wire.)"""

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

import msgspec

from domain.events import Command, Event


class PostFavourited(Event, frozen=True, tag="post.favourited"):
    """The account likes the post; `activity` is the URI of the Like, by which it is undone."""

    account: int
    post: int
    activity: str
    favourited_at: datetime | None = None


class PostUnfavourited(Event, frozen=True, tag="post.unfavourited"):
    """The account takes that Like back."""

    account: int
    post: int
    activity: str
    unfavourited_at: datetime | None = None


class FavouritePost(Command, frozen=True):
    """Like a post that the account may see."""

    account: int
    post: int
    activity: str


class UnfavouritePost(Command, frozen=True):
    """Take the Like back."""

    account: int
    post: int


FavouriteEvent = PostFavourited | PostUnfavourited
FavouriteCommand = FavouritePost | UnfavouritePost


class Favourite(msgspec.Struct, frozen=True):
    """What deciding needs: the Like that stands, if one does."""

    activity: str | None = None


INITIAL = Favourite()
TOUCHED_BY_REMOTE: bool = False


def stream(command: FavouriteCommand) -> str:
    """One stream per account and post."""
    return f"favourite:{command.account}:{command.post}"


def decide(state: Favourite, command: FavouriteCommand, now: datetime) -> Sequence[FavouriteEvent]:
    """Never refuses: who may see the post may like it."""
    match command:
        case FavouritePost() if state.activity is not None:
            return []
        case FavouritePost(account=account, post=post, activity=activity):
            return [PostFavourited(account=account, post=post, activity=activity, favourited_at=now)]
        case UnfavouritePost() if state.activity is None:
            return []
        case UnfavouritePost(account=account, post=post):
            assert state.activity is not None, "a Like stands"
            return [PostUnfavourited(account=account, post=post, activity=state.activity, unfavourited_at=now)]
        case _:
            assert_never(command)


def evolve(state: Favourite, event: FavouriteEvent) -> Favourite:
    """Fold one event into the state."""
    match event:
        case PostFavourited():
            return Favourite(event.activity)
        case PostUnfavourited():
            return INITIAL
        case _:
            assert_never(event)
