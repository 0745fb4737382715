"""Public and local timelines: orders over the statuses, kept as indexes of them; a deleted one drops out as read."""

from typing import LiteralString

from projections.rule import Projection
from projections.status_queries import Listing

TABLES = """
CREATE INDEX public_timeline ON statuses (id)
    WHERE visibility = 'public' AND deleted IS NULL AND (in_reply_to_uri IS NULL OR in_reply_to_account = account);
CREATE INDEX local_timeline ON statuses (id)
    WHERE visibility = 'public' AND deleted IS NULL AND (in_reply_to_uri IS NULL OR in_reply_to_account = account)
        AND local;
"""

PROJECTION = Projection("timelines", TABLES, {})

# The indexes' own condition, so that the planner takes them.
_PUBLIC: LiteralString = """
    SELECT id AS entry, local FROM statuses
    WHERE visibility = 'public' AND deleted IS NULL AND (in_reply_to_uri IS NULL OR in_reply_to_account = account)
        AND id < %(below)s::bigint AND id > %(above)s::bigint"""


def public(viewer: int | None) -> Listing:
    """Public statuses that are no answers to others, from everywhere."""
    return Listing(_PUBLIC, {"viewer": viewer})


def local(viewer: int | None) -> Listing:
    """Those written here."""
    return Listing(_PUBLIC + " AND local", {"viewer": viewer})


def remote(viewer: int | None) -> Listing:
    """Those written elsewhere."""
    return Listing(_PUBLIC, {"viewer": viewer}, candidates="SELECT entry FROM scanned WHERE NOT local")


def of_account(account: int, viewer: int | None, *, without_replies: bool) -> Listing:
    """What an account has written, as this viewer may see it; answers to itself are no replies."""
    replies: LiteralString = "true"
    if without_replies:
        replies = "(s.in_reply_to_uri IS NULL OR s.in_reply_to_account = s.account)"
    return Listing(
        """
        SELECT id AS entry FROM statuses
        WHERE account = %(account)s::bigint AND id < %(below)s::bigint AND id > %(above)s::bigint""",
        {"account": account, "viewer": viewer},
        where=replies,
    )
