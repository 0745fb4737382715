"""How large what we send may be: Misskey takes 64 KB, and what takes more would reach only some of those it is for.

What people say is never cut; what could not be sent to everybody is refused while its author is there to be told. The
descriptions of pictures, which are long by exception, are: whole they are a fetch away, in the client that shows them.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from domain.post import Mention
from domain.text import hashtag_url

BODY_BYTES_MAX: Final = 65_536
SAID_BYTES_MAX: Final = 44_000
"""Of a post's text, with what naming people and hashtags takes beside it; the rest is for pictures and addresses."""
HASHTAGS_MAX: Final = 64
"""How many of a post's hashtags are listed; nobody reads more (federation §8.2)."""

_CREATE_BYTES: Final = 1_000  # around a Note, but for its addresses, which are there twice
_TAG_BYTES: Final = 64  # around what a tag names
_DESCRIPTION_CHARACTERS: Final = (4_000, 1_500, 400)

_encode = msgspec.json.Encoder().encode


def said_bytes(html: str, spoiler_text: str, mentions: Iterable[Mention], tags: Sequence[str], origin: str) -> int:
    """How many bytes saying this takes in a Create."""
    named = sum(3 * len(_encode(one.uri)) + len(_encode(one.acct)) + _TAG_BYTES for one in mentions)
    tagged = sum(len(_encode(tag + hashtag_url(origin, tag))) + _TAG_BYTES for tag in tags[:HASHTAGS_MAX])
    return len(_encode(html)) + len(_encode(spoiler_text)) + named + tagged


def fitted(note: dict[str, Any]) -> dict[str, Any]:
    """The Note, without what its Create would be too large with: first that it says its language, then the ends of
    its pictures' descriptions.
    """
    if _created_bytes(note) <= BODY_BYTES_MAX:
        return note
    note = {name: value for name, value in note.items() if name != "contentMap"}
    for most in _DESCRIPTION_CHARACTERS:
        if _created_bytes(note) <= BODY_BYTES_MAX:
            break
        note["attachment"] = [_cut(attachment, most) for attachment in note["attachment"]]
    return note


def _created_bytes(note: dict[str, Any]) -> int:
    return len(_encode(note)) + len(_encode([note["to"], note["cc"]])) + _CREATE_BYTES


def _cut(attachment: dict[str, Any], most: int) -> dict[str, Any]:
    name = attachment.get("name")
    if not isinstance(name, str) or len(name) <= most:
        return attachment
    return {**attachment, "name": f"{name[: most - 1]}…"}
