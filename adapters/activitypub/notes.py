"""Notes → the events that publishing and editing would be.

Addressing becomes visibility (federation §9), content is sanitised, everything that comes in numbers is capped
(federation §8.2 and §8.4, security C5 and H15). Nothing is fetched, and no other document is believed.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final, TypedDict

import msgspec

from adapters.activitypub.attachments import attachments_of
from adapters.activitypub.shapes import (
    PUBLIC,
    Json,
    in_language_map,
    moment,
    objects,
    page_of,
    reference,
    references,
    text,
    type_of,
    usable,
)
from adapters.activitypub.unfit import Unfit
from adapters.activitypub.urls import origin_of
from adapters.html import clean_url, plain_text, sanitise
from adapters.interpreter.claims import refused
from domain.post import MENTIONS_MAX, Attachment, Mention, PostEdited, PostPublished, Visibility
from domain.text import hashtag_key

AUDIENCE_MAX: Final = 256
TAGS_MAX: Final = 64
TAG_MAX: Final = 255
HANDLE_MAX: Final = 512
SPOILER_MAX: Final = 5_000
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,4}")
_FOLLOWERS: Final = re.compile(r"/followers(?:/[^/?#]*)?\Z")
_BLANK: Final = "\u200b\u200c\u200d\u2060\ufeff"


class Delivery(msgspec.Struct, frozen=True):
    """How a Note came: signed by whom, when, into whose inbox (the actor's URI; None for the shared one)."""

    author: str
    received_at: datetime
    inbox_owner: str | None


class _Said(TypedDict):
    html: str
    spoiler_text: str
    sensitive: bool
    language: str | None
    mentions: tuple[Mention, ...]
    tags: tuple[str, ...]
    attachments: tuple[Attachment, ...]


def is_vote(note: Json) -> bool:
    """An answer to a poll, not a post: a name and a parent, and nothing said (federation §8.6)."""
    return bool(text(note.get("name")) and note.get("inReplyTo")) and not in_language_map(note, "content")[0]


def parent_of(note: Json) -> str | None:
    """What the Note replies to, if that can be a post at all."""
    parent = reference(note.get("inReplyTo"))
    return parent if parent is not None and usable(parent) else None


def visibility_of(addressed: Json, author: str) -> Visibility:
    """How far something goes, by its own addresses (federation §9)."""
    return _visibility(list(references(addressed.get("to"))), list(references(addressed.get("cc"))), author)


def published(note: Json, activity: Json, uri: str, delivery: Delivery) -> PostPublished:
    """The post that a Create says there is; its ids are 0. Raises Unfit when it is addressed to nobody."""
    visibility, audience = _addressing(note, activity, delivery)
    published_at = moment(note.get("published"), delivery.received_at) or delivery.received_at
    updated = moment(note.get("updated"), delivery.received_at)
    return PostPublished(
        post=0,
        author=0,
        uri=uri,
        url=clean_url(page_of(note.get("url"), uri)) or uri,
        visibility=visibility,
        published_at=published_at,
        in_reply_to_uri=parent_of(note),
        audience=audience,
        edited_at=updated if updated is not None and updated > published_at else None,
        **_said(note),
    )


def edited(note: Json, edited_at: datetime) -> PostEdited:
    """What an Update says the post reads from now on; addressing is left as it was."""
    return PostEdited(post=0, author=0, edited_at=edited_at, **_said(note))


def _said(note: Json) -> _Said:
    content, language = in_language_map(note, "content")
    summary = in_language_map(note, "summary")[0]
    spoiler_text = plain_text(summary[:SPOILER_MAX]).strip(_BLANK).strip() if summary else ""
    mentions, tags = _tags(note)
    return _Said(
        html=sanitise(content),
        spoiler_text=spoiler_text,
        # A warning of nothing but a zero-width space is how Misskey writes an empty one; "" is how others write none.
        sensitive=note.get("sensitive") is True or note.get("as:sensitive") is True or bool(summary),
        language=language if language and language != "und" and _LANGUAGE.fullmatch(language) else None,
        mentions=mentions,
        tags=tags,
        attachments=attachments_of(note),
    )


def _tags(note: Json) -> tuple[tuple[Mention, ...], tuple[str, ...]]:
    mentions: dict[str, Mention] = {}
    hashtags: dict[str, str] = {}
    for tag in objects(note.get("tag")):
        match type_of(tag, frozenset({"Mention", "Hashtag"})):
            case "Mention" if len(mentions) < MENTIONS_MAX:
                uri = reference(tag.get("href"))
                if uri is not None and usable(uri):
                    mentions.setdefault(uri, _mention(uri, text(tag.get("name"))))
            case "Hashtag" if len(hashtags) < TAGS_MAX:
                name = text(tag.get("name")).strip().removeprefix("#")
                if name and len(name) <= TAG_MAX and not any(map(str.isspace, name)):
                    hashtags.setdefault(hashtag_key(name), plain_text(name))
            case _:
                pass
    return tuple(mentions.values()), tuple(hashtags.values())


def _mention(uri: str, name: str) -> Mention:
    username, _, host = name[:HANDLE_MAX].strip().removeprefix("@").partition("@")
    if not username:
        return Mention(uri=uri, url=uri)
    authority = host or (origin_of(uri) or "").partition("://")[2]
    return Mention(uri=uri, username=username, acct=f"{username}@{authority}", url=uri)


def _addressing(note: Json, activity: Json, delivery: Delivery) -> tuple[Visibility, tuple[str, ...]]:
    """The Note's own addresses decide; the activity's stand in only when it has none."""
    to, cc = list(references(note.get("to"))), list(references(note.get("cc")))
    if not to and not cc:
        to, cc = list(references(activity.get("to"))), list(references(activity.get("cc")))
    if not to and not cc:
        if delivery.inbox_owner is None:
            raise Unfit(refused("addressed to nobody"))
        return "direct", (delivery.inbox_owner,)
    visibility = _visibility(to, cc, delivery.author)
    audience = dict.fromkeys(uri for uri in (*to, *cc) if _is_somebody(uri))
    if visibility in {"private", "direct"} and delivery.inbox_owner is not None:
        # Who was sent it may read it, though nobody named them; first, so that the cap can't cut them off.
        audience = (
            dict.fromkeys((delivery.inbox_owner, *audience)) if delivery.inbox_owner not in audience else audience
        )
    return visibility, tuple(audience)[:AUDIENCE_MAX]


def _visibility(to: Iterable[str], cc: Iterable[str], author: str) -> Visibility:
    if not PUBLIC.isdisjoint(to):
        return "public"
    if not PUBLIC.isdisjoint(cc):
        return "unlisted"
    origin = origin_of(author)
    if any(_FOLLOWERS.search(uri) and origin_of(uri) == origin for uri in (*to, *cc)):
        return "private"
    return "direct"


def _is_somebody(uri: str) -> bool:
    """Whether an address may be an actor: not Public (nor Pleroma's local one), nor anybody's followers."""
    return uri not in PUBLIC and not uri.endswith("#Public") and not _FOLLOWERS.search(uri) and usable(uri)
