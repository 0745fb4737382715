"""Public and local timelines: orders over the statuses, kept as indexes of them; a deleted one drops out as read."""

from projections.rule import Projection

TABLES = """
CREATE INDEX public_timeline ON statuses (id)
    WHERE visibility = 'public' AND deleted IS NULL AND (in_reply_to_uri IS NULL OR in_reply_to_account = account);
CREATE INDEX local_timeline ON statuses (id)
    WHERE visibility = 'public' AND deleted IS NULL AND (in_reply_to_uri IS NULL OR in_reply_to_account = account)
        AND local;
"""

PROJECTION = Projection("timelines", TABLES, {})
