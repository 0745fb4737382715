"""The pictures of a draft: whose they may be, in which order, and what is said of them (documentation, statuses)."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from adapters.media.library import Focus
from api.auth import Viewer
from api.errors import Invalid
from api.mastodon.media import description_in, focus_in
from api.mastodon.reading import ids_among
from api.server import Book
from domain.post import ATTACHMENTS_MAX, Attachment

NAMED_CHARACTERS_MAX = 200


class MediaAttributes(msgspec.Struct, frozen=True):
    """What an edit says of one picture; what is not sent stays."""

    id: str = ""
    description: str | UnsetType = UNSET
    focus: str | UnsetType = UNSET


async def claimed(server: Book, viewer: Viewer, media_ids: Sequence[str], status: int) -> tuple[Attachment, ...]:
    """Make these pictures parts of this status, in this order.

    Raises Invalid (422), naming them, for those that are not the viewer's or are parts of another status already.
    """
    wanted = list(dict.fromkeys(media_id.strip() for media_id in media_ids if media_id.strip()))
    if not wanted:
        return ()
    if len(wanted) > ATTACHMENTS_MAX:
        raise Invalid(f"Cannot attach more than {ATTACHMENTS_MAX} files")
    numbers = ids_among(wanted)
    found, missing = await server.media.claim(viewer.account, numbers, status)
    if missing or len(numbers) < len(wanted):
        strange = [one for one in wanted if one not in {str(number) for number in numbers}]
        names = ", ".join([*map(str, missing), *strange])[:NAMED_CHARACTERS_MAX]
        raise Invalid(f"Media {names} not found or already attached to another post")
    return tuple(server.media.attachment(media) for media in found)


def described(
    attachments: Sequence[Attachment], before: Sequence[Mapping[str, Any]], attributes: Sequence[MediaAttributes]
) -> tuple[Attachment, ...]:
    """These, with the words of the revision before (its entities), where an edit says nothing else of them.

    Raises Invalid and Unprocessable for words that are too long, and for a focus that is none.
    """
    said = {one.id.strip(): one for one in attributes}
    known = {entity["id"]: entity for entity in before}
    return tuple(
        _described(one, known.get(str(one.media)), said.get(str(one.media), MediaAttributes())) for one in attachments
    )


async def remember(server: Book, viewer: Viewer, attachments: Sequence[Attachment]) -> None:
    """Keep what an edit said, for when the post is deleted and its pictures are attached to another."""
    for one in attachments:
        if one.media is not None:
            await server.media.remember(viewer.account, one.media, one.description, one.focus)


def _described(one: Attachment, before: Mapping[str, Any] | None, says: MediaAttributes) -> Attachment:
    description, focus = one.description, one.focus
    if before is not None:
        description, focus = before["description"], _focus_of(before)
    if says.description is not UNSET:
        description = description_in(says.description)
    if says.focus is not UNSET:
        focus = focus_in(says.focus)
    return msgspec.structs.replace(one, description=description, focus=focus)


def _focus_of(entity: Mapping[str, Any]) -> Focus | None:
    focus = entity["meta"].get("focus")
    return None if focus is None else (focus["x"], focus["y"])
