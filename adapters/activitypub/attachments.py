"""Attachments as they come: what a Note carries → what a post shows (federation §8.3). `attached` is the way back.

Nothing is fetched: what a stranger says of a file is kept as said, and only addresses of http and https are.
"""

import re
from collections.abc import Iterator
from typing import Final, cast

from adapters.activitypub.shapes import Json, in_language_map, many, objects, reference, text, type_of
from adapters.html import clean_url
from domain.post import Attachment, AttachmentKind
from domain.text import without_controls

ATTACHMENTS_MAX: Final = 16
DESCRIPTION_MAX: Final = 10_000
SIDE_MAX: Final = 100_000
BLURHASH_MAX: Final = 166  # of nine parts each way

_TYPES: Final = frozenset({"Document", "Image", "Video", "Audio", "Link"})
_MEDIA_TYPE: Final = re.compile(r"(?P<kind>[a-z]{1,20})/[a-z0-9][a-z0-9.+-]{0,80}", re.IGNORECASE | re.ASCII)
_BLURHASH: Final = re.compile(r"[0-9A-Za-z#$%*+,.:;=?@\[\]^_{|}~-]+", re.ASCII)
_BASE83: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"
_ENDING: Final = re.compile(r"\.(?P<ending>[a-z0-9]{2,5})(?:[?#].*)?\Z", re.IGNORECASE | re.ASCII)
_BY_ENDING: Final = {
    **dict.fromkeys(("jpg", "jpeg"), "image/jpeg"),
    **{ending: f"image/{ending}" for ending in ("png", "gif", "webp", "avif")},
    **{ending: f"video/{ending}" for ending in ("mp4", "webm")},
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "flac": "audio/flac",
    "m4a": "audio/mp4",
    "wav": "audio/wav",
}
# A picture that may hold scripts is shown as a link only.
_NOT_SHOWN: Final = frozenset({"image/svg+xml"})


def attachments_of(note: Json) -> tuple[Attachment, ...]:
    """What a Note shows beside its text, in its order, each address once."""
    found: dict[str, Attachment] = {}
    for one in objects(note.get("attachment")):
        if len(found) >= ATTACHMENTS_MAX:
            break
        attachment = _attachment(one)
        if attachment is not None:
            found.setdefault(attachment.url, attachment)
    return tuple(found.values())


def _attachment(said: Json) -> Attachment | None:
    """None for what is no file (a profile's field, a page that is linked to) or has no address that may be opened."""
    kind = type_of(said, _TYPES)
    if kind not in _TYPES:
        return None
    for address, linked in _addresses(said):
        url = clean_url(address)
        if url is None:
            continue
        media_type = _media_type(text(said.get("mediaType")) or linked) or _by_ending(url)
        if kind == "Link" and not media_type.startswith(("image/", "video/", "audio/")):
            return None
        return Attachment(
            url=url,
            kind=_kind(media_type, kind),
            media_type=media_type,
            description=_description(said),
            blurhash=_blurhash(text(said.get("blurhash")) or text(said.get("toot:blurhash"))),
            width=_side(said.get("width")),
            height=_side(said.get("height")),
            focus=_focus(said.get("focalPoint")),
            remote_url=url,
        )
    return None


def _addresses(said: Json) -> Iterator[tuple[str, str]]:
    """Each address with the media type that its Link names; a string, a Link, or several (Pleroma)."""
    for value in many(said.get("url") or said.get("href")):
        address = reference(value)
        if address is not None:
            yield address, text(cast(Json, value).get("mediaType")) if isinstance(value, dict) else ""


def _media_type(said: str) -> str:
    found = _MEDIA_TYPE.match(said[:DESCRIPTION_MAX])
    return found[0].lower() if found else ""


def _by_ending(url: str) -> str:
    found = _ENDING.search(url)
    return _BY_ENDING.get(found["ending"].lower(), "") if found else ""


def _kind(media_type: str, said: str) -> AttachmentKind:
    if media_type in _NOT_SHOWN:
        return "unknown"
    for kind in ("image", "video", "audio"):
        if media_type.startswith(f"{kind}/"):
            return kind
    if not media_type:
        for kind in ("image", "video", "audio"):
            if said == kind.capitalize():
                return kind
    return "unknown"


def _description(said: Json) -> str | None:
    """GoToSocial writes it as the summary; everybody else as the name."""
    words = in_language_map(said, "name")[0] or in_language_map(said, "summary")[0]
    return without_controls(words[:DESCRIPTION_MAX]).strip() or None


def _blurhash(said: str) -> str | None:
    """Only one that is whole: clients' decoders throw on any other."""
    if not 6 <= len(said) <= BLURHASH_MAX or not _BLURHASH.fullmatch(said):  # noqa: PLR2004 - of one part
        return None
    parts = _BASE83.index(said[0])
    return said if len(said) == 4 + 2 * (parts % 9 + 1) * (parts // 9 + 1) else None


def _side(said: object) -> int | None:
    if isinstance(said, bool) or not isinstance(said, int | float):
        return None
    return int(said) if 1 <= said <= SIDE_MAX else None


def _focus(said: object) -> tuple[float, float] | None:
    given = many(said)
    numbers = [float(one) for one in given if isinstance(one, int | float) and -1 <= one <= 1]
    return (numbers[0], numbers[1]) if len(numbers) == len(given) == 2 else None  # noqa: PLR2004 - x and y
