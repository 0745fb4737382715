"""Relations: how two accounts stand to each other today, of all that there is between them."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

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


def relations(viewer: int, accounts: Sequence[int]) -> Query:
    """RelationRows between the viewer and those of these accounts that are there, in no order."""
    return Query(
        """
        SELECT a.id, coalesce(mine.stage = 'following', false), coalesce(mine.stage = 'requested', false),
            coalesce(theirs.stage = 'following', false), coalesce(theirs.stage = 'requested', false),
            mine.stage IS NOT NULL AND coalesce(w.reblogs, true),
            mine.stage IS NOT NULL AND coalesce(w.notify, false),
            CASE WHEN mine.stage IS NOT NULL THEN w.languages END,
            b.blocker IS NOT NULL, d.blocker IS NOT NULL, m.muter IS NOT NULL,
            coalesce(m.notifications, false), m.expires_at
        FROM accounts a
            LEFT JOIN follows mine ON mine.follower = %(viewer)s::bigint AND mine.followee = a.id
                AND mine.until IS NULL
            LEFT JOIN follows theirs ON theirs.follower = a.id AND theirs.followee = %(viewer)s::bigint
                AND theirs.until IS NULL
            LEFT JOIN follow_wishes w ON w.follower = %(viewer)s::bigint AND w.followee = a.id
            LEFT JOIN blocks b ON b.blocker = %(viewer)s::bigint AND b.blocked = a.id AND b.until IS NULL
            LEFT JOIN blocks d ON d.blocker = a.id AND d.blocked = %(viewer)s::bigint AND d.until IS NULL
            LEFT JOIN mutes m ON m.muter = %(viewer)s::bigint AND m.muted = a.id AND m.until IS NULL
        WHERE a.id = ANY(%(accounts)s::bigint[]) AND a.deleted IS NULL
        """,
        {"viewer": viewer, "accounts": list(accounts)},
    )
