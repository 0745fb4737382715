"""GET /, and the few files that pages and clients load: style, icons, stand-ins for missing pictures."""

from pathlib import Path

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from api.auth import PUBLIC
from api.mastodon.instance import DESCRIPTION
from api.server import TheServer
from api.web.pages import ThePages

STATIC = Path(__file__).parent / "static"

# Elk recognises "no banner" by the end of the second path, so both stand under Mastodon's names.
FILES = {
    "/assets/daybook.css": ("daybook.css", "text/css"),
    "/assets/icon.svg": ("icon.svg", "image/svg+xml"),
    "/assets/icon.png": ("icon.png", "image/png"),
    "/assets/thumbnail.png": ("thumbnail.png", "image/png"),
    "/avatars/original/missing.png": ("avatar.png", "image/png"),
    "/headers/original/missing.png": ("header.png", "image/png"),
}
FRESH = {"Cache-Control": "public, max-age=3600"}


@get("/", opt=PUBLIC)
async def landing(server: TheServer, pages: ThePages) -> Response[bytes]:
    """What this server is, and how to get in."""
    return pages.answer(
        "landing.html",
        headers={"Cache-Control": "public, max-age=60"},
        domain=server.settings.domain,
        description=DESCRIPTION,
        usage=await server.usage(),
    )


def assets() -> list[HTTPRouteHandler]:
    """A route for each file, read once: there are few, and they are small."""
    return [_asset(path, (STATIC / name).read_bytes(), kind) for path, (name, kind) in FILES.items()]


def _asset(path: str, content: bytes, media_type: str) -> HTTPRouteHandler:
    async def asset() -> Response[bytes]:
        return Response(content, media_type=media_type, headers=FRESH)

    return get(path, opt=PUBLIC)(asset)
