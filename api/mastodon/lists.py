"""Pages of statuses: one query, then the links to where the list goes on.

A page whose rows ran out because no more may be scanned at once still says where to go on, short or even empty.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from litestar import Request, Response

from adapters.pages import Making
from adapters.postgres.reads import View
from api.asked_again import making
from api.auth import Viewer
from api.mastodon import entities
from api.mastodon.reading import current, json
from api.pagination import Page, link
from api.pagination import page as asked_page
from api.server import Book
from projections import status_queries
from projections.conversations import muted_among
from projections.query import Query
from projections.status_queries import COLUMNS, ID_MAX, Listing, Slice, StatusRow
from projections.touched import EVERYBODYS_POSTS


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
    asked, view = asked_page(request), server.reads.view()
    read = await part_of(
        asked,
        view,
        lambda part: status_queries.page(listing, part),
        lambda part: status_queries.boundary(listing, part),
    )
    first, last = read.cursors([row[COLUMNS] for row in read.rows])
    if next_when_full and read.is_last:
        last = None
    links = link(request, server.settings.origin, first=first, last=last)
    viewer_id = None if viewer is None else viewer.account
    body = entities.array(await shown(view, read.rows, viewer_id, making(request)))
    return json(body, {**headers, **links})


class Part(NamedTuple):
    """What was read of a list: its rows, the newest first, and where reading stopped before the list did (or None)."""

    rows: list[tuple[Any, ...]]
    part: Slice
    cut: int | None

    @property
    def is_last(self) -> bool:
        """Whether the list ends here."""
        return len(self.rows) < self.part.limit and self.cut is None

    def cursors(self, entries: list[int]) -> tuple[int | None, int | None]:
        """Cursors for `prev` and `next`: the ends of `entries`, or where scanning stopped.

        Not all that is known of the entry where it stopped need have been read: unless it is shown it comes again.
        """
        first = entries[0] if entries else None
        last = entries[-1] if entries else None
        if self.cut is not None and self.part.ascending and first != self.cut:
            first = self.cut - 1
        if self.cut is not None and not self.part.ascending and last != self.cut:
            last = self.cut + 1
        return first, last


async def part_of(asked: Page, view: View, page: Callable[[Slice], Query], boundary: Callable[[Slice], Query]) -> Part:
    """Read the part that was asked for: one query, and one more when it comes out short."""
    part = Slice(
        below=ID_MAX if asked.max_id is None else asked.max_id,
        above=asked.above or 0,
        limit=asked.limit,
        ascending=asked.ascending,
    )
    rows, cut = await view.rows(page(part)), None
    if len(rows) < part.limit:
        found = await view.row(boundary(part))
        cut = None if found is None else found[0]
    return Part(list(asked.newest_first(rows)), part, cut)


async def shown(
    view: View, rows: Sequence[tuple[Any, ...]], viewer: int | None, page: Making | None = None
) -> list[str]:
    """Rows that begin with a StatusRow as Statuses, what they boost with them: one more query if there is any."""
    found = await told(view, rows, viewer, page)
    boosted = {row.reblog_of for row in found if row.reblog_of is not None}
    posts: list[StatusRow] = []
    if boosted:
        posts = await told(view, await view.rows(status_queries.statuses(boosted, viewer)), viewer, page)
    return entities.statuses(found, {row.id: row for row in posts}, viewer)


async def told(
    view: View, rows: Sequence[tuple[Any, ...]], viewer: int | None, page: Making | None = None
) -> list[StatusRow]:
    """The StatusRows that rows begin with, with what else the viewer is told: one more query if they mute threads."""
    found = [StatusRow._make(row[:COLUMNS]) for row in rows]
    if page is not None:
        page.tells(found, viewer)
    if viewer is None or not any(row.muted for row in found):
        return found
    if page is not None:
        # Any post may join two threads, of which one is muted.
        page.of(EVERYBODYS_POSTS)
    muted = {row[0] for row in await view.rows(muted_among([row.id for row in found], viewer))}
    return [row._replace(muted=row.id in muted) for row in found]
