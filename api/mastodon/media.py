"""/api/v1/media and /api/v2/media: pictures that are uploaded, described, and attached to a post later.

Pictures are done when they are answered, so nothing is ever "processing" (Mastodon documentation, methods/media).
"""

from typing import Any

import msgspec
from litestar import Request, Response, delete, get, post, route
from litestar.params import FromPath
from msgspec import UNSET, UnsetType

from adapters.media.library import DESCRIPTION_CHARACTERS_MAX, Focus
from adapters.postgres.media import Media
from api.auth import TheViewer, needs
from api.errors import Invalid, NotFound, Unprocessable
from api.limits import UploadLimit
from api.mastodon.reading import id_in, json
from api.params import params
from api.params_uploads import Upload, uploads
from api.server import Book, TheBook
from domain.text import without_controls
from projections import rendering


class NewMedia(msgspec.Struct, frozen=True):
    """What is uploaded, what it shows in words, and which point of it must stay in view: "x,y", from -1 to 1."""

    file: Upload | None = None
    description: str | None = None
    focus: str | None = None


class Described(msgspec.Struct, frozen=True):
    """What may be said of it later; what is not sent stays."""

    description: str | UnsetType = UNSET
    focus: str | UnsetType = UNSET


@post(["/api/v1/media", "/api/v2/media"], opt=needs("write:media"), status_code=200)
async def upload_media(
    request: Request[Any, Any, Any], viewer: TheViewer, server: TheBook, upload_limit: UploadLimit
) -> Response[bytes]:
    """Keep a picture. Raises Invalid with a sentence for what is no picture, or none that can be kept."""
    upload_limit.count(str(viewer.account), server.now())
    async with uploads(request, NewMedia, server.media.files.room) as asked:
        if asked.file is None:
            raise Invalid("File can't be blank")
        description, focus = description_in(asked.description), focus_in(asked.focus)
        media = await server.media.add(viewer.account, asked.file.file, description, focus)
    return json(entity(server, media))


@get("/api/v1/media/{media_id:str}", opt=needs("write:media"))
async def show_media(media_id: FromPath[str], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """One of the viewer's own that is not a part of any post yet."""
    media = await server.media.of(viewer.account, id_in(media_id))
    if media is None:
        raise NotFound
    return json(entity(server, media))


@route("/api/v1/media/{media_id:str}", http_method=["PUT", "PATCH"], opt=needs("write:media"), status_code=200)
async def describe_media(
    request: Request[Any, Any, Any], media_id: FromPath[str], viewer: TheViewer, server: TheBook
) -> Response[bytes]:
    """Say something else of it. Once it is a part of a post, an edit of that says it."""
    number, asked = id_in(media_id), await params(request, Described)
    media = await server.media.of(viewer.account, number)
    if media is None:
        raise NotFound
    description = media.description if asked.description is UNSET else description_in(asked.description)
    focus = _focus_of(media) if asked.focus is UNSET else focus_in(asked.focus)
    media = await server.media.describe(viewer.account, number, description, focus)
    if media is None:
        raise NotFound
    return json(entity(server, media))


@delete("/api/v1/media/{media_id:str}", opt=needs("write:media"), status_code=200)
async def delete_media(media_id: FromPath[str], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """Remove one that is not a part of any post."""
    if not await server.media.remove(viewer.account, id_in(media_id)):
        raise NotFound
    return json("{}")


def description_in(typed: str | None) -> str | None:
    """A description as it is kept. Raises Invalid when it is too long."""
    description = without_controls(typed or "").strip()
    if len(description) > DESCRIPTION_CHARACTERS_MAX:
        raise Invalid(f"Description is too long (maximum is {DESCRIPTION_CHARACTERS_MAX} characters)")
    return description or None


def focus_in(typed: str | None) -> Focus | None:
    """ "x,y" as numbers from -1 to 1. Raises Unprocessable for anything else."""
    if not typed:
        return None
    try:
        x, y = (float(part) for part in typed.split(","))
    except ValueError as error:
        raise Unprocessable("focus must be two numbers from -1 to 1, such as 0.0,0.5") from error
    if not (-1 <= x <= 1 and -1 <= y <= 1):
        raise Unprocessable("focus must be two numbers from -1 to 1, such as 0.0,0.5")
    return x, y


def entity(server: Book, media: Media) -> bytes:
    """A MediaAttachment."""
    return msgspec.json.encode(rendering.media_entity(server.media.attachment(media), media.id))


def _focus_of(media: Media) -> Focus | None:
    return None if media.focus_x is None or media.focus_y is None else (media.focus_x, media.focus_y)
