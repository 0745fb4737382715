"""Collections that peers walk: what an actor said, what was answered, what is pinned. Pure.

Shapes: ActivityStreams 2.0 core, section 6; a page's id is that of its collection with a query, as Mastodon's are.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from adapters.activitypub.documents import NOTE_CONTEXT, PLAIN_CONTEXT, Document

PAGE_BYTES_MAX: Final = 400_000
"""Of a page's items: others read a megabyte at most, and twenty long posts may be more."""


def paged_collection(uri: str, total: int) -> Document:
    """An OrderedCollection whose pages begin with the newest."""
    return {
        "@context": PLAIN_CONTEXT,
        "id": uri,
        "type": "OrderedCollection",
        "totalItems": max(total, 0),
        "first": f"{uri}?page=true",
        "last": f"{uri}?page=true&min_id=0",
    }


def ordered_page(
    uri: str, asked: str, items: Sequence[msgspec.Raw], *, following: str | None, preceding: str | None
) -> Document:
    """A page of activities, newest first; `asked`, `following` and `preceding` are what comes after the `?`."""
    page: Document = {
        "@context": NOTE_CONTEXT,
        "id": f"{uri}?{asked}",
        "type": "OrderedCollectionPage",
        "partOf": uri,
        "orderedItems": items,
    }
    for name, query in (("next", following), ("prev", preceding)):
        if query is not None:
            page[name] = f"{uri}?{query}"
    return page


def ordered_collection(uri: str, items: Sequence[Document]) -> Document:
    """An OrderedCollection of a few objects, all of them in it."""
    return {
        "@context": NOTE_CONTEXT,
        "id": uri,
        "type": "OrderedCollection",
        "totalItems": len(items),
        "orderedItems": fitting(items),
    }


def reply_collection(uri: str) -> Document:
    """The Collection of what answers a post."""
    return {"@context": PLAIN_CONTEXT, "id": uri, "type": "Collection", "first": f"{uri}?page=true"}


def reply_page(uri: str, asked: str, items: Sequence[str], *, following: str | None) -> Document:
    """A page of ids, oldest first."""
    page = {"@context": PLAIN_CONTEXT, "id": f"{uri}?{asked}", "type": "CollectionPage", "partOf": uri, "items": items}
    return page if following is None else {**page, "next": f"{uri}?{following}"}


def empty_collection(uri: str) -> Document:
    """A Collection of nothing yet."""
    return {"@context": PLAIN_CONTEXT, "id": uri, "type": "Collection", "totalItems": 0, "items": []}


def fitting(items: Sequence[Document]) -> list[msgspec.Raw]:
    """As many of these, without their contexts, from the first on, as fit a page: one at least."""
    fit: list[msgspec.Raw] = []
    size = 0
    for item in items:
        encoded = msgspec.json.encode(_without_context(item))
        size += len(encoded)
        if fit and size > PAGE_BYTES_MAX:
            break
        fit.append(msgspec.Raw(encoded))
    return fit


def _without_context(item: Document) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name != "@context"}
