"""Meeting people elsewhere whom a post mentions before anybody here had heard of them."""

from collections.abc import Collection, Mapping

from api.server import Book
from projections import accounts, finding
from projections.accounts import AccountRow


async def met(handles: Collection[str], server: Book) -> Mapping[str, AccountRow]:
    """The accounts of those of these handles whose hosts answer within a few seconds, once they can be read.

    Raises Unavailable.
    """
    uris = await server.resolver.meet([handle for handle in handles if "@" in handle])
    if not uris:
        return {}
    position, _ = await server.reads.head()
    await server.reads.caught_up(position)
    view = server.reads.view()
    ids = [number for _, number in await view.rows(finding.named_by(list(uris.values()), None))]
    rows = [AccountRow._make(row) for row in await view.rows(accounts.several(ids))]
    by_uri = {row.uri: row for row in rows}
    return {handle: by_uri[uri] for handle, uri in uris.items() if uri in by_uri}
