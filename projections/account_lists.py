"""Lists of accounts: followers, followed, who asks to follow, blocked, muted; the latest first.

An entry's cursor is made of the position and place at which it came about, so it is the same in every generation and
clients may keep it: nothing else of the same list has it.
"""

from collections.abc import Sequence
from typing import Any, LiteralString, NamedTuple

from projections.accounts import COLUMNS
from projections.query import Query
from projections.status_queries import Slice
from projections.toggles import CURSOR
from projections.visibility import may_be_met, viewer_averse_to

# The same number, as the index of followers has it.
_CURSOR_OF_FOLLOWERS: LiteralString = "((since << 20) + n)"


class AccountListing(NamedTuple):
    """A list, unsliced: `scan` gives `entry`, `account` and `ends_at` (when the entry ends by itself, or NULL)."""

    scan: LiteralString
    values: dict[str, Any]


def page(listing: AccountListing, part: Slice) -> Query:
    """Rows of entry, ends_at and an AccountRow, in the order in which they are read: descending, unless it ascends."""
    order: LiteralString = "ASC" if part.ascending else "DESC"
    # Who is gone is left out before the page is cut, so that a short page is the last one.
    sql: LiteralString = """
        WITH listed AS (
            SELECT * FROM (:scan) l WHERE entry < %(below)s::bigint AND entry > %(above)s::bigint
                AND (SELECT a.deleted IS NULL FROM accounts a WHERE a.id = l.account)
            ORDER BY entry :order LIMIT %(limit)s::bigint)
        SELECT l.entry, l.ends_at, :columns
        FROM listed l JOIN accounts a ON a.id = l.account JOIN account_counts k ON k.account = a.id
        ORDER BY l.entry :order"""
    return Query(
        sql.replace(":scan", listing.scan).replace(":order", order).replace(":columns", COLUMNS),
        {**listing.values, "below": part.below, "above": part.above, "limit": part.limit},
    )


def followers_of(account: int, viewer: int | None) -> AccountListing:
    """Who follows an account, but for whom the viewer has nothing to do with; nobody, if it blocks the viewer."""
    scan = _listed("follower", _OF_FOLLOWS.replace(":of", "followee + 0"), cursor=_CURSOR_OF_FOLLOWERS)
    return _met(scan, "follower", account, viewer)


def followed_by(account: int, viewer: int | None) -> AccountListing:
    """Whom an account follows, but for whom the viewer has nothing to do with; nobody, if it blocks the viewer."""
    return _met(_listed("followee", _OF_FOLLOWS.replace(":of", "follower")), "followee", account, viewer)


def requests_to(account: int) -> AccountListing:
    """Who waits for this account's answer."""
    return AccountListing(
        _listed(
            "follower",
            "follows WHERE followee = %(viewer)s::bigint AND stage = 'requested' AND until IS NULL",
        ),
        {"viewer": account},
    )


def blocked_by(account: int) -> AccountListing:
    """Whom an account blocks."""
    return AccountListing(
        _listed("blocked", "blocks WHERE blocker = %(viewer)s::bigint AND until IS NULL"), {"viewer": account}
    )


def muted_by(account: int) -> AccountListing:
    """Whom an account mutes, and until when."""
    scan = _listed("muted", "mutes WHERE muter = %(viewer)s::bigint AND until IS NULL", "expires_at")
    return AccountListing(scan, {"viewer": account})


def familiar_followers(viewer: int, accounts: Sequence[int], most: int) -> Query:
    """Rows of an account asked about and an AccountRow: whom the viewer follows that follows that account.

    Most of each, the latest followed first, and none of who blocks the viewer. It goes by the viewer's own follows,
    which are fewer than another's followers may be.
    """
    sql: LiteralString = """
        SELECT asked.account, :columns
        FROM unnest(%(accounts)s::bigint[]) AS asked (account) CROSS JOIN LATERAL (
            SELECT f.followee, f.since FROM follows f
            WHERE f.follower = %(viewer)s::bigint AND f.stage = 'following' AND f.until IS NULL
                AND (SELECT true FROM follows t WHERE t.follower = f.followee AND t.followee = asked.account
                    AND t.stage = 'following' AND t.until IS NULL LIMIT 1)
                AND :met
            ORDER BY f.since DESC, f.n DESC LIMIT %(most)s::bigint) familiar
        JOIN accounts a ON a.id = familiar.followee JOIN account_counts k ON k.account = a.id
        ORDER BY asked.account, familiar.since DESC"""
    met = may_be_met("f.followee") + " AND " + may_be_met("asked.account")
    values = {"viewer": viewer, "accounts": list(accounts), "most": most}
    return Query(sql.replace(":columns", COLUMNS).replace(":met", met), values)


_OF_FOLLOWS: LiteralString = """
    follows WHERE :of = %(account)s::bigint AND stage = 'following' AND until IS NULL
        AND (%(account)s::bigint = %(viewer)s::bigint OR (:averse IS NULL AND :met))"""


def _met(scan: LiteralString, other: LiteralString, account: int, viewer: int | None) -> AccountListing:
    met = may_be_met(other) + " AND " + may_be_met("%(account)s::bigint")
    scan = scan.replace(":averse", viewer_averse_to(other)).replace(":met", met)
    return AccountListing(scan, {"account": account, "viewer": viewer})


def _listed(
    account: LiteralString,
    where: LiteralString,
    ends_at: LiteralString = "NULL::timestamptz",
    cursor: LiteralString = CURSOR,
) -> LiteralString:
    scan: LiteralString = "SELECT :cursor AS entry, :account AS account, :ends AS ends_at FROM :where"
    return (
        scan.replace(":cursor", cursor).replace(":account", account).replace(":ends", ends_at).replace(":where", where)
    )
