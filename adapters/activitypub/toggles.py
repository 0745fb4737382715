"""What toggles, as claims: Follow and its answers, Like, Announce, Block, Add, Remove, and the Undo of them.

Whether it stands already is the interpreter's to know. Federation §11, security B4.
"""

from typing import Final

from adapters.activitypub.activity import LIKE_TYPES, Activity, Parts, check_id, inner_of, object_id, single_object
from adapters.activitypub.kinds import POST_TYPES
from adapters.activitypub.notes import visibility_of
from adapters.activitypub.shapes import reference
from adapters.activitypub.unfit import Unfit
from adapters.activitypub.urls import origin_of
from adapters.interpreter.claims import UNDO, refused
from domain.block import AccountBlocked, AccountUnblocked
from domain.boost import PostBoosted, PostUnboosted
from domain.events import topic_of
from domain.favourite import PostFavourited, PostUnfavourited
from domain.follow import FollowAccepted, FollowEnded, FollowRejected, FollowRequested
from domain.pin import PostPinned, PostUnpinned

_FOLLOW: Final = frozenset({"Follow"})
_UNDONE: Final = {
    "Follow": topic_of(FollowEnded),
    "Announce": topic_of(PostUnboosted),
    "Block": topic_of(AccountUnblocked),
    **dict.fromkeys(LIKE_TYPES, topic_of(PostUnfavourited)),
}
_UNDOABLE: Final = frozenset(_UNDONE)


def follow(activity: Activity) -> Parts:
    """A Follow of one of ours."""
    followee = object_id(activity)
    if not activity.is_ours(followee):
        raise Unfit(refused("not ours"))
    return {"kind": topic_of(FollowRequested), "object": followee, "activity": activity.name}


def accept(activity: Activity) -> Parts:
    """An Accept of a Follow."""
    return _answer(activity, FollowAccepted)


def reject(activity: Activity) -> Parts:
    """A Reject of a Follow, or the removal of a follower."""
    return _answer(activity, FollowRejected)


def like(activity: Activity) -> Parts:
    """A Like, whatever it says; of a reaction only that somebody liked it."""
    uri = single_object(activity, POST_TYPES)
    ours = activity.is_ours(uri)
    return {"kind": topic_of(PostFavourited), "object": uri, "activity": activity.name, "ours": ours}


def announce(activity: Activity) -> Parts:
    """An Announce of a post. What it embeds is not believed; that of an activity (federation §19) is another thing."""
    uri = single_object(activity, POST_TYPES)
    visibility = visibility_of(activity.body, activity.actor)
    return {
        "kind": topic_of(PostBoosted),
        "object": uri,
        "activity": activity.name,
        "ours": activity.is_ours(uri),
        # For named readers only it would show nowhere; a command makes the same of it.
        "visibility": "private" if visibility == "direct" else visibility,
    }


def block(activity: Activity) -> Parts:
    """A Block of one of ours; one of others is no concern of this instance."""
    blocked = object_id(activity)
    if not activity.is_ours(blocked):
        raise Unfit(refused("not ours"))
    return {"kind": topic_of(AccountBlocked), "object": blocked, "activity": activity.name}


def add(activity: Activity) -> Parts:
    """An Add of a post to what the actor features."""
    return _pin(activity, PostPinned)


def remove(activity: Activity) -> Parts:
    """A Remove of it."""
    return _pin(activity, PostUnpinned)


def undo(activity: Activity) -> Parts:
    """Of something embedded, or of something by its bare id; what that was is the interpreter's to know."""
    inner = inner_of(activity, _UNDOABLE)
    if inner.id is not None:
        check_id(inner.id, activity.origin, "undone id")
        if inner.id == activity.name:
            raise Unfit(refused("refers to itself"))
    if inner.actor is not None and inner.actor != activity.actor:
        raise Unfit(refused("not the actor's to undo"))
    if inner.object is None or (inner.id is not None and not inner.type):
        if inner.id is None:
            raise Unfit(refused("nothing to undo"))
        return {"kind": _UNDONE.get(inner.type, UNDO), "object": inner.id}
    if inner.type in {"Follow", "Block", ""} and not activity.is_ours(inner.object):
        raise Unfit(refused("not ours"))
    return {
        "kind": _UNDONE.get(inner.type, topic_of(FollowEnded)),
        "object": inner.id,
        "inner_actor": activity.actor,
        "inner_object": inner.object,
        "embedded": True,
    }


def _pin(activity: Activity, kind: type[PostPinned | PostUnpinned]) -> Parts:
    """Of a post of the actor's own; whether the target is what their document names as featured is known elsewhere."""
    uri = single_object(activity, POST_TYPES)
    target = reference(activity.body.get("target"))
    if target is None or origin_of(target) != activity.origin:
        raise Unfit(refused("not the actor's featured collection"))
    if origin_of(uri) != activity.origin:
        raise Unfit(refused("not the owner"))
    return {"kind": topic_of(kind), "object": uri, "activity": activity.name, "target": target}


def _answer(activity: Activity, kind: type[FollowAccepted | FollowRejected]) -> Parts:
    """Of a Follow: embedded, perhaps with an id of the answering server's own making, or by its bare id."""
    inner = inner_of(activity, _FOLLOW)
    request, follower, followee = inner.id, inner.actor, inner.object
    embedded = follower is not None and followee is not None
    if embedded and followee != activity.actor:
        raise Unfit(refused("not asked of the actor"))
    if embedded and follower is not None and not activity.is_ours(follower):
        raise Unfit(refused("not a request of ours"))
    if not embedded and (request is None or not activity.is_ours(request)):
        raise Unfit(refused("not a request of ours"))
    return {
        "kind": topic_of(kind),
        "object": request if request is not None and activity.is_ours(request) else None,
        "inner_actor": follower if embedded else None,
        "inner_object": followee if embedded else None,
        "embedded": embedded,
    }
