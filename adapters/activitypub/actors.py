"""Actor documents → the event that a registration would be. Limits and quirks: federation §7.2, security C5 and H07."""

import re
from datetime import datetime
from typing import Final, cast

from adapters.activitypub.shapes import (
    Json,
    as_object,
    first,
    in_language_map,
    many,
    moment,
    objects,
    page_of,
    reference,
    references,
    text,
    too_long,
    type_of,
    usable,
)
from adapters.activitypub.unfit import Unfit
from adapters.activitypub.urls import origin_of
from adapters.html import clean_url, plain_text, sanitise
from adapters.interpreter.claims import not_understood, refused
from domain.account import AccountRegistered, ActorType, Endpoints, Field, Profile

ACTOR_TYPES: Final = frozenset({"Person", "Service", "Group", "Organization", "Application"})
USERNAME_MAX: Final = 255
DISPLAY_NAME_MAX: Final = 500
NOTE_MAX: Final = 20_000
FIELDS_MAX: Final = 6
FIELD_MAX: Final = 2_047
ALIASES_MAX: Final = 256
_USERNAME: Final = re.compile(r"\w(?:[\w.-]*\w)?", re.ASCII)


def account_of(document: Json, uri: str, received_at: datetime) -> AccountRegistered:
    """The account that `document`, which is `uri`'s own, describes; its id is 0. Raises Unfit."""
    origin = origin_of(uri)
    if origin is None or too_long(uri):
        raise Unfit(refused("actor id is no usable address"))
    actor_type = type_of(document, ACTOR_TYPES)
    if actor_type not in ACTOR_TYPES:
        raise Unfit(not_understood(f"{actor_type or 'no type'} as an actor"))
    username = text(document.get("preferredUsername"))
    if len(username) > USERNAME_MAX or not _USERNAME.fullmatch(username):
        raise Unfit(refused("username"))
    return AccountRegistered(
        account=0,
        username=username,
        uri=uri,
        url=clean_url(page_of(document.get("url"), uri)) or uri,
        registered_at=moment(document.get("published"), received_at) or received_at,
        domain=origin.partition("://")[2],
        actor_type=cast(ActorType, actor_type),
        profile=_profile(document, actor_type),
        endpoints=_endpoints(document, origin),
    )


def _profile(document: Json, actor_type: str) -> Profile:
    note, _ = in_language_map(document, "summary")
    name, _ = in_language_map(document, "name")
    rows = (row for row in objects(document.get("attachment")) if type_of(row, frozenset()) in _ROW_TYPES)
    fields = [
        Field(
            name=plain_text(text(row.get("name"))[:FIELD_MAX]),
            value=sanitise((text(row.get("value")) or text(row.get("schema:value")))[:FIELD_MAX]),
        )
        for row, _ in zip(rows, range(FIELDS_MAX), strict=False)
    ]
    return Profile(
        display_name=plain_text(name)[:DISPLAY_NAME_MAX],
        note_html=sanitise(note[:NOTE_MAX]),
        locked=document.get("manuallyApprovesFollowers") is True,
        bot=actor_type in {"Service", "Application"},
        discoverable=_flag(document, "discoverable"),
        indexable=_flag(document, "indexable"),
        fields=tuple(fields),
        avatar=_picture(document.get("icon")),
        header=_picture(document.get("image")),
        also_known_as=_aliases(document),
    )


def _aliases(document: Json) -> tuple[str, ...]:
    """Other accounts that it says are the same person's; believed only where they say so, too."""
    named = dict.fromkeys(uri for uri in references(document.get("alsoKnownAs")) if usable(uri))
    return tuple(named)[:ALIASES_MAX]


_ROW_TYPES: Final = frozenset({"PropertyValue", "schema:PropertyValue"})


def _flag(document: Json, name: str) -> bool:
    return document.get(name) is True or document.get(f"toot:{name}") is True


def _picture(value: object) -> str | None:
    """The widest of several sizes (PeerTube), or the only one; its address as a string or a Link."""
    pictures = sorted(objects(value), key=_width, reverse=True)
    address = reference(pictures[0].get("url") or pictures[0].get("href")) if pictures else text(value)
    return clean_url(address) if address else None


def _width(picture: Json) -> float:
    width = picture.get("width")
    return width if isinstance(width, int | float) else 0


def _endpoints(document: Json, origin: str) -> Endpoints:
    inbox = _own(document.get("inbox"), origin)
    if inbox is None:
        raise Unfit(refused("no inbox of its own origin"))
    shared = as_object(document.get("endpoints")) or {}
    return Endpoints(
        inbox=inbox,
        shared_inbox=_own(shared.get("sharedInbox"), origin),
        outbox=_own(document.get("outbox"), origin),
        followers=_own(document.get("followers"), origin),
        featured=_own(document.get("featured"), origin),
    )


def _own(value: object, origin: str) -> str | None:
    """An address of the actor's own origin; another's can't speak or receive for it."""
    address = reference(first(many(value)))
    return address if address is not None and origin_of(address) == origin else None
