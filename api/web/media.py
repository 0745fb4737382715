"""/media/<name>: pictures, to whoever knows their names. They never change, so they may be kept for ever."""

import asyncio
from collections.abc import AsyncGenerator
from typing import BinaryIO

from litestar import Response, get
from litestar.params import FromPath
from litestar.response import Stream

from adapters.media.files import media_type_of
from api.auth import PUBLIC
from api.errors import NotFound
from api.server import TheBook

PIECE_BYTES = 262_144
HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    # Opened by itself, nothing in it may run or load, whatever a browser takes it for (security H10).
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


@get("/media/{name:str}", opt=PUBLIC)
async def media_file(name: FromPath[str], server: TheBook) -> Response[bytes] | Stream:
    """The picture of this name."""
    kind = media_type_of(name)
    file = await asyncio.to_thread(server.media.files.open, name) if kind is not None else None
    if kind is None or file is None:
        raise NotFound
    length = await asyncio.to_thread(file.seek, 0, 2)
    return Stream(_pieces(file), media_type=kind, headers={**HEADERS, "Content-Length": str(length)})


async def _pieces(file: BinaryIO) -> AsyncGenerator[bytes]:
    with file:
        await asyncio.to_thread(file.seek, 0)
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield piece
