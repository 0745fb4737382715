"""Who likes and boosts a status, and what the viewer likes and keeps.

Cursors are places in the log or ids of boosts, never ids of what is listed.
"""

from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath

from api.auth import AnyViewer, TheViewer, may_have, needs
from api.mastodon.account_lists import accounts_answered
from api.mastodon.lists import answered
from api.mastodon.seen import seen_post
from api.server import TheBook
from projections.bookmarks import bookmarks_of
from projections.boosts import reblogged_by
from projections.favourites import favourited_by, favourites_of


@get("/api/v1/statuses/{status_id:str}/favourited_by", opt=may_have("read:accounts"))
async def show_favourited_by(
    request: Request[Any, Any, Any], status_id: FromPath[str], viewer: AnyViewer, server: TheBook
) -> Response[bytes]:
    """Who likes it, the latest first."""
    found, viewer_id = await seen_post(server, viewer, status_id), None if viewer is None else viewer.account
    return await accounts_answered(request, server, viewer, favourited_by(found.row.id, viewer_id))


@get("/api/v1/statuses/{status_id:str}/reblogged_by", opt=may_have("read:accounts"))
async def show_reblogged_by(
    request: Request[Any, Any, Any], status_id: FromPath[str], viewer: AnyViewer, server: TheBook
) -> Response[bytes]:
    """Who boosted it, as far as the viewer may see the boost, the latest first."""
    found, viewer_id = await seen_post(server, viewer, status_id), None if viewer is None else viewer.account
    return await accounts_answered(request, server, viewer, reblogged_by(found.row.id, viewer_id))


@get("/api/v1/favourites", opt=needs("read:favourites"))
async def favourites(request: Request[Any, Any, Any], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """What the viewer likes, the latest like first."""
    return await answered(request, server, viewer, favourites_of(viewer.account), next_when_full=True)


@get("/api/v1/bookmarks", opt=needs("read:bookmarks"))
async def bookmarks(request: Request[Any, Any, Any], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """What the viewer keeps, the latest first."""
    return await answered(request, server, viewer, bookmarks_of(viewer.account), next_when_full=True)
