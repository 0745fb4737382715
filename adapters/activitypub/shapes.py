"""JSON as peers really write it: one or many, a string or an object, present or not. Nothing here ever raises.

Every property may come bare or in an array, every reference as a string or as an object with an `id` (a Link: `href`).
`@id` and `@type` are ignored on purpose: honouring two spellings is how attribution was spoofed elsewhere.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, cast

from adapters.activitypub.urls import origin_of

Json = dict[str, Any]

PUBLIC: Final = frozenset(
    {
        "https://www.w3.org/ns/activitystreams#Public",
        "http://www.w3.org/ns/activitystreams#Public",
        "as:Public",
        "Public",
    }
)
ID_BYTES_MAX: Final = 2048
TYPE_MAX: Final = 100
ITEMS_MAX: Final = 1_000
"""How many members of any array are looked at, before limits of their own."""
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_NAMESPACES: Final = ("as:", "https://www.w3.org/ns/activitystreams#", "http://www.w3.org/ns/activitystreams#")


def many(value: object) -> list[object]:
    """The members of an array, or the one value as a list; nothing for null."""
    if isinstance(value, list):
        return cast("list[object]", value)[:ITEMS_MAX]
    return [] if value is None else [value]


def first(value: object) -> object:
    """The value, or the first member of an array."""
    if isinstance(value, list):
        members = cast("list[object]", value)
        return members[0] if members else None
    return value


def as_object(value: object) -> Json | None:
    """The (first) value, if it is an object."""
    value = first(value)
    return cast(Json, value) if isinstance(value, dict) else None


def objects(value: object) -> Iterator[Json]:
    """All members that are objects."""
    return (cast(Json, member) for member in many(value) if isinstance(member, dict))


def text(value: object) -> str:
    """The (first) value, if it is a string; otherwise the empty string."""
    value = first(value)
    return value if isinstance(value, str) else ""


def reference(value: object) -> str | None:
    """What the (first) value refers to: itself, or an object's `id` or `href`. None for nothing and for the empty."""
    value = first(value)
    if isinstance(value, dict):
        named = cast(Json, value)
        value = named.get("id")
        if value is None:
            value = named.get("href")
    return value if isinstance(value, str) and value else None


def references(value: object) -> Iterator[str]:
    """All that an array refers to."""
    return (named for member in many(value) if (named := reference(member)) is not None)


def type_of(value: Json, known: frozenset[str]) -> str:
    """The first type that is `known`, else the first that is named at all, else the empty string."""
    kind = value.get("type")
    if isinstance(kind, str) and kind in known:
        return kind
    named = [_bare(kind[:TYPE_MAX]) for kind in many(value.get("type")) if isinstance(kind, str)]
    return next((kind for kind in named if kind in known), named[0] if named else "")


def in_language_map(value: Json, key: str) -> tuple[str, str | None]:
    """`key` or, without it, its language map: the text, and the language whose entry it is (federation §2.1)."""
    plain = text(value.get(key))
    entries = as_object(value.get(f"{key}Map")) or {}
    if plain:
        language = next((name for name, words in entries.items() if words == plain), None)
        return plain, language or (next(iter(entries)) if len(entries) == 1 else None)
    for name, words in entries.items():
        if isinstance(words, str):
            return words, name
    return "", None


def moment(value: object, latest: datetime) -> datetime | None:
    """An RFC 3339 time (also without zone, then UTC, or a date alone), within 2000 and `latest`; None if it is none."""
    written = text(value)
    if not written:
        return None
    try:
        parsed = datetime.fromisoformat(written)
    except ValueError:
        return None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    if parsed > latest:
        return latest
    # Compared first: a zone can carry the first and last days of the calendar beyond it.
    return EARLIEST if parsed < EARLIEST else parsed.astimezone(UTC)


def too_long(uri: str) -> bool:
    """Whether it is beyond what an index can hold."""
    return len(uri) > ID_BYTES_MAX or (not uri.isascii() and len(uri.encode("utf-8", "surrogatepass")) > ID_BYTES_MAX)


def usable(uri: str) -> bool:
    """Whether it can name something: an http(s) URL of an origin, not too long."""
    return not too_long(uri) and origin_of(uri) is not None


def page_of(value: object, fallback: str) -> str:
    """The address to show: a string, or the Link whose media type is HTML, or the first; else `fallback`."""
    links = many(value)
    pages = [link for link in objects(links) if link.get("mediaType") == "text/html"]
    return (reference(pages) if pages else reference(links)) or fallback


def _bare(kind: str) -> str:
    for namespace in _NAMESPACES:
        if kind.startswith(namespace):
            return kind[len(namespace) :]
    return kind
