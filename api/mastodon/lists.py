"""Pages of statuses: one query, then the links to where the list goes on.

A page whose rows ran out because no more may be scanned at once still says where to go on, short or even empty.
"""

from collections.abc import Sequence
from typing import Any

from litestar import Request, Response

from adapters.postgres.reads import View
from api.auth import Viewer
from api.mastodon import entities
from api.mastodon.reading import current, json
from api.pagination import link
from api.pagination import page as asked_page
from api.server import Book
from projections import status_queries
from projections.conversations import muted_among
from projections.status_queries import COLUMNS, ID_MAX, Listing, Slice, StatusRow


async def answered(
    request: Request[Any, Any, Any],
    server: Book,
    viewer: Viewer | None,
    listing: Listing,
    *,
    next_when_full: bool = False,
) -> Response[bytes]:
    """One page of a list. With `next_when_full`, an unfinished page alone has a `next` (as an account's has)."""
    headers = await current(server, viewer)
    asked = asked_page(request)
    part = Slice(
        below=ID_MAX if asked.max_id is None else asked.max_id,
        above=asked.above or 0,
        limit=asked.limit,
        ascending=asked.ascending,
    )
    view = server.reads.view()
    rows = await view.rows(status_queries.page(listing, part))
    cut = None
    if len(rows) < part.limit:
        found = await view.row(status_queries.boundary(listing, part))
        cut = None if found is None else found[0]
    rows = asked.newest_first(rows)
    first, last = cursors([row[COLUMNS] for row in rows], part, cut)
    if next_when_full and len(rows) < part.limit and cut is None:
        last = None
    links = link(request, server.settings.origin, first=first, last=last)
    viewer_id = None if viewer is None else viewer.account
    return json(entities.array(await shown(view, rows, viewer_id)), {**headers, **links})


async def shown(view: View, rows: Sequence[tuple[Any, ...]], viewer: int | None) -> list[str]:
    """Rows that begin with a StatusRow as Statuses, what they boost with them: one more query if there is any."""
    found = await told(view, rows, viewer)
    boosted = {row.reblog_of for row in found if row.reblog_of is not None}
    posts: list[StatusRow] = []
    if boosted:
        posts = await told(view, await view.rows(status_queries.statuses(boosted, viewer)), viewer)
    return entities.statuses(found, {row.id: row for row in posts}, viewer)


async def told(view: View, rows: Sequence[tuple[Any, ...]], viewer: int | None) -> list[StatusRow]:
    """The StatusRows that rows begin with, with what else the viewer is told: one more query if they mute threads."""
    found = [StatusRow._make(row[:COLUMNS]) for row in rows]
    if viewer is None or not any(row.muted for row in found):
        return found
    muted = {row[0] for row in await view.rows(muted_among([row.id for row in found], viewer))}
    return [row._replace(muted=row.id in muted) for row in found]


def cursors(entries: list[int], part: Slice, cut: int | None) -> tuple[int | None, int | None]:
    """Cursors for `prev` and `next`: the page's ends, or where scanning stopped.

    Not all that is known of the entry where it stopped need have been read: unless it is shown it comes again.
    """
    first = entries[0] if entries else None
    last = entries[-1] if entries else None
    if cut is not None and part.ascending and first != cut:
        first = cut - 1
    if cut is not None and not part.ascending and last != cut:
        last = cut + 1
    return first, last
