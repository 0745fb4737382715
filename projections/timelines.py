"""Public and local timelines: orders over the statuses, kept as indexes of them; a deleted one drops out as read."""

from typing import LiteralString

from projections.rule import Projection
from projections.status_queries import Listing
from projections.visibility import SHOWN_OF_AUTHOR

TABLES = """
CREATE INDEX public_timeline ON statuses (id)
    WHERE visibility = 'public' AND deleted IS NULL AND reblog_of IS NULL
        AND (in_reply_to_uri IS NULL OR in_reply_to_account = account);
CREATE INDEX local_timeline ON statuses (id)
    WHERE visibility = 'public' AND deleted IS NULL AND reblog_of IS NULL
        AND (in_reply_to_uri IS NULL OR in_reply_to_account = account)
        AND local;
CREATE INDEX media_timeline ON statuses (id)
    WHERE visibility = 'public' AND deleted IS NULL AND reblog_of IS NULL
        AND (in_reply_to_uri IS NULL OR in_reply_to_account = account)
        AND has_media;
"""

PROJECTION = Projection("timelines", TABLES, {})

# The indexes' own condition, so that the planner takes them.
_PUBLIC: LiteralString = """
    SELECT id AS entry, local FROM statuses
    WHERE visibility = 'public' AND deleted IS NULL AND reblog_of IS NULL
        AND (in_reply_to_uri IS NULL OR in_reply_to_account = account)
        AND id < %(below)s::bigint AND id > %(above)s::bigint"""
_OF_ACCOUNT: LiteralString = """
    SELECT id AS entry FROM statuses
    WHERE account = %(account)s::bigint AND id < %(below)s::bigint AND id > %(above)s::bigint"""
_TAGGED: LiteralString = """ AND EXISTS (SELECT FROM tagged t
    WHERE t.status = s.id AND t.position = s.revision AND t.n = s.revision_n AND t.tag = %(tag)s::text)"""
_WITH_MEDIA: LiteralString = " AND has_media"


def public(viewer: int | None, *, only_media: bool = False) -> Listing:
    """Public statuses that are no answers to others, from everywhere."""
    return Listing(_public(only_media), {"viewer": viewer})


def local(viewer: int | None, *, only_media: bool = False) -> Listing:
    """Those written here."""
    return Listing(_public(only_media) + " AND local", {"viewer": viewer})


def remote(viewer: int | None, *, only_media: bool = False) -> Listing:
    """Those written elsewhere."""
    return Listing(_public(only_media), {"viewer": viewer}, candidates="SELECT entry FROM scanned WHERE NOT local")


def of_account(
    account: int,
    viewer: int | None,
    *,
    without_replies: bool = False,
    without_boosts: bool = False,
    only_media: bool = False,
    tagged: str | None = None,
) -> Listing:
    """What an account has written and boosted, as this viewer may see it; answers to itself are no replies.

    `tagged` leaves what is public with that hashtag, as hashtag_key gives it.
    """
    replies: LiteralString = "true"
    if without_replies:
        replies = "(s.in_reply_to_uri IS NULL OR s.in_reply_to_account = s.account)"
    scan = _OF_ACCOUNT + _WITH_MEDIA if only_media else _OF_ACCOUNT
    if without_boosts:
        scan += " AND reblog_of IS NULL"
    where, values = replies, {"account": account, "viewer": viewer}
    if tagged is None:
        return Listing(scan, values, where=where, visible=SHOWN_OF_AUTHOR)
    return Listing(scan, {**values, "tag": tagged}, where=where + _TAGGED, visible=SHOWN_OF_AUTHOR)


def _public(only_media: bool) -> LiteralString:
    return _PUBLIC + (_WITH_MEDIA if only_media else "")
