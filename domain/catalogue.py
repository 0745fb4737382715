"""Every kind of event there is, by its tag. What is not in this list can't be stored or read."""

from typing import get_args

from domain.account import AccountEvent
from domain.activity import ActivityEvent
from domain.events import Event, topic_of
from domain.follow import FollowEvent
from domain.instance import InstanceEvent
from domain.post import PostEvent

KINDS: tuple[type[Event], ...] = (
    InstanceEvent,
    *get_args(AccountEvent),
    *get_args(PostEvent),
    *get_args(FollowEvent),
    *get_args(ActivityEvent),
)

BY_TOPIC: dict[str, type[Event]] = {topic_of(kind): kind for kind in KINDS}
