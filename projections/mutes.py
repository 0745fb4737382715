"""Mutes: whose posts somebody does not want to see, with or without their notifications, and from when to when.

`expires_at` says until when it was meant; it is over when an event says so.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import LiteralString

from domain.mute import AccountMuted, AccountUnmuted, MuteEvent
from projections import toggles
from projections.fact import Fact
from projections.query import Query
from projections.rule import Projection, Row, on

TABLES = toggles.intervals(
    "mutes", "muter", "muted", "notifications boolean NOT NULL,\n    expires_at timestamptz,"
) + (
    """
CREATE INDEX mutes_open ON mutes (muter, muted) WHERE until IS NULL;
CREATE INDEX mutes_expiring ON mutes (expires_at) WHERE until IS NULL AND expires_at IS NOT NULL;
"""
)


def _turn(event: MuteEvent, fact: Fact, origin: str) -> Iterable[Row]:
    place = fact.position, fact.n, event.muter, event.muted
    if isinstance(event, AccountMuted):
        yield *place, True, event.notifications, event.expires_at
    else:
        yield *place, False, True, None


RULES = (
    on(
        (AccountMuted, AccountUnmuted),
        "somebody is muted from when to when",
        "position bigint, n int, muter bigint, muted bigint, begins boolean, notifications boolean, "
        "expires_at timestamptz",
        _turn,
        toggles.turns("mutes", "muter", "muted", columns="notifications, expires_at"),
    ),
)

PROJECTION = Projection(
    "mutes",
    TABLES,
    {"mutes": toggles.key("muter", "muted")},
    RULES,
    {"mutes": toggles.BECAUSE},
    own={"mutes": "muter = %(account)s"},
)

# As a scalar question: whoever asks for a page has it looked up once a row.
_MUTES: LiteralString = (
    "(SELECT true FROM mutes m WHERE m.muter = :muter AND m.muted = :muted AND m.until IS NULL:more LIMIT 1)"
)


def mutes(muter: LiteralString, muted: LiteralString) -> LiteralString:
    """Whether the one in the first column mutes the one in the second today: true or NULL."""
    return _MUTES.replace(":muter", muter).replace(":muted", muted).replace(":more", "")


def mutes_notifications(muter: LiteralString, muted: LiteralString) -> LiteralString:
    """The same, and wants none of their notifications either."""
    return _MUTES.replace(":muter", muter).replace(":muted", muted).replace(":more", " AND m.notifications")


def over_by(now: datetime, most: int) -> Query:
    """Rows of (muter, muted) whose time is over, the longest over first."""
    return Query(
        """
        SELECT muter, muted FROM mutes WHERE until IS NULL AND expires_at <= %(now)s::timestamptz
        ORDER BY expires_at, muter, muted LIMIT %(most)s::bigint
        """,
        {"now": now, "most": most},
    )
