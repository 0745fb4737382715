"""Pins: which of their posts somebody features."""

from collections.abc import Iterable

from domain.pin import PinEvent, PostPinned, PostUnpinned
from projections import toggles
from projections.fact import Fact
from projections.rule import Projection, Row, on
from projections.status_queries import Listing
from projections.visibility import SHOWN_OF_AUTHOR

TABLES = toggles.intervals("pins", "account", "status")


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

PROJECTION = Projection("pins", TABLES, {"pins": toggles.key("account", "status")}, RULES, {"pins": toggles.BECAUSE})


def pinned_by(account: int, viewer: int | None) -> Listing:
    """Those of an account's posts that it features, newest post first."""
    return Listing(
        scan="""
            SELECT status AS entry FROM pins WHERE account = %(account)s::bigint AND until IS NULL
                AND status < %(below)s::bigint AND status > %(above)s::bigint""",
        values={"account": account, "viewer": viewer},
        visible=SHOWN_OF_AUTHOR,
    )
