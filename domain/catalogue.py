"""Every kind of event there is, by its tag. What is not in this list can't be stored or read."""

from typing import get_args

from domain.account import AccountEvent
from domain.activity import ActivityEvent
from domain.block import BlockEvent
from domain.bookmark import BookmarkEvent
from domain.boost import BoostEvent
from domain.conversation import ConversationEvent
from domain.events import Event, topic_of
from domain.favourite import FavouriteEvent
from domain.follow import FollowEvent
from domain.home import HomeEvent
from domain.instance import InstanceEvent
from domain.mute import MuteEvent
from domain.notification import NotificationEvent
from domain.pin import PinEvent
from domain.post import PostEvent
from domain.preferences import PreferencesEvent
from domain.waiting import WaitingEvent

KINDS: tuple[type[Event], ...] = (
    InstanceEvent,
    *get_args(AccountEvent),
    *get_args(PostEvent),
    *get_args(FollowEvent),
    *get_args(FavouriteEvent),
    *get_args(BoostEvent),
    *get_args(BookmarkEvent),
    *get_args(PinEvent),
    *get_args(BlockEvent),
    *get_args(MuteEvent),
    *get_args(ConversationEvent),
    *get_args(NotificationEvent),
    *get_args(HomeEvent),
    PreferencesEvent,
    WaitingEvent,
    *get_args(ActivityEvent),
)

BY_TOPIC: dict[str, type[Event]] = {topic_of(kind): kind for kind in KINDS}
