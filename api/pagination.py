"""Pages of lists: the cursors clients send, and the Link header they follow (Mastodon's documentation, api/guidelines).

`max_id` is an exclusive upper bound; `since_id` an exclusive lower bound below the *newest* rows; `min_id` one below
the rows *immediately above it*. Whatever was asked, the newest comes first.
"""

from collections.abc import Sequence
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import msgspec
from litestar import Request

from api.params import query, urlencoded

ID_MAX = 2**63 - 1
CURSORS = ("max_id", "since_id", "min_id")
# What the header need not, or must not, repeat.
LEFT_OUT = frozenset((*CURSORS, "access_token"))

Row = TypeVar("Row")


class Page(msgspec.Struct, frozen=True):
    """What slice of a list is asked for: ids are exclusive bounds, `limit` is at least 1."""

    max_id: int | None = None
    since_id: int | None = None
    min_id: int | None = None
    limit: int = 20

    @property
    def ascending(self) -> bool:
        """Whether rows are to be read upwards from the lower bound."""
        return self.min_id is not None

    @property
    def above(self) -> int | None:
        """The exclusive lower bound; `min_id` makes `since_id` count for nothing."""
        return self.since_id if self.min_id is None else self.min_id

    def newest_first(self, rows: Sequence[Row]) -> list[Row]:
        """Rows as a client wants them, given in the order they were read."""
        return list(reversed(rows)) if self.ascending else list(rows)


def page(request: Request[Any, Any, Any], *, default: int = 20, most: int | None = None) -> Page:
    """The page that the query string asks for.

    Cursors that are no id of ours are ignored, and limits are clamped to 1 … `most` (twice the default unless
    given): neither is ever refused.
    """
    asked = query(request)
    cursors = {name: _id(asked.get(name)) for name in CURSORS}
    most = 2 * default if most is None else most
    limit = _number(asked.get("limit"))
    return Page(**cursors, limit=default if limit is None else max(1, min(abs(limit), most)))


def link(
    request: Request[Any, Any, Any],
    origin: str,
    *,
    first: int | str | None,
    last: int | str | None,
    newer: Literal["min_id", "since_id"] = "min_id",
) -> dict[str, str]:
    """The Link header (as a mapping to spread into headers) of a page from cursor `first` down to `last`.

    None leaves that link out; with neither there is no header. URLs are absolute and hold no raw comma, bracket or
    space: a common client splits the header at commas before it looks for the brackets.
    """
    base, kept = origin + quote(request.scope["path"]), _kept(request)
    links: list[str] = []
    if last is not None:
        links.append(f'<{base}?{_encoded([*kept, ("max_id", str(last))])}>; rel="next"')
    if first is not None:
        links.append(f'<{base}?{_encoded([*kept, (newer, str(first))])}>; rel="prev"')
    return {"Link": ", ".join(links)} if links else {}


def _kept(request: Request[Any, Any, Any]) -> list[tuple[str, str]]:
    pairs = urlencoded(request.scope["query_string"])
    return [(name, value) for name, value in pairs if name not in LEFT_OUT]


def _encoded(pairs: list[tuple[str, str]]) -> str:
    ordered = sorted(pairs, key=lambda pair: pair[0])
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in ordered)


def _id(sent: Any) -> int | None:
    number = _number(sent)
    return None if number is None else max(0, min(number, ID_MAX))


def _number(sent: Any) -> int | None:
    """A decimal of any length that int() takes at once; None for anything else."""
    if not isinstance(sent, str):
        return None
    text = sent.strip()
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal()):
        return None
    return int(text[:20])
