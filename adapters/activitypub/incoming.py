"""Activities and documents, as they came → claims. Pure: the event alone decides, and nothing that comes in raises.

What needs memory (is that object known, whose is it, what does a bare IRI mean) is the interpreter's. Who must be whom
and which origins must agree is checked here: federation §10 point 8 and §11, security B4. What is not understood yet
gets a verdict that says so, and is mended at a replay by a better translator. `outgoing` is this module's mirror.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Final

from adapters.activitypub import toggles
from adapters.activitypub.activity import Activity, Parts, check_id, decoded, object_id
from adapters.activitypub.actors import ACTOR_TYPES, account_of
from adapters.activitypub.kinds import POST_TYPES, as_note
from adapters.activitypub.notes import Delivery, edited, is_vote, parent_of, published
from adapters.activitypub.shapes import Json, as_object, many, moment, objects, reference, too_long, type_of
from adapters.activitypub.unfit import Unfit
from adapters.activitypub.urls import origin_of
from adapters.interpreter.claims import DUPLICATE, UNPROVEN, Claim, because_of, not_understood, refused
from domain.account import AccountDeleted, AccountMoved, AccountRegistered
from domain.activity import ActivityReceived, ActivityReceivedAgain, DocumentFetched
from domain.boost import PostBoosted
from domain.events import Event, topic_of
from domain.follow import FollowRequested
from domain.ports import Recorded
from domain.post import PostDeleted, PostPublished

_WEBFINGER: Final = "/.well-known/webfinger?"
_INBOX: Final = re.compile(r"/ap/users/([0-9]{1,20})/inbox")


class Translator:
    """Translates for the instance at `origin` (scheme and authority, no slash at the end)."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._own = origin_of(origin)

    def translate(self, recorded: Recorded) -> Claim:
        """What one event of the log claims. Raises nothing but on a bug."""
        event = recorded.event
        match event:
            case ActivityReceived(signer=signer, received_at=at):
                parts = self._parts(signer, lambda: self._activity(event))
            case DocumentFetched(uri=signer, fetched_at=at):
                parts = self._parts(signer, lambda: self._document(event))
            case ActivityReceivedAgain(signer=signer, received_at=at):
                parts = self._parts(signer, lambda: {"verdict": DUPLICATE})
            case _:
                return _local(recorded, event)
        because = because_of(recorded.stream)
        return Claim(position=recorded.position, stream=recorded.stream, because=because, at=at, **parts)

    def _parts(self, signer: str, parts: Callable[[], Parts]) -> Parts:
        try:
            if self._is_ours(signer):
                return {"verdict": refused("ours to say")}
            return {"actor": signer, **parts()}
        except Unfit as unfit:
            return {"actor": signer, "verdict": unfit.verdict}

    def _is_ours(self, uri: str) -> bool:
        return origin_of(uri) == self._own

    def _document(self, event: DocumentFetched) -> Parts:
        document = decoded(event.raw)
        if _WEBFINGER in event.uri:
            # What somebody is called is their own host's name for them, until that is understood.
            raise Unfit(not_understood("WebFinger"))
        if document.get("id") != event.uri:
            raise Unfit(refused("id is not where it was fetched from"))
        kind = type_of(document, ACTOR_TYPES | POST_TYPES)
        if kind in POST_TYPES:
            return _fetched_post(document, kind, event)
        if kind not in ACTOR_TYPES:
            raise Unfit(not_understood(f"document of {kind or 'no type'}"))
        account = account_of(document, event.uri, event.fetched_at)
        return {"kind": topic_of(account), "object": event.uri, "event": account}

    def _activity(self, event: ActivityReceived) -> Parts:
        activity = self._checked(event)
        translated = _TRANSLATORS.get(activity.type)
        if translated is None:
            raise Unfit(not_understood(activity.type or "no type"))
        return translated(activity)

    def _checked(self, event: ActivityReceived) -> Activity:
        """What holds for every activity: who signed is who acts, and the id is of their origin."""
        origin = origin_of(event.signer)
        if origin is None or too_long(event.signer):
            raise Unfit(refused("actor id is no usable address"))
        body = decoded(event.raw)
        actor = reference(body.get("actor"))
        if actor is None:
            raise Unfit(refused("no actor"))
        if actor != event.signer:
            raise Unfit(UNPROVEN)
        name = body.get("id")
        if name is not None:
            check_id(name, origin, "activity id")
        else:
            name = f"unnamed:{hashlib.sha256(actor.encode() + event.raw).hexdigest()}"
        owner = _INBOX.fullmatch(event.inbox)
        inbox_owner = f"{self._origin}/ap/users/{owner[1]}" if owner else None
        kind = type_of(body, _ACTIVITY_TYPES)
        delivery = Delivery(actor, event.received_at, inbox_owner)
        return Activity(body, actor, origin, name, kind, delivery, self._own)


def _create(activity: Activity) -> Parts:
    note, uri = _note(activity)
    return _post(note, activity.body, uri, activity.delivery)


def _post(note: Json, activity: Json, uri: str, delivery: Delivery) -> Parts:
    post = published(note, activity, uri, delivery)
    return {
        "kind": topic_of(post),
        "object": uri,
        "parent": post.in_reply_to_uri,
        "updated": moment(note.get("updated"), delivery.received_at),
        "visibility": post.visibility,
        "event": post,
    }


def _fetched_post(document: Json, kind: str, event: DocumentFetched) -> Parts:
    """A post as its own server gave it, by somebody of that server; nobody was sent it (federation §14.1)."""
    author = _author(document)
    if too_long(event.uri) or origin_of(event.uri) is None:
        raise Unfit(refused("id is no usable address"))
    if author is None or too_long(author) or origin_of(author) != origin_of(event.uri):
        raise Unfit(refused("not attributed to somebody of its own origin"))
    note = _as_note(document, kind, event.uri, author, "document")
    return {**_post(note, {}, event.uri, Delivery(author, event.fetched_at, None)), "actor": author, "delivered": False}


def _update(activity: Activity) -> Parts:
    changed = as_object(activity.body.get("object"))
    if changed is not None and type_of(changed, ACTOR_TYPES) in ACTOR_TYPES:
        if changed.get("id") != activity.actor:
            raise Unfit(refused("not the actor itself"))
        account = account_of(changed, activity.actor, activity.delivery.received_at)
        return {"kind": topic_of(account), "object": activity.actor, "event": account}
    note, uri = _note(activity)
    updated = moment(note.get("updated"), activity.delivery.received_at)
    event = edited(note, updated or activity.delivery.received_at)
    return {"kind": topic_of(event), "object": uri, "updated": updated, "event": event}


def _note(activity: Activity) -> tuple[Json, str]:
    """The Note that a Create or Update embeds, and its id: the actor's own, and of their origin."""
    members = many(activity.body.get("object"))
    if len(members) > 1:
        several = "votes" if all(_is_vote(member) for member in members) else "several objects"
        raise Unfit(not_understood(f"{activity.type} of {several}"))
    note = as_object(members)
    if note is None:
        raise Unfit(refused("object not embedded" if members else "no object"))
    kind = type_of(note, POST_TYPES)
    if kind not in POST_TYPES:
        raise Unfit(not_understood(f"{activity.type} of {kind or 'no type'}"))
    uri = note.get("id")
    if not isinstance(uri, str) or not uri:
        raise Unfit(refused("object without id"))
    check_id(uri, activity.origin, "object id")
    if _author(note) != activity.actor:
        raise Unfit(refused("not attributed to its actor"))
    return _as_note(note, kind, uri, activity.actor, activity.type), uri


def _as_note(found: Json, kind: str, uri: str, author: str, what: str) -> Json:
    if kind == "Note" and is_vote(found):
        raise Unfit(not_understood(f"{what} of a vote"))
    if uri == author or parent_of(found) == uri:
        raise Unfit(refused("refers to itself"))
    return as_note(found, kind)


def _delete(activity: Activity) -> Parts:
    uri = object_id(activity)
    if uri == activity.actor:
        return {"kind": topic_of(AccountDeleted), "object": uri}
    if origin_of(uri) != activity.origin:
        raise Unfit(refused("not the owner"))
    return {"kind": topic_of(PostDeleted), "object": uri}


def _move(activity: Activity) -> Parts:
    """Of the actor itself, to another account."""
    if object_id(activity) != activity.actor:
        raise Unfit(refused("not the actor itself"))
    target = reference(activity.body.get("target"))
    if target is None or origin_of(target) is None:
        raise Unfit(refused("no target with a usable address"))
    if target == activity.actor:
        raise Unfit(refused("refers to itself"))
    return {"kind": topic_of(AccountMoved), "object": target, "ours": activity.is_ours(target)}


_TRANSLATORS: Final[dict[str, Callable[[Activity], Parts]]] = {
    "Create": _create,
    "Update": _update,
    "Delete": _delete,
    "Follow": toggles.follow,
    "Accept": toggles.accept,
    "Reject": toggles.reject,
    "Like": toggles.like,
    "EmojiReact": toggles.like,
    "Announce": toggles.announce,
    "Block": toggles.block,
    "Add": toggles.add,
    "Remove": toggles.remove,
    "Move": _move,
    "Undo": toggles.undo,
}
_ACTIVITY_TYPES: Final = frozenset(_TRANSLATORS)


def _author(note: Json) -> str | None:
    """Whose the Note says it is: the first person of several (PeerTube names account and channel), else the first."""
    authors = many(note.get("attributedTo"))
    person = next((author for author in objects(authors) if type_of(author, ACTOR_TYPES) == "Person"), None)
    return reference(person or authors)


def _is_vote(member: object) -> bool:
    note = as_object(member)
    return note is not None and type_of(note, frozenset({"Note"})) == "Note" and is_vote(note)


def _local(recorded: Recorded, event: Event) -> Claim:
    """Local events were decided already and pass through; those that give out a URI make it known."""
    named: Parts = {}
    match event:
        case AccountRegistered():
            named = {"actor": event.uri, "object": event.uri}
        case PostPublished():
            named = {"object": event.uri, "parent": event.in_reply_to_uri}
        case FollowRequested():
            named = {"activity": event.request}
        case PostBoosted():
            named = {"activity": event.uri}
        case _:
            pass
    kind = topic_of(event)
    return Claim(position=recorded.position, stream=recorded.stream, kind=kind, local=True, event=event, **named)
