"""What a fact may change of what is read, so that pages that were made already are known to be true or not.

An *entity* is one number: a kind and an id. A page is made from some entities, and holds until one of them is touched
(docs/adr/0019-pages-are-kept.md). A fact says by itself most of what it touches; what only the tables know (whose
posts answered what is deleted) a rule's statement returns, as `entities`. Touching too much costs a page that is
made once more; touching too little shows somebody what is no longer so.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum
from typing import Any, LiteralString

from domain.account import AccountDeleted, AccountMoved, AccountRegistered, KeyAdded, ProfileChanged
from domain.activity import ActivityReceived, ActivityReceivedAgain, DocumentFetched
from domain.block import AccountBlocked, AccountUnblocked
from domain.bookmark import PostBookmarked, PostUnbookmarked
from domain.boost import PostBoosted, PostUnboosted
from domain.conversation import ConversationMuted, ConversationUnmuted
from domain.events import Event
from domain.favourite import PostFavourited, PostUnfavourited
from domain.follow import FollowAccepted, FollowAdjusted, FollowEnded, FollowRejected, FollowRequested
from domain.home import HomeDropped, HomeRestored
from domain.instance import InstanceFounded
from domain.mute import AccountMuted, AccountUnmuted
from domain.notification import NotificationDismissed, NotificationsCleared
from domain.pin import PostPinned, PostUnpinned
from domain.post import PostDeleted, PostEdited, PostPublished
from domain.preferences import PreferencesChanged
from domain.waiting import WaitingExpired

_BITS = 63


class Kind(IntEnum):
    """What of an id: a status as it is told, an account as it is told, the list of what an account posts, a viewer.

    A viewer is what one account sees otherwise than others do without the status itself changing: whom it follows,
    blocks and mutes, who blocks it, what it keeps and pinned, which threads it mutes.
    """

    STATUS = 0
    ACCOUNT = 1
    POSTS = 2
    VIEWER = 3


_NUMBERS: dict[Kind, LiteralString] = {Kind.STATUS: "0", Kind.ACCOUNT: "1", Kind.POSTS: "2", Kind.VIEWER: "3"}


def status(number: int) -> int:
    """What a status says, is counted with and answers, and whether it is there."""
    return _entity(Kind.STATUS, number)


def account(number: int) -> int:
    """What an account says of itself, and is counted with."""
    return _entity(Kind.ACCOUNT, number)


def posts_of(number: int) -> int:
    """Which posts and boosts an account has, which of them answer whom, and which it features."""
    return _entity(Kind.POSTS, number)


def viewer(number: int) -> int:
    """What this account sees otherwise than others."""
    return _entity(Kind.VIEWER, number)


def seen_by(number: int | None) -> tuple[int, ...]:
    """The viewer, unless that is anybody."""
    return () if number is None else (viewer(number),)


EVERYBODYS_POSTS = 1 << 2 | Kind.POSTS
"""Which posts there are at all; 1 is nobody's id."""


def entities(*columns: tuple[Kind, LiteralString]) -> LiteralString:
    """What a rule's statement returns of what it touches: kinds, and the columns that hold their ids."""
    return ", ".join("(" + column + " << 2) | " + _NUMBERS[kind] for kind, column in columns)


def _nothing(event: Event) -> Iterable[int]:
    return ()


def _pair_of_follow(event: Any) -> Iterable[int]:
    return account(event.follower), account(event.followee), viewer(event.follower)


def _pair_of_block(event: Any) -> Iterable[int]:
    return viewer(event.blocker), viewer(event.blocked)


def _boost(event: PostBoosted | PostUnboosted) -> Iterable[int]:
    return status(event.boost), status(event.post), account(event.account), posts_of(event.account)


def _post(event: PostPublished | PostEdited | PostDeleted) -> Iterable[int]:
    return status(event.post), account(event.author), posts_of(event.author), EVERYBODYS_POSTS


def _pin(event: PostPinned | PostUnpinned) -> Iterable[int]:
    return posts_of(event.account), viewer(event.account)


def _favourite(event: PostFavourited | PostUnfavourited) -> Iterable[int]:
    return (status(event.post),)


def _own(event: Any) -> Iterable[int]:
    return (viewer(event.account),)


def _muter(event: AccountMuted | AccountUnmuted) -> Iterable[int]:
    return (viewer(event.muter),)


def _profile(event: Any) -> Iterable[int]:
    return (account(event.account),)


TOUCHES: Mapping[type[Event], Callable[[Any], Iterable[int]] | None] = {
    **dict.fromkeys((PostPublished, PostEdited, PostDeleted), _post),
    **dict.fromkeys((PostBoosted, PostUnboosted), _boost),
    **dict.fromkeys((PostFavourited, PostUnfavourited), _favourite),
    **dict.fromkeys((PostPinned, PostUnpinned), _pin),
    **dict.fromkeys((FollowRequested, FollowAccepted, FollowRejected, FollowEnded), _pair_of_follow),
    FollowAdjusted: lambda event: (viewer(event.follower),),
    **dict.fromkeys((AccountBlocked, AccountUnblocked), _pair_of_block),
    **dict.fromkeys((AccountMuted, AccountUnmuted), _muter),
    **dict.fromkeys((PostBookmarked, PostUnbookmarked, ConversationMuted, ConversationUnmuted), _own),
    **dict.fromkeys((HomeDropped, HomeRestored), _own),
    **dict.fromkeys((AccountRegistered, ProfileChanged, AccountMoved, KeyAdded), _profile),
    # All that it wrote, whoever shows it, and the counters of everybody it had to do with.
    AccountDeleted: None,
    **dict.fromkeys((InstanceFounded, PreferencesChanged, WaitingExpired), _nothing),
    **dict.fromkeys((NotificationsCleared, NotificationDismissed), _nothing),
    **dict.fromkeys((ActivityReceived, ActivityReceivedAgain, DocumentFetched), _nothing),
}
"""What each kind of event touches by itself; None is anything, and so is what is not among them."""


def touched_by(event: Event) -> Iterable[int] | None:
    """The entities that a fact of this event touches by itself; None when it may be anything."""
    touches = TOUCHES.get(type(event))
    return None if touches is None else touches(event)


def _entity(kind: Kind, number: int) -> int:
    return (number << 2 | kind) & ((1 << _BITS) - 1)
