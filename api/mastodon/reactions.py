"""What people do with a status: like it, pass it on, keep it, feature it (Mastodon documentation, methods/statuses).

Done twice is done once, with the same answer. The answer is the status as last read, but for what was just decided.
"""

from typing import Any

import msgspec
from litestar import Request, Response, post
from litestar.params import FromPath

from api.auth import TheViewer, Viewer, needs
from api.errors import NotFound
from api.mastodon import entities
from api.mastodon.accounts import account_row
from api.mastodon.reading import json
from api.mastodon.seen import Seen, changed, seen_post, standing_post
from api.params import params
from api.server import Book, TheBook
from domain import bookmark as bookmarking
from domain import boost as boosting
from domain import favourite as favouriting
from domain import pin as pinning
from domain.bookmark import BookmarkPost, UnbookmarkPost
from domain.boost import BoostPost, PostBoosted, UnboostPost
from domain.dispatch import Concept
from domain.favourite import FavouritePost, UnfavouritePost
from domain.pin import PinPost, UnpinPost
from domain.post import Visibility
from projections import rendering
from projections.status_queries import StatusRow

Undoing = UnfavouritePost | UnboostPost | UnbookmarkPost


class BoostAsked(msgspec.Struct, frozen=True):
    """Whom the boost is for."""

    visibility: Visibility | None = None


@post("/api/v1/statuses/{status_id:str}/favourite", opt=needs("write:favourites"), status_code=200)
async def favourite(status_id: FromPath[str], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """Like it."""
    found = await seen_post(server, viewer, status_id)
    activity = f"{server.settings.origin}/ap/users/{viewer.account}/likes/{server.ids.next()}"
    await server.do(
        favouriting, FavouritePost(account=viewer.account, post=found.row.id, activity=activity), viewer.token
    )
    likes = found.row.favourites + (not found.row.favourited)
    return changed(viewer, found, found.row._replace(favourited=True, favourites=likes))


@post("/api/v1/statuses/{status_id:str}/unfavourite", opt=needs("write:favourites"), status_code=200)
async def unfavourite(status_id: FromPath[str], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """Like it no longer."""
    found = await _taken_back(server, viewer, status_id, favouriting, UnfavouritePost)
    likes = found.row.favourites - bool(found.row.favourited)
    return changed(viewer, found, found.row._replace(favourited=False, favourites=likes))


@post("/api/v1/statuses/{status_id:str}/reblog", opt=needs("write:statuses"), status_code=200)
async def reblog(
    request: Request[Any, Any, Any], status_id: FromPath[str], viewer: TheViewer, server: TheBook
) -> Response[bytes]:
    """Boost it. The answer is the boost, the first one when it was boosted before."""
    asked = await params(request, BoostAsked)
    found = await seen_post(server, viewer, status_id)
    row, number = found.row, server.ids.next()
    command = BoostPost(
        boost=number,
        account=viewer.account,
        post=row.id,
        uri=f"{server.settings.origin}/ap/users/{viewer.account}/statuses/{number}/activity",
        visibility=asked.visibility or "public",
        author=row.account,
        post_visibility=visibility_of(row),
    )
    decided = await server.do(boosting, command, viewer.token)
    assert isinstance(decided.after, PostBoosted), "it is boosted by now"
    boosted = row._replace(reblogged=True, reblogs=row.reblogs + (not row.reblogged))
    wrapper = await _wrapper(server, viewer, decided.after, counted=bool(decided.events))
    return json(entities.boost(wrapper, boosted, viewer.account), found.headers)


@post("/api/v1/statuses/{status_id:str}/unreblog", opt=needs("write:statuses"), status_code=200)
async def unreblog(status_id: FromPath[str], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """Take the boost back. The answer is the post."""
    return await unboosted(server, viewer, status_id)


@post("/api/v1/statuses/{status_id:str}/bookmark", opt=needs("write:bookmarks"), status_code=200)
async def bookmark(status_id: FromPath[str], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """Keep it."""
    found = await seen_post(server, viewer, status_id)
    await server.do(bookmarking, BookmarkPost(account=viewer.account, post=found.row.id), viewer.token)
    return changed(viewer, found, found.row._replace(bookmarked=True))


@post("/api/v1/statuses/{status_id:str}/unbookmark", opt=needs("write:bookmarks"), status_code=200)
async def unbookmark(status_id: FromPath[str], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """Keep it no longer."""
    found = await _taken_back(server, viewer, status_id, bookmarking, UnbookmarkPost)
    return changed(viewer, found, found.row._replace(bookmarked=False))


@post("/api/v1/statuses/{status_id:str}/pin", opt=needs("write:accounts"), status_code=200)
async def pin(status_id: FromPath[str], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """Feature it."""
    found = await seen_post(server, viewer, status_id)
    row = found.row
    command = PinPost(account=viewer.account, post=row.id, author=row.account, visibility=visibility_of(row))
    await server.do(pinning, command, viewer.token)
    return changed(viewer, found, row._replace(pinned=True))


@post("/api/v1/statuses/{status_id:str}/unpin", opt=needs("write:accounts"), status_code=200)
async def unpin(status_id: FromPath[str], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """Feature it no longer."""
    found = await seen_post(server, viewer, status_id)
    await server.do(pinning, UnpinPost(account=viewer.account, post=found.row.id), viewer.token)
    return changed(viewer, found, found.row._replace(pinned=False))


async def unboosted(server: Book, viewer: Viewer, status_id: str) -> Response[bytes]:
    """Take back the viewer's boost of this post, or this boost; the answer is the post."""
    found = await _taken_back(server, viewer, status_id, boosting, UnboostPost)
    reblogs = found.row.reblogs - bool(found.row.reblogged)
    return changed(viewer, found, found.row._replace(reblogged=False, reblogs=reblogs))


async def _taken_back(server: Book, viewer: Viewer, status_id: str, concept: Concept, undoing: type[Undoing]) -> Seen:
    """The post, once what the viewer did with it is undone. Raises NotFound, Unavailable.

    Whom its author blocks by now, or who follows them no longer, may undo what they did, too; and nothing but that
    tells them that it is there.
    """
    try:
        found, hidden = await seen_post(server, viewer, status_id), False
    except NotFound:
        found, hidden = await standing_post(server, viewer, status_id), True
    decided = await server.do(concept, undoing(account=viewer.account, post=found.row.id), viewer.token)
    if hidden and not decided.events:
        raise NotFound
    return found


def visibility_of(row: StatusRow) -> Visibility:
    """The stored visibility, which is one of four."""
    return msgspec.convert(row.visibility, Visibility)


async def _wrapper(server: Book, viewer: Viewer, event: PostBoosted, *, counted: bool) -> StatusRow:
    """The row that the projection will hold, and the booster's counters with this boost in them."""
    author = await account_row(server, viewer.account)
    today = event.boosted_at.date()
    return StatusRow(
        id=event.boost,
        account=event.account,
        visibility=event.visibility,
        json=rendering.boost_json(event),
        revision="",
        mentions="",
        in_reply_to=None,
        in_reply_to_account=None,
        replies=0,
        identity=author.identity,
        profile=author.profile,
        followers=author.followers,
        following=author.following,
        statuses=author.statuses + counted,
        last_status_at=max(author.last_status_at or today, today),
        reblog_of=event.post,
    )
