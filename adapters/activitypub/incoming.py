"""Activities and documents, as they came → claims. Pure: the event alone decides, and nothing that comes in raises.

What needs memory (is that object known, whose is it, what does a bare IRI mean) is the interpreter's. Who must be whom
and which origins must agree is checked here: federation §10 point 8 and §11, security B4. What is not understood yet
gets a verdict that says so, and is mended at a replay by a better translator. `outgoing` is this module's mirror.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from adapters.activitypub.actors import ACTOR_TYPES, account_of
from adapters.activitypub.json_guard import JsonRefused, decode_json_object
from adapters.activitypub.notes import Delivery, edited, is_vote, parent_of, published
from adapters.activitypub.shapes import Json, as_object, many, moment, objects, reference, too_long, type_of
from adapters.activitypub.unfit import Unfit
from adapters.activitypub.urls import origin_of
from adapters.interpreter.claims import DUPLICATE, UNPROVEN, Claim, because_of, not_understood, refused
from domain.account import AccountRegistered
from domain.activity import ActivityReceived, ActivityReceivedAgain, DocumentFetched
from domain.events import Event, topic_of
from domain.follow import FollowAccepted, FollowEnded, FollowRejected, FollowRequested
from domain.ports import Recorded
from domain.post import PostDeleted, PostPublished

_INBOX: Final = re.compile(r"/ap/users/([0-9]{1,20})/inbox")
Parts = dict[str, Any]


class _Activity(msgspec.Struct, frozen=True):
    """An activity whose signer is its actor; `stream` is where it stands, `own` the origin of this instance."""

    body: Json
    actor: str
    origin: str
    id: str | None
    type: str
    delivery: Delivery
    stream: str
    own: str | None

    def is_ours(self, uri: str) -> bool:
        return origin_of(uri) == self.own


class Translator:
    """Translates for the instance at `origin` (scheme and authority, no slash at the end)."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._own = origin_of(origin)

    def translate(self, recorded: Recorded) -> Claim:
        """What one event of the log claims. Raises nothing but on a bug."""
        event = recorded.event
        match event:
            case ActivityReceived():
                return self._translated(recorded, event.signer, lambda: self._activity(event, recorded.stream))
            case DocumentFetched():
                return self._translated(recorded, event.uri, lambda: self._document(event))
            case ActivityReceivedAgain():
                return self._translated(recorded, event.signer, lambda: {"verdict": DUPLICATE})
            case _:
                return _local(recorded, event)

    def _translated(self, recorded: Recorded, signer: str, parts: Callable[[], Parts]) -> Claim:
        try:
            if self._is_ours(signer):
                return _remote(recorded, {"verdict": refused("ours to say")})
            return _remote(recorded, {"actor": signer, **parts()})
        except Unfit as unfit:
            return _remote(recorded, {"actor": signer, "verdict": unfit.verdict})

    def _is_ours(self, uri: str) -> bool:
        return origin_of(uri) == self._own

    def _document(self, event: DocumentFetched) -> Parts:
        document = _decoded(event.raw)
        if document.get("id") != event.uri:
            raise Unfit(refused("id is not where it was fetched from"))
        kind = type_of(document, ACTOR_TYPES)
        if kind not in ACTOR_TYPES:
            raise Unfit(not_understood(f"document of {kind or 'no type'}"))
        account = account_of(document, event.uri, event.fetched_at)
        return {"kind": topic_of(account), "object": event.uri, "event": account}

    def _activity(self, event: ActivityReceived, stream: str) -> Parts:
        activity = self._checked(event, stream)
        translated = _TRANSLATORS.get(activity.type)
        if translated is None:
            raise Unfit(not_understood(activity.type or "no type"))
        return translated(activity)

    def _checked(self, event: ActivityReceived, stream: str) -> _Activity:
        """What holds for every activity: who signed is who acts, and the id is of their origin."""
        origin = origin_of(event.signer)
        if origin is None or too_long(event.signer):
            raise Unfit(refused("actor id is no usable address"))
        body = _decoded(event.raw)
        actor = reference(body.get("actor"))
        if actor is None:
            raise Unfit(refused("no actor"))
        if actor != event.signer:
            raise Unfit(UNPROVEN)
        name = body.get("id")
        if name is not None:
            _check_id(name, origin, "activity id")
        owner = _INBOX.fullmatch(event.inbox)
        inbox_owner = f"{self._origin}/ap/users/{owner[1]}" if owner else None
        kind = type_of(body, _ACTIVITY_TYPES)
        delivery = Delivery(actor, event.received_at, inbox_owner)
        return _Activity(body, actor, origin, name, kind, delivery, stream, self._own)


def _create(activity: _Activity) -> Parts:
    note, uri = _note(activity)
    post = published(note, activity.body, uri, activity.delivery)
    updated = moment(note.get("updated"), activity.delivery.received_at)
    return {
        "kind": topic_of(post),
        "object": uri,
        "parent": post.in_reply_to_uri,
        "updated": updated,
        "event": post,
    }


def _update(activity: _Activity) -> Parts:
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


def _note(activity: _Activity) -> tuple[Json, str]:
    """The Note that a Create or Update embeds, and its id: the actor's own, and of their origin."""
    members = many(activity.body.get("object"))
    if len(members) > 1:
        several = "votes" if all(_is_vote(member) for member in members) else "several objects"
        raise Unfit(not_understood(f"{activity.type} of {several}"))
    note = as_object(members)
    if note is None:
        raise Unfit(refused("object not embedded" if members else "no object"))
    kind = type_of(note, frozenset({"Note"}))
    if kind != "Note":
        raise Unfit(not_understood(f"{activity.type} of {kind or 'no type'}"))
    if _is_vote(note):
        raise Unfit(not_understood(f"{activity.type} of a vote"))
    uri = note.get("id")
    if not isinstance(uri, str) or not uri:
        raise Unfit(refused("object without id"))
    _check_id(uri, activity.origin, "object id")
    if _author(note) != activity.actor:
        raise Unfit(refused("not attributed to its actor"))
    if uri == activity.actor or parent_of(note) == uri:
        raise Unfit(refused("refers to itself"))
    return note, uri


def _delete(activity: _Activity) -> Parts:
    uri = _object_id(activity)
    if uri == activity.actor:
        raise Unfit(not_understood("Delete of an actor"))
    if origin_of(uri) != activity.origin:
        raise Unfit(refused("not the owner"))
    return {"kind": topic_of(PostDeleted), "object": uri}


def _follow(activity: _Activity) -> Parts:
    followee = _object_id(activity)
    if not activity.is_ours(followee):
        raise Unfit(refused("not ours"))
    return {"kind": topic_of(FollowRequested), "object": followee, "activity": activity.id or activity.stream}


def _accept(activity: _Activity) -> Parts:
    return _answer(activity, FollowAccepted)


def _reject(activity: _Activity) -> Parts:
    return _answer(activity, FollowRejected)


def _answer(activity: _Activity, kind: type[FollowAccepted | FollowRejected]) -> Parts:
    """Of a Follow: embedded, perhaps with an id of the answering server's own making, or by its bare id."""
    request, follower, followee = _inner(activity)
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


def _undo(activity: _Activity) -> Parts:
    """Of a Follow, embedded, or of something by its bare id; what that was is the interpreter's to know."""
    undone, follower, followee = _inner(activity)
    if undone is not None:
        _check_id(undone, activity.origin, "undone id")
        if undone == activity.id:
            raise Unfit(refused("refers to itself"))
    if follower is not None and follower != activity.actor:
        raise Unfit(refused("not the actor's to undo"))
    if followee is not None and not activity.is_ours(followee):
        raise Unfit(refused("not ours"))
    embedded = followee is not None
    if undone is None and not embedded:
        raise Unfit(refused("nothing to undo"))
    return {
        "kind": topic_of(FollowEnded),
        "object": undone,
        "inner_actor": activity.actor if embedded else None,
        "inner_object": followee,
        "embedded": embedded,
    }


_TRANSLATORS: Final[dict[str, Callable[[_Activity], Parts]]] = {
    "Create": _create,
    "Update": _update,
    "Delete": _delete,
    "Follow": _follow,
    "Accept": _accept,
    "Reject": _reject,
    "Undo": _undo,
}
_ACTIVITY_TYPES: Final = frozenset(_TRANSLATORS)


def _decoded(raw: bytes) -> Json:
    try:
        return decode_json_object(raw)
    except JsonRefused as problem:
        raise Unfit(refused(problem.reason)) from None


def _check_id(uri: object, origin: str, what: str) -> None:
    if not isinstance(uri, str):
        raise Unfit(refused(f"{what} is no string"))
    if too_long(uri):
        raise Unfit(refused(f"{what} too long"))
    if origin_of(uri) != origin:
        raise Unfit(refused(f"{what} of another origin"))


def _author(note: Json) -> str | None:
    """Whose the Note says it is: the first person of several (PeerTube names account and channel), else the first."""
    authors = many(note.get("attributedTo"))
    person = next((author for author in objects(authors) if type_of(author, ACTOR_TYPES) == "Person"), None)
    return reference(person or authors)


def _is_vote(member: object) -> bool:
    note = as_object(member)
    return note is not None and type_of(note, frozenset({"Note"})) == "Note" and is_vote(note)


def _object_id(activity: _Activity) -> str:
    uri = reference(activity.body.get("object"))
    if uri is None:
        raise Unfit(refused("no object"))
    if too_long(uri):
        raise Unfit(refused("object id too long"))
    if uri == activity.id:
        raise Unfit(refused("refers to itself"))
    return uri


def _inner(activity: _Activity) -> tuple[str | None, str | None, str | None]:
    """Id, actor and object of the Follow that is answered or undone, as far as they are given."""
    given = activity.body.get("object")
    inner = as_object(given)
    if inner is None:
        return _object_id(activity), None, None
    kind = type_of(inner, frozenset({"Follow"}))
    if kind not in {"Follow", ""}:
        raise Unfit(not_understood(f"{activity.type} of {kind}"))
    found = reference(inner), reference(inner.get("actor")), reference(inner.get("object"))
    if any(uri is not None and too_long(uri) for uri in found):
        raise Unfit(refused("inner id too long"))
    return found


def _remote(recorded: Recorded, parts: Parts) -> Claim:
    return Claim(position=recorded.position, stream=recorded.stream, because=because_of(recorded.stream), **parts)


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
        case _:
            pass
    kind = topic_of(event)
    return Claim(position=recorded.position, stream=recorded.stream, kind=kind, local=True, event=event, **named)
