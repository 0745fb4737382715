"""Blocks: who wants nothing to do with whom, and from when to when."""

from collections.abc import Iterable
from typing import LiteralString

from domain.block import AccountBlocked, AccountUnblocked, BlockEvent
from projections import toggles
from projections.fact import Fact
from projections.rule import Projection, Row, on

TABLES = toggles.intervals("blocks", "blocker", "blocked", "activity text NOT NULL,") + (
    """
CREATE INDEX blocks_open ON blocks (blocker, blocked) WHERE until IS NULL;
"""
)


def _turn(event: BlockEvent, fact: Fact, origin: str) -> Iterable[Row]:
    begins = isinstance(event, AccountBlocked)
    yield fact.position, fact.n, event.blocker, event.blocked, begins, event.activity


RULES = (
    on(
        (AccountBlocked, AccountUnblocked),
        "somebody is blocked from when to when",
        "position bigint, n int, blocker bigint, blocked bigint, begins boolean, activity text",
        _turn,
        toggles.turns("blocks", "blocker", "blocked", columns="activity"),
    ),
)

PROJECTION = Projection(
    "blocks",
    TABLES,
    {"blocks": toggles.key("blocker", "blocked")},
    RULES,
    {"blocks": toggles.BECAUSE},
    own={"blocks": "blocker = %(account)s"},
)

# As a scalar question: whoever asks for a page has it looked up once a row.
_BLOCKS: LiteralString = (
    "(SELECT true FROM blocks b WHERE b.blocker = :blocker AND b.blocked = :blocked AND b.until IS NULL LIMIT 1)"
)


def blocks(blocker: LiteralString, blocked: LiteralString) -> LiteralString:
    """Whether the one in the first column blocks the one in the second today: true or NULL."""
    return _BLOCKS.replace(":blocker", blocker).replace(":blocked", blocked)
