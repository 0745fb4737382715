"""GET /api/v1/timelines/home and /public (Mastodon documentation, methods/timelines)."""

from array import array
from collections.abc import Iterable
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.status_codes import HTTP_206_PARTIAL_CONTENT

from api.asked_again import making
from api.auth import AnyViewer, TheViewer, Viewer, may_have, needs
from api.mastodon.lists import answered
from api.params import params
from api.server import Book, TheBook
from domain import home as homes
from domain.home import RestoreHome
from projections import follows, timelines
from projections.home import home_of
from projections.home_turns import is_home_kept
from projections.touched import EVERYBODYS_POSTS, posts_of, seen_by

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
    making(request).all_of(*seen_by(viewer.account), *await _posters(server, viewer.account))
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
    making(request).all_of(EVERYBODYS_POSTS, *seen_by(viewer_id))
    return await answered(request, server, viewer, listing)


async def _posters(server: Book, viewer: int) -> Iterable[int]:
    """The lists of posts that a home is made of, as entities: the viewer's own and of whom they follow.

    Kept like a page, as long as the viewer is not touched.
    """
    kept = server.pages.find(("posters", viewer))
    if kept is not None:
        return array("q", kept.body)
    made = server.pages.begin()
    rows = await server.reads.view().rows(follows.followed_by(viewer))
    posters = array("q", [posts_of(viewer), *(posts_of(row[0]) for row in rows)])
    made.all_of(*seen_by(viewer))
    server.pages.keep(("posters", viewer), made, (), posters.tobytes())
    return posters
