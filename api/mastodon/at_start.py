"""What clients ask for when they start, and nothing is behind yet: empty lists rather than errors, which they show."""

from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from api.auth import PUBLIC, Opt, needs
from api.errors import NotFound
from api.mastodon.reading import json

CACHED = {"Cache-Control": "max-age=300, public, stale-while-revalidate=30", "Vary": "Origin"}
EMPTY: dict[str, Opt] = {
    "/api/v1/announcements": needs("read:accounts"),
    "/api/v1/conversations": needs("read:statuses"),
    "/api/v1/filters": needs("read:filters"),
    "/api/v2/filters": needs("read:filters"),
    "/api/v1/followed_tags": needs("read:follows"),
    "/api/v1/lists": needs("read:lists"),
    "/api/v1/notifications": needs("read:notifications"),
}
# How new posts are made and shown by default (Mastodon documentation, entities/Preferences).
PREFERENCES = {
    "posting:default:visibility": "public",
    "posting:default:sensitive": False,
    "posting:default:language": None,
    "posting:default:quote_policy": "nobody",
    "reading:expand:media": "default",
    "reading:expand:spoilers": False,
    "reading:autoplay:gifs": False,
}


@get("/api/v1/custom_emojis", opt=PUBLIC)
async def custom_emojis() -> Response[bytes]:
    """There are none."""
    return json("[]", CACHED)


@get("/api/v1/preferences", opt=needs("read:accounts"))
async def preferences() -> dict[str, Any]:
    """What cannot be changed yet."""
    return PREFERENCES


@get("/api/v1/markers", opt=needs("read:statuses"))
async def markers() -> dict[str, Any]:
    """How far the viewer has read is not kept yet."""
    return {}


@get("/api/v1/push/subscription", opt=needs("push"))
async def push_subscription() -> Response[bytes]:
    """Nobody has one; clients expect 404 then."""
    raise NotFound


def empty_lists() -> list[HTTPRouteHandler]:
    """A route for each list that is always empty."""
    return [_empty(path, opt) for path, opt in EMPTY.items()]


def _empty(path: str, opt: Opt) -> HTTPRouteHandler:
    async def nothing() -> Response[bytes]:
        return json("[]")

    return get(path, opt=opt)(nothing)
