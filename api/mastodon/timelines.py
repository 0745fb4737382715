"""GET /api/v1/timelines/home and /public (Mastodon documentation, methods/timelines)."""

from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.status_codes import HTTP_206_PARTIAL_CONTENT

from api.auth import AnyViewer, TheViewer, Viewer, may_have, needs
from api.mastodon.lists import answered
from api.params import params
from api.server import Book, TheBook
from domain import home as homes
from domain.home import RestoreHome
from projections import timelines
from projections.home import home_of
from projections.home_turns import is_home_kept

EMPTY = b"[]"


class PublicAsked(msgspec.Struct, frozen=True):
    """Which part of the public timeline is meant."""

    local: bool = False
    remote: bool = False
    only_media: bool = False


@get("/api/v1/timelines/home", opt=needs("read:statuses"))
async def home_timeline(request: Request[Any, Any, Any], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """What those whom the viewer follows have posted; 206 while the home of somebody who was away is made anew."""
    listing = home_of(viewer.account)
    answer = await answered(request, server, viewer, listing)
    # A home that is not kept is empty, so nobody else pays for asking.
    if answer.content != EMPTY or await _is_kept(server, viewer):
        return answer
    await server.do(homes, RestoreHome(account=viewer.account), viewer.token)
    answer = await answered(request, server, viewer, listing)
    if not await _is_kept(server, viewer):
        answer.status_code = HTTP_206_PARTIAL_CONTENT
    return answer


async def _is_kept(server: Book, viewer: Viewer) -> bool:
    row = await server.reads.view().row(is_home_kept(viewer.account))
    assert row is not None, "the question has an answer"
    return row[0]


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
