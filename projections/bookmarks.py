"""Bookmarks: what somebody keeps for themselves."""

from collections.abc import Iterable
from typing import LiteralString

from domain.bookmark import BookmarkEvent, PostBookmarked, PostUnbookmarked
from projections import toggles
from projections.fact import Fact
from projections.rule import Projection, Row, on
from projections.status_queries import Listing

TABLES: LiteralString = (
    toggles.intervals("bookmarks", "account", "status")
    + """
CREATE INDEX bookmarks_open ON bookmarks (account, status) WHERE until IS NULL;
CREATE INDEX bookmarks_of_account ON bookmarks (account, :cursor) WHERE until IS NULL;
""".replace(":cursor", toggles.CURSOR)
)


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

PROJECTION = Projection(
    "bookmarks",
    TABLES,
    {"bookmarks": toggles.key("account", "status")},
    RULES,
    {"bookmarks": toggles.BECAUSE},
    own={"bookmarks": "account = %(account)s"},
)


def bookmarks_of(account: int) -> Listing:
    """What an account keeps, the latest first; entries are cursors."""
    return Listing(
        scan="""
            SELECT :cursor AS entry, status FROM bookmarks WHERE account = %(viewer)s::bigint AND until IS NULL
                AND :cursor < %(below)s::bigint AND :cursor > %(above)s::bigint""".replace(":cursor", toggles.CURSOR),
        values={"viewer": account},
        candidates="SELECT entry, status FROM scanned",
        shown="status",
    )
