"""What an actor has said before anybody here followed them: the first of its outbox, and what it features.

Collections are looked at, never kept: they say where posts are, and each post is fetched from there (federation §14.4).
However they loop, a few pages are read, and a few items taken (security N14).
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from adapters.activitypub.fetch_documents import FetchedDocument, FetchGone, FetchRefused
from adapters.activitypub.shapes import Json, as_object, many, reference, type_of, usable
from adapters.activitypub.urls import same_origin
from adapters.fetching import Documents, fetch_job
from adapters.postgres.jobs import Asked

OUTBOX: Final = "outbox"
PAGES_MAX: Final = 3
ITEMS_MAX: Final = 20

Look = Callable[[str], Awaitable[FetchedDocument]]


async def said_before(documents: Documents, actor: str) -> Sequence[Asked]:
    """The jobs that fetch what `actor` features and said last, twenty of each at most. Raises as `fetch` does."""
    document = (await documents.fetch(actor, again=True)).document
    posts: dict[str, str] = {}
    for name in ("featured", OUTBOX):
        uri = reference(document.get(name))
        if uri is None or not same_origin(uri, actor):
            continue
        try:
            items = await items_of(documents.look, uri)
        except (FetchRefused, FetchGone):
            continue
        for item in items:
            post = _post_of(item)
            if post is not None and usable(post) and same_origin(post, actor):
                posts.setdefault(post, name)
    return [fetch_job(post, name) for post, name in posts.items() if not await documents.is_known(post)]


async def items_of(look: Look, collection: str) -> list[object]:
    """The first items of a collection: of itself, of its first page and of those that come next, of its own origin."""
    items: list[object] = []
    seen: set[str] = set()
    uri: str | None = collection
    while uri is not None and uri not in seen and len(seen) < PAGES_MAX and len(items) < ITEMS_MAX:
        if not same_origin(uri, collection):
            break
        seen.add(uri)
        page = (await look(uri)).document
        first = as_object(page.get("first"))
        items += [*_items(page), *(_items(first) if first is not None else [])]
        # A first page that is embedded was read just now; what it lacks comes behind it.
        uri = reference((first or page).get("next")) or (reference(page.get("first")) if first is None else None)
    return items[:ITEMS_MAX]


def _items(page: Json) -> list[object]:
    return many(page.get("orderedItems")) or many(page.get("items"))


def _post_of(item: object) -> str | None:
    """The post that an item is or publishes; None for boosts and the like, which are somebody else's."""
    embedded = as_object(item)
    if embedded is None or "type" not in embedded:
        return reference(item)
    kind = type_of(embedded, frozenset({"Create"}))
    if kind == "Create":
        return reference(embedded.get("object"))
    return None if "object" in embedded else reference(embedded)
