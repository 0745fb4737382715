"""Questions about statuses: one of them, several, and pages of those that one viewer may see.

A page is one statement. Its candidates are read along an index, newest or oldest first, at most SCAN_MAX of them;
what the viewer may not see drops out, so a page may be short although there is more. `boundary` then says where to go
on.
"""

from collections.abc import Iterable
from datetime import date
from typing import Any, LiteralString, NamedTuple

from projections.conversations import mutes_any
from projections.query import Query
from projections.visibility import MAY_SEE, SHOWN

# As a constant in the text, so that the planner knows how little is read.
_SCAN_MAX: LiteralString = "400"
SCAN_MAX = int(_SCAN_MAX)
ID_MAX = 2**63 - 1


class StatusRow(NamedTuple):
    """A status as stored: the insides of its JSON and of its account's, what is counted, and the viewer's own flags.

    A boost has `reblog_of`, the post's id, and no revision. `muted` is, as read, only whether the viewer mutes any
    thread at all: who does must be asked about these (conversations.muted_among), and hardly anybody does.
    """

    id: int
    account: int
    visibility: str
    json: str
    revision: str
    mentions: str
    in_reply_to: int | None
    in_reply_to_account: int | None
    replies: int
    identity: str
    profile: str
    followers: int
    following: int
    statuses: int
    last_status_at: date | None
    reblogs: int = 0
    favourites: int = 0
    reblog_of: int | None = None
    favourited: bool | None = None
    reblogged: bool | None = None
    bookmarked: bool | None = None
    pinned: bool | None = None
    muted: bool | None = None


COLUMNS = len(StatusRow._fields)
"""How many columns of a row are the StatusRow's."""


class Slice(NamedTuple):
    """Which part of a list: exclusive bounds, how many, and whether read upwards from `above`."""

    below: int = ID_MAX
    above: int = 0
    limit: int = 20
    ascending: bool = False


_STORED: LiteralString = """
    s.id, s.account, s.visibility, s.json, coalesce(r.json, ''), s.mentions, s.in_reply_to, s.in_reply_to_account,
    s.replies, a.identity, a.profile, k.followers, k.following, k.statuses, k.last_status_at, s.reblogs, s.favourites,
    s.reblog_of, """
_NOBODYS: LiteralString = "NULL::boolean, NULL::boolean, NULL::boolean, NULL::boolean, NULL::boolean"
# One question of each table for all that is shown (:ids), rather than one for each row.
_VIEWERS: LiteralString = """
    s.id = ANY (ARRAY(SELECT v.status FROM favourites v WHERE v.account = %(viewer)s::bigint
        AND v.status = ANY (:ids) AND v.until IS NULL AND v.account & 32768 = 0)),
    s.id = ANY (ARRAY(SELECT v.reblog_of FROM statuses v WHERE v.account = %(viewer)s::bigint
        AND v.reblog_of = ANY (:ids) AND v.deleted IS NULL AND v.local)),
    s.id = ANY (ARRAY(SELECT v.status FROM bookmarks v WHERE v.account = %(viewer)s::bigint
        AND v.status = ANY (:ids) AND v.until IS NULL)),
    s.id = ANY (ARRAY(SELECT v.status FROM pins v WHERE v.account = %(viewer)s::bigint AND v.until IS NULL)),
    :muting""".replace(":muting", mutes_any("%(viewer)s::bigint"))
_OF_PAGE: LiteralString = "ARRAY(SELECT id FROM s)"
_JOINS: LiteralString = """
    LEFT JOIN status_revisions r ON r.status = s.id AND r.position = s.revision AND r.n = s.revision_n
    JOIN accounts a ON a.id = s.account
    JOIN account_counts k ON k.account = s.account"""


def status(number: int, viewer: int | None, visible: LiteralString = MAY_SEE) -> Query:
    """The StatusRow of one status, then its URI and its text as typed (None if remote); no row if not visible.

    With STANDS it is read for whoever takes back what they did with it.
    """
    select = "SELECT" + _columns(viewer, "ARRAY[%(id)s::bigint]") + ", s.uri, r.text FROM statuses s" + _JOINS
    return Query(
        select + " WHERE s.id = %(id)s::bigint AND" + visible,
        {"id": number, "viewer": viewer},
    )


def statuses(numbers: Iterable[int], viewer: int | None, visible: LiteralString = MAY_SEE) -> Query:
    """StatusRows of those of these that the viewer may see, in no order; with SHOWN of those that a list shows."""
    select = "SELECT" + _columns(viewer, "%(ids)s::bigint[]") + " FROM statuses s" + _JOINS
    return Query(
        select + " WHERE s.id = ANY(%(ids)s::bigint[]) AND" + visible,
        {"ids": list(numbers), "viewer": viewer},
    )


class Listing(NamedTuple):
    """A list of statuses, unsliced.

    `scan` reads rows with `entry` between %(above)s and %(below)s along an index; `candidates` narrows `scanned` down
    to one row an entry, in the :order of entries; `shown` is the column that is the status's id; `where` says more
    about status `s`, `visible` which of them the viewer gets (projections/visibility.py).
    """

    scan: LiteralString
    values: dict[str, Any]
    candidates: LiteralString = "SELECT entry FROM scanned"
    where: LiteralString = "true"
    visible: LiteralString = SHOWN
    shown: LiteralString = "entry"


# The page is cut before its parts are joined to it, so that only what is shown is fetched.
_PAGE: LiteralString = """
    WITH scanned AS (:scan ORDER BY entry :order LIMIT :most),
    candidate AS (:candidates),
    s AS (
        SELECT s.*, c.entry FROM candidate c JOIN statuses s ON s.id = c.:shown
        WHERE :visible AND :where
        ORDER BY c.entry :order LIMIT %(limit)s::bigint
    )
    SELECT :columns, s.entry FROM s :joins ORDER BY s.entry :order"""
_BOUNDARY: LiteralString = """
    WITH scanned AS (:scan ORDER BY entry :order LIMIT :most)
    SELECT entry FROM scanned ORDER BY entry :order OFFSET %(skipped)s::bigint"""


def page(listing: Listing, part: Slice) -> Query:
    """StatusRows of a page, each followed by its cursor, in the order in which they are read.

    That is descending, unless the slice ascends.
    """
    sql = _PAGE.replace(":candidates", listing.candidates).replace(":where", listing.where)
    sql = sql.replace(":visible", listing.visible).replace(":shown", listing.shown).replace(":joins", _JOINS)
    sql = sql.replace(":columns", _columns(listing.values["viewer"], _OF_PAGE))
    return Query(_scanning(sql, listing, part), {**_bounds(listing, part), "limit": part.limit})


def _columns(viewer: int | None, ids: LiteralString) -> LiteralString:
    return _STORED + (_NOBODYS if viewer is None else _VIEWERS.replace(":ids", ids))


def boundary(listing: Listing, part: Slice) -> Query:
    """The last entry that `page` scanned, when it scanned as many as it may; no row when it came to the end."""
    return Query(_scanning(_BOUNDARY, listing, part), {**_bounds(listing, part), "skipped": SCAN_MAX - 1})


def _scanning(sql: LiteralString, listing: Listing, part: Slice) -> LiteralString:
    order: LiteralString = "ASC" if part.ascending else "DESC"
    return sql.replace(":scan", listing.scan).replace(":most", _SCAN_MAX).replace(":order", order)


def _bounds(listing: Listing, part: Slice) -> dict[str, Any]:
    return {**listing.values, "below": part.below, "above": part.above}
