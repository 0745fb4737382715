"""Threads: what a status answers, and what answers it; and what it said before.

Both walks are bounded, and a thread that somebody has tied into a ring ends where it meets itself.
"""

from typing import LiteralString

from projections.query import Query

_WALKED_MAX: LiteralString = "4096"
WALKED_MAX = int(_WALKED_MAX)
"""How much of a thread is looked at in either direction (Mastodon's own limit for somebody who is logged in)."""


def above(status: int) -> Query:
    """Rows of (status, what it answers or None), from this status upwards, in no order."""
    return Query(
        """
        WITH RECURSIVE above AS (
            SELECT id, in_reply_to FROM statuses WHERE id = %(id)s::bigint
            UNION
            SELECT s.id, s.in_reply_to FROM above JOIN statuses s ON s.id = above.in_reply_to
        )
        SELECT id, in_reply_to FROM above LIMIT :most
        """.replace(":most", _WALKED_MAX),
        {"id": status},
    )


def below(status: int) -> Query:
    """Rows of (status, what it answers, author) of all that answers this one, however far down, in no order."""
    return Query(
        """
        WITH RECURSIVE below AS (
            SELECT id, uri, NULL::bigint AS in_reply_to, account FROM statuses WHERE id = %(id)s::bigint
            UNION
            SELECT s.id, s.uri, s.in_reply_to, s.account FROM below JOIN statuses s ON s.in_reply_to_uri = below.uri
            WHERE s.in_reply_to = below.id AND s.deleted IS NULL
        )
        SELECT id, in_reply_to, account FROM below WHERE id <> %(id)s::bigint LIMIT :most
        """.replace(":most", _WALKED_MAX),
        {"id": status},
    )


def muted_above(status: int, account: int) -> Query:
    """Rows of one column: the posts among this status and those above it whose thread the account mutes."""
    return Query(
        """
        WITH RECURSIVE above AS (
            SELECT id, in_reply_to_uri FROM statuses WHERE id = %(id)s::bigint
            UNION
            SELECT s.id, s.in_reply_to_uri FROM above JOIN statuses s ON s.uri = above.in_reply_to_uri
        )
        SELECT m.conversation FROM (SELECT id FROM above LIMIT :most) a JOIN conversation_mutes m
            ON m.account = %(account)s::bigint AND m.conversation = a.id AND m.until IS NULL
        """.replace(":most", _WALKED_MAX),
        {"id": status, "account": account},
    )


def revisions(status: int) -> Query:
    """Rows of one column: the insides of what a status said, the oldest first (rendering.revision_json)."""
    return Query("SELECT json FROM status_revisions WHERE status = %(id)s::bigint ORDER BY position, n", {"id": status})
