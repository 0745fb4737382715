"""The parts of the client API's JSON that never vary by viewer, as stored in the read models.

Each is the inside of a JSON object without its braces, so that the API can splice counters, accounts and the viewer's
own flags around it. Shapes: Mastodon's Account and Status entities (docs.joinmastodon.org/entities).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from domain.account import AccountRegistered, Profile
from domain.boost import PostBoosted
from domain.post import Attachment, Mention, PostEdited, PostPublished
from domain.text import MentionTarget, hashtag_url, to_html

_encode = msgspec.json.Encoder().encode


def api_time(moment: datetime) -> str:
    """UTC with milliseconds and Z: 2026-10-14T19:06:05.896Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def inside(values: Mapping[str, Any]) -> str:
    """A JSON object without its braces."""
    return _encode(values)[1:-1].decode()


def json_text(value: Any) -> str:
    """A value as JSON."""
    return _encode(value).decode()


def acct_of(username: str, domain: str | None) -> str:
    """How clients write the handle: the bare name for a local account."""
    return username if domain is None else f"{username}@{domain}"


def identity_json(event: AccountRegistered) -> str:
    """What of an account never changes: the inside of an Account up to its profile."""
    midnight = event.registered_at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return inside(
        {
            "id": str(event.account),
            "username": event.username,
            "acct": acct_of(event.username, event.domain),
            "created_at": api_time(midnight),
            "url": event.url,
            "uri": event.uri,
        }
    )


def mention_json(event: AccountRegistered) -> str:
    """A whole Mention entity: how a post names this account."""
    values = {"id": str(event.account), "username": event.username, "url": event.url}
    return "{" + inside({**values, "acct": acct_of(event.username, event.domain)}) + "}"


def profile_json(profile: Profile, actor_type: str, origin: str) -> str:
    """What an account says of itself now: the inside of the rest of an Account, but for the counters."""
    avatar = profile.avatar or f"{origin}/avatars/original/missing.png"
    header = profile.header or f"{origin}/headers/original/missing.png"
    return inside(
        {
            "display_name": profile.display_name,
            "note": note_html(profile, origin),
            "locked": profile.locked,
            "bot": profile.bot or actor_type in ("Service", "Application"),
            "group": actor_type == "Group",
            "discoverable": profile.discoverable,
            "indexable": profile.indexable,
            "avatar": avatar,
            "avatar_static": avatar,
            "avatar_description": "",
            "header": header,
            "header_static": header,
            "header_description": "",
            "hide_collections": profile.hide_collections,
            "emojis": [],
            "roles": [],
            "fields": [
                {"name": field.name, "value": _value_html(field.value, profile, origin), "verified_at": None}
                for field in profile.fields
            ],
        }
    )


def note_html(profile: Profile, origin: str) -> str:
    """The note as HTML: as the remote server gave it, or formatted from what was typed."""
    if profile.note_html is not None:
        return profile.note_html
    return to_html(profile.note, origin=origin, mentions={}) if profile.note else ""


def _value_html(value: str, profile: Profile, origin: str) -> str:
    """A field's value as HTML: remote ones came sanitised, local ones as typed, which is one line of text."""
    if profile.note_html is not None:
        return value
    return to_html(value, origin=origin, mentions={}).removeprefix("<p>").removesuffix("</p>")


def revision_json(event: PostPublished | PostEdited, origin: str) -> str:
    """What an edit can change: the inside of a Status from its text on."""
    edited_at = event.edited_at
    return inside(
        {
            "sensitive": event.sensitive or bool(event.spoiler_text),
            "spoiler_text": event.spoiler_text,
            "language": event.language,
            "edited_at": None if edited_at is None else api_time(edited_at),
            "content": content_html(event, origin),
            "tags": [{"name": tag, "url": hashtag_url(origin, tag)} for tag in event.tags],
            "media_attachments": [
                media_entity(attachment, event.post + ordinal) for ordinal, attachment in enumerate(event.attachments)
            ],
        }
    )


def media_entity(attachment: Attachment, otherwise: int) -> dict[str, Any]:
    """A MediaAttachment; `otherwise` is its id where it has none of its own, as those from elsewhere."""
    return {
        "id": str(otherwise if attachment.media is None else attachment.media),
        "type": attachment.kind,
        "url": attachment.url,
        "preview_url": attachment.preview_url or attachment.url,
        "remote_url": attachment.remote_url,
        "preview_remote_url": None,
        "text_url": None,
        "meta": _meta(attachment),
        "description": attachment.description,
        "blurhash": attachment.blurhash,
    }


def _meta(attachment: Attachment) -> dict[str, Any]:
    """Sizes for the layout, as far as they are known, and what must stay in view when it is cropped."""
    meta: dict[str, Any] = {}
    if attachment.width and attachment.height:
        meta["original"] = _size(attachment.width, attachment.height)
        meta["small"] = _size(
            attachment.preview_width or attachment.width, attachment.preview_height or attachment.height
        )
    if attachment.focus is not None:
        meta["focus"] = {"x": attachment.focus[0], "y": attachment.focus[1]}
    return meta


def _size(width: int, height: int) -> dict[str, Any]:
    return {"width": width, "height": height, "size": f"{width}x{height}", "aspect": width / height}


def status_json(event: PostPublished) -> str:
    """What of a status never changes: the inside of a Status up to its text, and what is not there yet."""
    return inside(
        {
            "id": str(event.post),
            "created_at": api_time(event.published_at),
            "visibility": event.visibility,
            "uri": event.uri,
            "url": event.url,
            "emojis": [],
            "card": None,
            "poll": None,
            "quote": None,
            "quotes_count": 0,
        }
    )


def boost_json(event: PostBoosted) -> str:
    """What of a boost is its own: the inside of the Status that wraps the post."""
    return inside(
        {
            "id": str(event.boost),
            "created_at": api_time(event.boosted_at),
            "visibility": event.visibility,
            "uri": event.uri,
            "url": event.uri,
        }
    )


def content_html(event: PostPublished | PostEdited, origin: str) -> str:
    """The text as HTML: sanitised remote HTML as it is, local text formatted."""
    if event.html is not None:
        return event.html
    return text_html(event.text or "", event.mentions, origin)


def text_html(text: str, mentions: tuple[Mention, ...], origin: str) -> str:
    """What somebody here typed, formatted; it names these."""
    targets = {mention.acct.lower(): MentionTarget(mention.url, mention.username, mention.acct) for mention in mentions}
    return to_html(text, origin=origin, mentions=targets)
