"""Usage: how much is here, for the instance documents and NodeInfo."""

import msgspec

from projections.query import Query


class Usage(msgspec.Struct, frozen=True):
    """Local accounts, local statuses, known servers, and local accounts that posted in the last month of the log.

    Those who are gone count for nothing, nor does what they wrote.
    """

    users: int
    statuses: int
    domains: int
    active_month: int


def usage() -> Query:
    """One row in the order of Usage."""
    return Query(
        """
        SELECT count(*) FILTER (WHERE a.domain IS NULL),
            coalesce(sum(c.statuses) FILTER (WHERE a.domain IS NULL), 0)::bigint,
            count(DISTINCT a.domain),
            count(*) FILTER (WHERE a.domain IS NULL AND c.last_status_at > current_date - 30)
        FROM accounts a JOIN account_counts c ON c.account = a.id AND a.deleted IS NULL
        """,
        {},
    )
