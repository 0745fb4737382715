"""GET /api/v1/timelines/home and /public (Mastodon documentation, methods/timelines)."""

from typing import Any

import msgspec
from litestar import Request, Response, get

from api.auth import AnyViewer, TheViewer, may_have, needs
from api.mastodon.lists import answered
from api.params import params
from api.server import TheBook
from projections import home, timelines


class PublicAsked(msgspec.Struct, frozen=True):
    """Which part of the public timeline is meant."""

    local: bool = False
    remote: bool = False
    only_media: bool = False


@get("/api/v1/timelines/home", opt=needs("read:statuses"))
async def home_timeline(request: Request[Any, Any, Any], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """What those whom the viewer follows have posted."""
    return await answered(request, server, viewer, home.home_of(viewer.account))


@get("/api/v1/timelines/public", opt=may_have("read:statuses"))
async def public_timeline(request: Request[Any, Any, Any], viewer: AnyViewer, server: TheBook) -> Response[bytes]:
    """Public posts that answer nobody else; `local` wins over `remote`."""
    asked = await params(request, PublicAsked)
    viewer_id = None if viewer is None else viewer.account
    if asked.local:
        listing = timelines.local(viewer_id, only_media=asked.only_media)
    elif asked.remote:
        listing = timelines.remote(viewer_id, only_media=asked.only_media)
    else:
        listing = timelines.public(viewer_id, only_media=asked.only_media)
    return await answered(request, server, viewer, listing)
