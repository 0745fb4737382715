"""What one account did to one thing, for each kind of event that says so: who, what, and the words for it."""

from typing import Final, NamedTuple

from domain.account import AccountDeleted, AccountMoved
from domain.block import AccountBlocked, AccountUnblocked
from domain.bookmark import PostBookmarked, PostUnbookmarked
from domain.boost import PostBoosted, PostUnboosted
from domain.conversation import ConversationMuted, ConversationUnmuted
from domain.events import Event
from domain.favourite import PostFavourited, PostUnfavourited
from domain.follow import FollowAdjusted
from domain.home import HomeDropped, HomeRestored
from domain.mute import AccountMuted, AccountUnmuted
from domain.notification import NotificationDismissed, NotificationsCleared
from domain.pin import PostPinned, PostUnpinned
from domain.preferences import PreferencesChanged


class Deed(NamedTuple):
    """`actor` and `object` name fields that hold ids; so do `further`, or URIs, which belong to the object."""

    words: str
    actor: str
    object: str
    further: tuple[str, ...] = ()


DEEDS: Final[dict[type[Event], Deed]] = {
    AccountMoved: Deed("{actor} moved to {object}", "account", "target"),
    AccountDeleted: Deed("{actor} is gone for good", "account", "account"),
    PreferencesChanged: Deed("{actor} changed how they post by default", "account", "account"),
    FollowAdjusted: Deed("{actor} wants something else of {object} from now on", "follower", "followee"),
    AccountBlocked: Deed("{actor} blocked {object}", "blocker", "blocked", ("activity",)),
    AccountUnblocked: Deed("{actor} no longer blocks {object}", "blocker", "blocked", ("activity",)),
    AccountMuted: Deed("{actor} muted {object}", "muter", "muted"),
    AccountUnmuted: Deed("{actor} no longer mutes {object}", "muter", "muted"),
    PostFavourited: Deed("{actor} likes {object}", "account", "post", ("activity",)),
    PostUnfavourited: Deed("{actor} no longer likes {object}", "account", "post", ("activity",)),
    PostBoosted: Deed("{actor} boosted {object}", "account", "post", ("boost", "uri")),
    PostUnboosted: Deed("{actor} no longer boosts {object}", "account", "post", ("boost", "uri")),
    PostBookmarked: Deed("{actor} bookmarked {object}", "account", "post"),
    PostUnbookmarked: Deed("{actor} no longer bookmarks {object}", "account", "post"),
    PostPinned: Deed("{actor} pinned {object}", "account", "post"),
    PostUnpinned: Deed("{actor} no longer pins {object}", "account", "post"),
    ConversationMuted: Deed("{actor} muted the thread of {object}", "account", "conversation"),
    ConversationUnmuted: Deed("{actor} no longer mutes the thread of {object}", "account", "conversation"),
    NotificationsCleared: Deed("{actor} cleared their notifications", "account", "account"),
    NotificationDismissed: Deed("{actor} dismissed a notification", "account", "account"),
    HomeDropped: Deed("{actor} has not been here for so long that their home is no longer kept", "account", "account"),
    HomeRestored: Deed("{actor} is back, and their home is kept again", "account", "account"),
}
