"""Relations: how two accounts stand to each other today, of all that there is between them."""

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString, NamedTuple

from projections.query import Query


class RelationRow(NamedTuple):
    """How a viewer and an account stand to each other. `languages` is a JSON list or None; the rest is Mastodon's."""

    account: int
    following: bool
    requested: bool
    followed_by: bool
    requested_by: bool
    showing_reblogs: bool
    notifying: bool
    languages: str | None
    blocking: bool
    blocked_by: bool
    muting: bool
    muting_notifications: bool
    muting_expires_at: datetime | None


# Each of them one look-up an account, whatever the planner knows of the tables.
_JOINS: LiteralString = """
    LEFT JOIN LATERAL (SELECT stage FROM follows f WHERE f.follower = :me AND f.followee = a.id
        AND f.until IS NULL LIMIT 1) mine ON true
    LEFT JOIN LATERAL (SELECT stage FROM follows f WHERE f.follower = a.id AND f.followee = :me
        AND f.until IS NULL LIMIT 1) theirs ON true
    LEFT JOIN LATERAL (SELECT * FROM follow_wishes w WHERE w.follower = :me AND w.followee = a.id LIMIT 1) w ON true
    LEFT JOIN LATERAL (SELECT true AS stands FROM blocks b WHERE b.blocker = :me AND b.blocked = a.id
        AND b.until IS NULL LIMIT 1) b ON true
    LEFT JOIN LATERAL (SELECT true AS stands FROM blocks b WHERE b.blocker = a.id AND b.blocked = :me
        AND b.until IS NULL LIMIT 1) d ON true
    LEFT JOIN LATERAL (SELECT true AS stands, notifications, expires_at FROM mutes m WHERE m.muter = :me
        AND m.muted = a.id AND m.until IS NULL LIMIT 1) m ON true"""


def relations(viewer: int, accounts: Sequence[int]) -> Query:
    """RelationRows between the viewer and those of these accounts that are there, in no order."""
    sql: LiteralString = """
        SELECT a.id, coalesce(mine.stage = 'following', false), coalesce(mine.stage = 'requested', false),
            coalesce(theirs.stage = 'following', false), coalesce(theirs.stage = 'requested', false),
            mine.stage IS NOT NULL AND coalesce(w.reblogs, true),
            mine.stage IS NOT NULL AND coalesce(w.notify, false),
            CASE WHEN mine.stage IS NOT NULL THEN w.languages END,
            coalesce(b.stands, false), coalesce(d.stands, false), coalesce(m.stands, false),
            coalesce(m.notifications, false), m.expires_at
        FROM accounts a :joins
        WHERE a.id = ANY(%(accounts)s::bigint[]) AND a.deleted IS NULL"""
    sql = sql.replace(":joins", _JOINS).replace(":me", "%(viewer)s::bigint")
    return Query(sql, {"viewer": viewer, "accounts": list(accounts)})
