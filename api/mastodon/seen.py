"""One status as its viewer sees it, and the Status that answers when they have done something with it."""

from typing import LiteralString, NamedTuple

from litestar import Response

from adapters.pages import Making
from adapters.postgres.reads import View
from api.auth import Viewer
from api.errors import NotFound
from api.mastodon import entities
from api.mastodon.lists import told
from api.mastodon.reading import absent, current, id_in, json
from api.server import Book
from projections import status_queries
from projections.status_queries import COLUMNS, StatusRow
from projections.visibility import MAY_SEE, STANDS


class Seen(NamedTuple):
    """A status that the viewer may see; `text` is as typed, None if remote; `headers` are those of the answer."""

    row: StatusRow
    uri: str
    text: str | None
    headers: dict[str, str]


async def seen(server: Book, viewer: Viewer | None, status_id: str, page: Making | None = None) -> Seen:
    """The status that a path names. Raises NotFound, Unavailable."""
    number = id_in(status_id)
    headers = await current(server, viewer)
    found = await one(server.reads.view(), viewer, number, page=page)
    if found is None:
        raise absent(headers)
    return found._replace(headers=headers)


async def seen_post(server: Book, viewer: Viewer | None, status_id: str, page: Making | None = None) -> Seen:
    """The same, but of a boost the post: who does something with a boost means that. Raises NotFound, Unavailable."""
    found = await seen(server, viewer, status_id, page)
    if found.row.reblog_of is None:
        return found
    post = await one(server.reads.view(), viewer, found.row.reblog_of, page=page)
    if post is None:
        raise NotFound
    return post._replace(headers=found.headers)


async def own(server: Book, viewer: Viewer, status_id: str) -> Seen:
    """The viewer's own status, a boost of what they may not see any more, too. Raises NotFound, Unavailable."""
    number = id_in(status_id)
    headers = await current(server, viewer)
    found = await one(server.reads.view(), viewer, number, STANDS)
    if found is None:
        raise absent(headers)
    if found.row.account != viewer.account:
        raise NotFound
    return found._replace(headers=headers)


async def standing_post(server: Book, viewer: Viewer, status_id: str) -> Seen:
    """As `seen_post`, whoever may see it: for those alone who take back what they did with it."""
    view, number = server.reads.view(), id_in(status_id)
    headers = await current(server, viewer)
    found = await one(view, viewer, number, STANDS)
    if found is not None and found.row.reblog_of is not None:
        found = await one(view, viewer, found.row.reblog_of, STANDS)
    if found is None:
        raise absent(headers)
    return found._replace(headers=headers)


async def one(
    view: View, viewer: Viewer | None, number: int, visible: LiteralString = MAY_SEE, page: Making | None = None
) -> Seen | None:
    """The status with this id, if it is there and for the viewer to see, without waiting."""
    viewer_id = None if viewer is None else viewer.account
    found = await view.row(status_queries.status(number, viewer_id, visible))
    if found is None:
        return None
    (row,) = await told(view, [found], viewer_id, page)
    uri, text = found[COLUMNS:]
    return Seen(row, uri, text, {})


async def status_shown(server: Book, viewer: Viewer | None, found: Seen, page: Making | None = None) -> Response[bytes]:
    """A status, with what it boosts."""
    if found.row.reblog_of is None:
        return json(entities.status(found.row, None if viewer is None else viewer.account), found.headers)
    post = await one(server.reads.view(), viewer, found.row.reblog_of, page=page)
    if post is None:
        raise NotFound
    return json(entities.boost(found.row, post.row, None if viewer is None else viewer.account), found.headers)


def changed(viewer: Viewer, found: Seen, row: StatusRow) -> Response[bytes]:
    """The Status as it is after what was just decided."""
    return json(entities.status(row, viewer.account), found.headers)
