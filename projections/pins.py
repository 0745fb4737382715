"""Pins: which of their posts somebody features."""

from collections.abc import Iterable
from typing import LiteralString

from domain.pin import PinEvent, PostPinned, PostUnpinned
from projections import toggles
from projections.fact import Fact
from projections.rule import Projection, Row, on
from projections.status_queries import Listing
from projections.visibility import SHOWN_OF_AUTHOR

TABLES: LiteralString = (
    toggles.intervals("pins", "account", "status")
    + """
CREATE INDEX pins_latest ON pins (account, :cursor) WHERE until IS NULL;
""".replace(":cursor", toggles.CURSOR)
)
_SHOWN_MAX: LiteralString = "20"
SHOWN_MAX = int(_SHOWN_MAX)
"""Of how many an account features; ours feature fewer (domain.pin.PINS_MAX), others as many as their servers let."""


def _turn(event: PinEvent, fact: Fact, origin: str) -> Iterable[Row]:
    yield fact.position, fact.n, event.account, event.post, isinstance(event, PostPinned)


RULES = (
    on(
        (PostPinned, PostUnpinned),
        "a post is featured from when to when",
        "position bigint, n int, account bigint, status bigint, begins boolean",
        _turn,
        toggles.turns("pins", "account", "status"),
    ),
)

PROJECTION = Projection(
    "pins",
    TABLES,
    {"pins": toggles.key("account", "status")},
    RULES,
    {"pins": toggles.BECAUSE},
    own={"pins": "account = %(account)s"},
)


def pinned_by(account: int, viewer: int | None) -> Listing:
    """Those of an account's posts that it features, the latest SHOWN_MAX of them, newest post first."""
    return Listing(
        scan="""
            SELECT status AS entry FROM (
                SELECT status FROM pins WHERE account = %(account)s::bigint AND until IS NULL
                ORDER BY :cursor DESC LIMIT :most) latest
            WHERE status < %(below)s::bigint AND status > %(above)s::bigint""".replace(
            ":cursor", toggles.CURSOR
        ).replace(":most", _SHOWN_MAX),
        values={"account": account, "viewer": viewer},
        visible=SHOWN_OF_AUTHOR,
    )
