"""Domain events → the activities that tell other servers. `incoming` is this module's mirror. Pure.

Every activity has an id of ours and names its actor and its object, never a bare address to be undone: what is undone
stands in the Undo whole, for peers that never saw it or look at nothing else (federation §12 and Appendix A).
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from domain.account import AccountDeleted, AccountMoved, KeyAdded, ProfileChanged
from domain.block import AccountBlocked, AccountUnblocked
from domain.boost import PostBoosted, PostUnboosted
from domain.events import Event
from domain.favourite import PostFavourited, PostUnfavourited
from domain.follow import FollowAccepted, FollowEnded, FollowRejected, FollowRequested
from domain.pin import PostPinned, PostUnpinned
from domain.post import PostDeleted, PostEdited, PostPublished

Document = dict[str, Any]

PUBLIC: Final = "https://www.w3.org/ns/activitystreams#Public"
CONTEXT: Final = "https://www.w3.org/ns/activitystreams"
_TOMBSTONE_CONTEXT: Final = (CONTEXT, {"ostatus": "http://ostatus.org#", "atomUri": "ostatus:atomUri"})
_FOLLOW_ID_DIGITS: Final = 16


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What an event names by ids only, as the wire has it.

    `actor` is the URI of the local account that acts; `object` that of the post or of the other account; `owner` that
    of a post's author; `document` the whole Note, or the whole actor, where the activity shows one.
    """

    actor: str
    object: str = ""
    owner: str = ""
    document: Mapping[str, Any] | None = None


def activity_of(event: Event, about: About) -> Document:
    """The activity, as JSON-LD. Raises KeyError for kinds that nobody elsewhere is told of."""
    return {"@context": CONTEXT, **_WRITERS[type(event)](event, about)}


def is_told(event: Event) -> bool:
    """Whether there is an activity for this kind of event."""
    return type(event) in _WRITERS


def acceptance(about: About, request: str, again: int) -> Document:
    """One more Accept of a Follow; `again`, a log position, tells it from the others."""
    accepted = _answer("Accept", about, request, None)
    accepted["id"] = f"{accepted['id']}/{again}"
    return {"@context": CONTEXT, **accepted}


def _created(event: PostPublished, about: About) -> Document:
    return _about_note("Create", f"{event.uri}/activity", about, event.published_at)


def creation_by_edit(event: PostEdited, about: About) -> Document:
    """The post as an edit left it, created for whom it mentions first: an Update of the unknown is often dropped."""
    name = f"{about.object}#mentions/{_stamp(event.edited_at)}"
    return {"@context": CONTEXT, **_about_note("Create", name, about, event.edited_at)}


def _edited(event: PostEdited, about: About) -> Document:
    return _about_note("Update", f"{about.object}#updates/{_stamp(event.edited_at)}", about, event.edited_at)


def _about_note(kind: str, name: str, about: About, when: datetime) -> Document:
    """With the Note's own addresses, which peers read on either; its context moves out to where they look for it."""
    assert about.document is not None, "a Note is shown whole"
    note = dict(about.document)
    context = note.pop("@context", CONTEXT)
    return {
        "@context": context,
        "id": name,
        "type": kind,
        "actor": about.actor,
        "published": _seconds(when),
        "to": note["to"],
        "cc": note["cc"],
        "object": note,
    }


def _deleted(event: PostDeleted, about: About) -> Document:
    tombstone = {"id": about.object, "type": "Tombstone", "atomUri": about.object}
    return {
        "@context": _TOMBSTONE_CONTEXT,
        "id": f"{about.object}#delete",
        "type": "Delete",
        "actor": about.actor,
        "to": [PUBLIC],
        "object": tombstone,
    }


def _follow(event: FollowRequested, about: About) -> Document:
    return {**_following(event.request, about.actor, about.object), "to": [about.object]}


def _accepted(event: FollowAccepted, about: About) -> Document:
    return _answer("Accept", about, event.request, event.accepted_at)


def _rejected(event: FollowRejected, about: About) -> Document:
    return _answer("Reject", about, event.request, event.rejected_at)


def _answer(kind: str, about: About, request: str, when: datetime | None) -> Document:
    """`about.object` asked to follow `about.actor`, by the activity `request`, whose id may come again (Pixelfed)."""
    digits = hashlib.sha256(request.encode()).hexdigest()[:_FOLLOW_ID_DIGITS]
    return {
        "id": f"{about.actor}#{kind.lower()}s/follows/{digits}/{_stamp(when)}",
        "type": kind,
        "actor": about.actor,
        "to": [about.object],
        "object": _following(request, about.object, about.actor),
    }


def _unfollow(event: FollowEnded, about: About) -> Document:
    return _undo(_following(event.request, about.actor, about.object), [about.object])


def _like(event: PostFavourited, about: About) -> Document:
    return {**_liking(event.activity, about), "to": [about.owner]}


def _unlike(event: PostUnfavourited, about: About) -> Document:
    return _undo(_liking(event.activity, about), [about.owner])


def _announce(event: PostBoosted, about: About) -> Document:
    followers = f"{about.actor}/followers"
    to = [PUBLIC] if event.visibility == "public" else [followers]
    cc = {
        "public": [followers, about.owner],
        "unlisted": [PUBLIC, about.owner],
    }.get(event.visibility, [about.owner])
    published = _seconds(event.boosted_at)
    return {**_announcing(event.uri, about), "published": published, "to": to, "cc": list(dict.fromkeys(cc))}


def _unannounce(event: PostUnboosted, about: About) -> Document:
    return _undo(_announcing(event.uri, about), [PUBLIC, about.owner])


def _block(event: AccountBlocked, about: About) -> Document:
    return {**_blocking(event.activity, about), "to": [about.object]}


def _unblock(event: AccountUnblocked, about: About) -> Document:
    return _undo(_blocking(event.activity, about), [about.object])


def _pin(event: PostPinned, about: About) -> Document:
    return _featured("Add", about, event.pinned_at)


def _unpin(event: PostUnpinned, about: About) -> Document:
    return _featured("Remove", about, event.unpinned_at)


def _featured(kind: str, about: About, when: datetime | None) -> Document:
    post = about.object.rpartition("/")[2]
    return {
        "id": f"{about.actor}#pins/{post}/{kind.lower()}/{_stamp(when)}",
        "type": kind,
        "actor": about.actor,
        "to": [PUBLIC],
        "cc": [f"{about.actor}/followers"],
        "object": about.object,
        "target": f"{about.actor}/collections/featured",
    }


def _profile(event: ProfileChanged | KeyAdded, about: About) -> Document:
    assert about.document is not None, "an actor is shown whole"
    actor = dict(about.document)
    when = event.changed_at if isinstance(event, ProfileChanged) else event.added_at
    return {
        "@context": actor.pop("@context", CONTEXT),
        "id": f"{about.actor}#updates/{_stamp(when)}",
        "type": "Update",
        "actor": about.actor,
        "to": [PUBLIC],
        "cc": [f"{about.actor}/followers"],
        "object": actor,
    }


def _moved(event: AccountMoved, about: About) -> Document:
    return {
        "id": f"{about.actor}#moves/{event.target}",
        "type": "Move",
        "actor": about.actor,
        "to": [f"{about.actor}/followers"],
        "object": about.actor,
        "target": about.object,
    }


def _gone(event: AccountDeleted, about: About) -> Document:
    return {
        "id": f"{about.actor}#delete",
        "type": "Delete",
        "actor": about.actor,
        "to": [PUBLIC],
        "object": about.actor,
    }


def _following(request: str, follower: str, followee: str) -> Document:
    return {"id": request, "type": "Follow", "actor": follower, "object": followee}


def _liking(activity: str, about: About) -> Document:
    return {"id": activity, "type": "Like", "actor": about.actor, "object": about.object}


def _announcing(uri: str, about: About) -> Document:
    return {"id": uri, "type": "Announce", "actor": about.actor, "object": about.object}


def _blocking(activity: str, about: About) -> Document:
    return {"id": activity, "type": "Block", "actor": about.actor, "object": about.object}


def _undo(undone: Document, to: list[str]) -> Document:
    return {"id": f"{undone['id']}/undo", "type": "Undo", "actor": undone["actor"], "to": to, "object": undone}


def _stamp(when: datetime | None) -> int:
    """Milliseconds since 1970, so that an id is another one the next time."""
    return 0 if when is None else int(when.timestamp() * 1000)


def _seconds(when: datetime) -> str:
    """Without a fraction: some peers parse none."""
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


_Writer = Callable[[Any, About], Document]
_WRITERS: Final[dict[type[Event], _Writer]] = {
    PostPublished: _created,
    PostEdited: _edited,
    PostDeleted: _deleted,
    FollowRequested: _follow,
    FollowAccepted: _accepted,
    FollowRejected: _rejected,
    FollowEnded: _unfollow,
    PostFavourited: _like,
    PostUnfavourited: _unlike,
    PostBoosted: _announce,
    PostUnboosted: _unannounce,
    AccountBlocked: _block,
    AccountUnblocked: _unblock,
    PostPinned: _pin,
    PostUnpinned: _unpin,
    ProfileChanged: _profile,
    KeyAdded: _profile,
    AccountMoved: _moved,
    AccountDeleted: _gone,
}
