"""Bookmarks: what somebody keeps for themselves."""

from collections.abc import Iterable

from domain.bookmark import BookmarkEvent, PostBookmarked, PostUnbookmarked
from projections import toggles
from projections.fact import Fact
from projections.rule import Projection, Row, on

TABLES = toggles.intervals("bookmarks", "account", "status")


def _turn(event: BookmarkEvent, fact: Fact, origin: str) -> Iterable[Row]:
    yield fact.position, fact.n, event.account, event.post, isinstance(event, PostBookmarked)


RULES = (
    on(
        (PostBookmarked, PostUnbookmarked),
        "a post is kept from when to when",
        "position bigint, n int, account bigint, status bigint, begins boolean",
        _turn,
        toggles.turns("bookmarks", "account", "status"),
    ),
)

PROJECTION = Projection("bookmarks", TABLES, {"bookmarks": toggles.key("account", "status")}, RULES)
