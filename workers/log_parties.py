"""Who an event of the log is by and what it is about, as ids and URIs: what `daybook log` filters and names by."""

from collections.abc import Iterator, Mapping
from typing import Any, cast
from urllib.parse import urlsplit

import msgspec

from adapters.postgres.reading_log import Entry
from domain.account import AccountRegistered, KeyAdded, ProfileChanged
from domain.activity import ActivityReceived, ActivityReceivedAgain, DocumentFetched
from domain.events import Event
from domain.follow import FollowAccepted, FollowEnded, FollowRejected, FollowRequested
from domain.instance import InstanceFounded
from domain.post import PostDeleted, PostEdited, PostPublished
from workers.log_deeds import DEEDS

# Undo{Follow{object}} is the deepest that anybody is looked for in.
OBJECT_DEPTH_MAX = 3

Identity = int | str
Pair = tuple[set[Identity], set[Identity]]


class Parties(msgspec.Struct, frozen=True):
    """Who acts, and on what."""

    actors: frozenset[Identity]
    objects: frozenset[Identity]


class Wanted(msgspec.Struct, frozen=True):
    """What to show: None asks for nothing. Identities are all that one filter's value may mean."""

    actor: frozenset[Identity] | None = None
    object: frozenset[Identity] | None = None
    host: str | None = None

    def matches(self, parties: Parties, uris: Mapping[int, str]) -> bool:
        """Whether an event is asked for; `uris` says where ids belong."""
        if self.actor is not None and not self.actor & parties.actors:
            return False
        if self.object is not None and not self.object & parties.objects:
            return False
        return self.host is None or self.host in _hosts(parties, uris)


def parties_of(entry: Entry) -> Parties:
    """All that the event itself and its facts name."""
    actors, objects = _of(entry.event) if entry.event is not None else (set[Identity](), set[Identity]())
    actors.update(fact.actor for fact in entry.facts if fact.actor is not None)
    objects.update(fact.object for fact in entry.facts if fact.object is not None)
    return Parties(frozenset(actors), frozenset(objects))


def activity_of(raw: bytes) -> dict[str, Any] | None:
    """What was received as a JSON object; None when it is none."""
    try:
        decoded: object = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return cast(dict[str, Any], decoded) if isinstance(decoded, dict) else None


def _of(event: Event) -> Pair:
    actors: set[Identity] = set()
    objects: set[Identity] = set()
    match event:
        case AccountRegistered():
            actors = objects = {event.account, event.uri}
        case ProfileChanged() | KeyAdded():
            actors = objects = {event.account}
        case PostPublished():
            actors, objects = {event.author}, {event.post, event.uri}
        case PostEdited() | PostDeleted():
            actors, objects = {event.author}, {event.post}
        case FollowRequested() | FollowEnded():
            actors, objects = {event.follower}, {event.followee, event.request}
        case FollowAccepted() | FollowRejected():
            actors, objects = {event.followee}, {event.follower, event.request}
        case ActivityReceived():
            actors, objects = {event.signer}, set(_named_in(activity_of(event.raw) or {}, OBJECT_DEPTH_MAX))
        case ActivityReceivedAgain():
            actors = {event.signer}
        case DocumentFetched():
            actors = objects = {event.uri}
        case InstanceFounded():
            actors = objects = {event.actor}
        case _ if (deed := DEEDS.get(type(event))) is not None:
            actors = {getattr(event, deed.actor)}
            objects = {getattr(event, name) for name in (deed.object, *deed.further)}
        case _:
            pass
    return set(actors), set(objects)


def _named_in(thing: Mapping[str, object], depth: int) -> Iterator[Identity]:
    """The ids of an activity, and of what it is about."""
    if isinstance(name := thing.get("id"), str):
        yield name
    about = thing.get("object")
    if isinstance(about, str):
        yield about
    elif isinstance(about, dict) and depth > 1:
        yield from _named_in(cast(dict[str, object], about), depth - 1)


def _hosts(parties: Parties, uris: Mapping[int, str]) -> set[str]:
    named = parties.actors | parties.objects
    return {host_of_uri(uris.get(one, "") if isinstance(one, int) else one) for one in named}


def host_of_uri(uri: str) -> str:
    """Host and port of a URI in lower case, empty when there is none."""
    try:
        return urlsplit(uri).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""
