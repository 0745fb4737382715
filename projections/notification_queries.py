"""Questions about notifications: those that one account is shown today, a page of them, one, how many are new."""

from collections.abc import Sequence
from typing import Any, LiteralString, NamedTuple

from projections.accounts import COLUMNS
from projections.blocks import blocks
from projections.conversations import muted_by
from projections.mutes import mutes_notifications
from projections.query import Query
from projections.status_queries import ID_MAX, Slice
from projections.visibility import MAY_SEE, may_be_met

KINDS = ("mention", "reblog", "follow", "follow_request", "favourite", "update")
"""In Mastodon's words."""

# As a constant in the text, so that the planner knows how little is read.
_SCAN_MAX: LiteralString = "2000"
SCAN_MAX = int(_SCAN_MAX)
_VIEWER: LiteralString = "%(viewer)s::bigint"


class NotificationRow(NamedTuple):
    """A notification as stored; the columns of its actor's AccountRow come after it."""

    id: int
    kind: str
    created_at: str
    status: int | None


NOTIFICATION_COLUMNS = len(NotificationRow._fields)

_SCANNED: LiteralString = """
    scanned AS (
        SELECT * FROM notifications WHERE owner = %(viewer)s::bigint
            AND id < %(below)s::bigint AND id > %(above)s::bigint
        ORDER BY id :order LIMIT :most
    )""".replace(":most", _SCAN_MAX)
# Each question is one look-up a row, by the whole key where a turn was told of: that very one must stand.
_RULE: LiteralString = """
    n.kind = ANY(%(kinds)s::text[]) AND (%(actor)s::bigint IS NULL OR n.actor = %(actor)s::bigint)
    AND n.id > coalesce((SELECT up_to FROM notifications_cleared WHERE owner = %(viewer)s::bigint), 0)
    AND (SELECT true FROM notifications_dismissed d WHERE d.owner = %(viewer)s::bigint AND d.id = n.id) IS NULL
    AND :met AND :blocks IS NULL AND :mutes IS NULL
    AND CASE n.kind
        WHEN 'follow' THEN (SELECT f.until IS NULL AND f.stage = 'following' FROM follows f
            WHERE f.follower = n.actor AND f.followee = %(viewer)s::bigint
                AND f.since = n.id >> 20 AND f.n = (n.id & 1048575)::int)
        WHEN 'follow_request' THEN (SELECT f.until IS NULL AND f.stage = 'requested' FROM follows f
            WHERE f.follower = n.actor AND f.followee = %(viewer)s::bigint
                AND f.since = n.id >> 20 AND f.n = (n.id & 1048575)::int)
        WHEN 'favourite' THEN (SELECT f.until IS NULL FROM favourites f
            WHERE f.account = n.actor AND f.status = n.status
                AND f.since = n.id >> 20 AND f.n = (n.id & 1048575)::int)
        WHEN 'reblog' THEN (SELECT :seen FROM statuses s WHERE s.id = n.via)
        ELSE true END
    AND (n.status IS NULL OR (SELECT (:seen) AND :muted IS NULL FROM statuses s WHERE s.id = n.status))"""
_WITH_BLOCKS = _RULE.replace(":met", may_be_met("n.actor")).replace(":blocks", blocks(_VIEWER, "n.actor"))
_WITH_MUTES = _WITH_BLOCKS.replace(":mutes", mutes_notifications(_VIEWER, "n.actor"))
_SHOWN: LiteralString = _WITH_MUTES.replace(":seen", MAY_SEE).replace(":muted", muted_by(_VIEWER))

_PAGE: LiteralString = """
    WITH :scanned,
    shown AS (SELECT * FROM scanned n WHERE :shown ORDER BY id :order LIMIT %(limit)s::bigint)
    SELECT n.id, n.kind, n.created_at, n.status, :columns
    FROM shown n JOIN accounts a ON a.id = n.actor JOIN account_counts k ON k.account = n.actor
    ORDER BY n.id :order""".replace(":columns", COLUMNS)


class Chosen(NamedTuple):
    """Whose notifications, of which kinds, and by whom alone (None: anybody)."""

    viewer: int
    kinds: Sequence[str] = KINDS
    actor: int | None = None


def page(chosen: Chosen, part: Slice) -> Query:
    """Rows of a NotificationRow and its actor's AccountRow, in the order in which they are read."""
    sql = _sliced(_PAGE.replace(":scanned", _SCANNED), part)
    return Query(sql, {**_values(chosen, part), "limit": part.limit})


def boundary(chosen: Chosen, part: Slice) -> Query:
    """The last id that `page` scanned, when it scanned as many as it may; no row when it came to the end."""
    sql: LiteralString = "WITH :scanned SELECT id FROM scanned ORDER BY id :order OFFSET %(skipped)s::bigint"
    values = {**_values(chosen, part), "skipped": SCAN_MAX - 1}
    return Query(_sliced(sql.replace(":scanned", _SCANNED), part), values)


def one(viewer: int, number: int) -> Query:
    """At most one row as of `page`: this one, if it is shown."""
    return page(Chosen(viewer), Slice(below=min(number, ID_MAX - 1) + 1, above=number - 1, limit=1))


def newest(viewer: int) -> Query:
    """One row: the highest id there is for somebody, shown or not, or None."""
    return Query("SELECT max(id) FROM notifications WHERE owner = %(viewer)s::bigint", {"viewer": viewer})


def unread(chosen: Chosen, above: int, most: int) -> Query:
    """One row: how many are shown above this id, at most so many."""
    part = Slice(above=above, limit=most)
    sql: LiteralString = """
        WITH :scanned
        SELECT count(*) FROM (SELECT FROM scanned n WHERE :shown LIMIT %(limit)s::bigint) c"""
    values = {**_values(chosen, part), "limit": most}
    return Query(_sliced(sql.replace(":scanned", _SCANNED), part), values)


def _sliced(sql: LiteralString, part: Slice) -> LiteralString:
    order: LiteralString = "ASC" if part.ascending else "DESC"
    return sql.replace(":shown", _SHOWN).replace(":order", order)


def _values(chosen: Chosen, part: Slice) -> dict[str, Any]:
    kinds = list(chosen.kinds)
    return {"viewer": chosen.viewer, "kinds": kinds, "actor": chosen.actor, "below": part.below, "above": part.above}
