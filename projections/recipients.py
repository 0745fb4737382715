"""Recipients: where remote actors are reached, and so to which inboxes something has to go.

A delivery's audience is asked for as of the position of what is delivered: whoever followed then gets the post, even if
they have left by now, and whoever came later does not.
"""

from collections.abc import Iterable, Sequence

from domain.account import AccountRegistered, ProfileChanged
from projections.because import at
from projections.fact import Fact
from projections.query import Query
from projections.rule import Projection, Row, on

TABLES = """
CREATE TABLE endpoints (
    account      bigint PRIMARY KEY,
    inbox        text   NOT NULL,
    shared_inbox text,
    followers    text,
    featured     text,
    position     bigint NOT NULL,
    n            int    NOT NULL
);
"""

_ENDPOINTS = "position bigint, n int, account bigint, inbox text, shared_inbox text, followers text, featured text"


def _endpoints(event: AccountRegistered | ProfileChanged, fact: Fact, origin: str) -> Iterable[Row]:
    reached = event.endpoints
    if reached is not None:
        where = reached.inbox, reached.shared_inbox, reached.followers, reached.featured
        yield fact.position, fact.n, event.account, *where


RULES = (
    on(
        (AccountRegistered, ProfileChanged),
        "a remote actor is reached where their document said last",
        _ENDPOINTS,
        _endpoints,
        """
        INSERT INTO endpoints (account, inbox, shared_inbox, followers, featured, position, n)
        SELECT DISTINCT ON (account) account, inbox, shared_inbox, followers, featured, position, n
        FROM fact ORDER BY account, position DESC, n DESC
        ON CONFLICT (account) DO UPDATE SET (inbox, shared_inbox, followers, featured, position, n) =
            (excluded.inbox, excluded.shared_inbox, excluded.followers, excluded.featured, excluded.position,
             excluded.n)
        WHERE (excluded.position, excluded.n) > (endpoints.position, endpoints.n)
        """,
    ),
)

PROJECTION = Projection(
    "recipients",
    TABLES,
    {"endpoints": "account"},
    RULES,
    {"endpoints": at("position")},
    own={"endpoints": "account = %(account)s"},
)


def inboxes_of_followers(account: int, position: int) -> Query:
    """Rows of one inbox each, shared ones where there are any: of the remote followers that there were by then.

    Whom the account blocked by then is none: that the follow ends because of it is decided a little later.
    """
    return Query(
        """
        SELECT DISTINCT coalesce(e.shared_inbox, e.inbox) FROM follows f JOIN endpoints e ON e.account = f.follower
        WHERE f.followee = %(account)s::bigint AND f.stage = 'following'
            AND f.since <= %(position)s::bigint AND (f.until IS NULL OR f.until >= %(position)s::bigint)
            AND NOT EXISTS (SELECT FROM blocks b WHERE b.blocker = f.followee AND b.blocked = f.follower
                AND b.since <= %(position)s::bigint AND (b.until IS NULL OR b.until > %(position)s::bigint))
        """,
        {"account": account, "position": position},
    )


def inboxes_of_audience(status: int) -> Query:
    """Rows of one personal inbox each: of the remote accounts that a status is addressed to."""
    return Query(
        """
        SELECT e.inbox FROM audience x JOIN endpoints e ON e.account = x.account WHERE x.status = %(status)s::bigint
        """,
        {"status": status},
    )


def inboxes_of_mentioned_since(status: int, position: int, n: int) -> Query:
    """Rows of one personal inbox each: of the remote accounts that this very fact is the first to mention."""
    return Query(
        """
        SELECT e.inbox FROM audience x JOIN endpoints e ON e.account = x.account
        WHERE x.status = %(status)s::bigint AND x.mentioned = (%(position)s::bigint << 20 | %(n)s::bigint)
        """,
        {"status": status, "position": position, "n": n},
    )


def inboxes_of_concerned(status: int, position: int) -> Query:
    """Rows of one personal inbox each: of those who boosted, liked or answered a status by then (federation §12)."""
    return Query(
        """
        SELECT e.inbox FROM endpoints e WHERE e.account = ANY(ARRAY(
            SELECT b.account FROM statuses b
            WHERE b.reblog_of = %(status)s::bigint AND b.published <= %(position)s::bigint
            UNION SELECT v.account FROM favourites v
            WHERE v.status = %(status)s::bigint AND v.since <= %(position)s::bigint AND v.until IS NULL
            UNION SELECT r.account FROM statuses r JOIN statuses p ON r.in_reply_to_uri = p.uri
            WHERE p.id = %(status)s::bigint AND r.published <= %(position)s::bigint))
        """,
        {"status": status, "position": position},
    )


def inboxes_of(accounts: Sequence[int]) -> Query:
    """Rows of one personal inbox each: of those of these accounts that live elsewhere."""
    return Query(
        "SELECT inbox FROM endpoints WHERE account = ANY(%(accounts)s::bigint[])", {"accounts": list(accounts)}
    )


def uris_of(accounts: Sequence[int]) -> Query:
    """Rows of id, URI and whether the account is local."""
    return Query(
        "SELECT id, uri, domain IS NULL FROM accounts WHERE id = ANY(%(accounts)s::bigint[])",
        {"accounts": list(accounts)},
    )


def post_of(status: int) -> Query:
    """At most one row: URI, account, visibility, account of the post that it answers, and whether it was made here."""
    return Query(
        """
        SELECT uri, account, visibility, in_reply_to_account, local FROM statuses WHERE id = %(status)s::bigint
        """,
        {"status": status},
    )


def followee_as_of(followee: int, follower: int, position: int) -> Query:
    """One row: whether the followee is local, was locked then, stood apart from the follower by a block, was followed.

    Shape: four booleans; no row for an account that is not known.
    """
    return Query(
        """
        SELECT a.domain IS NULL,
            coalesce((SELECT r.locked FROM account_revisions r
                WHERE r.account = a.id AND r.position <= %(position)s::bigint
                ORDER BY r.position DESC, r.n DESC LIMIT 1), a.locked),
            EXISTS (SELECT FROM blocks b
                WHERE ((b.blocker, b.blocked) = (a.id, %(follower)s::bigint)
                    OR (b.blocker, b.blocked) = (%(follower)s::bigint, a.id))
                AND b.since <= %(position)s::bigint AND (b.until IS NULL OR b.until > %(position)s::bigint)),
            EXISTS (SELECT FROM follows f
                WHERE f.follower = %(follower)s::bigint AND f.followee = a.id AND f.stage = 'following'
                AND f.since <= %(position)s::bigint AND (f.until IS NULL OR f.until > %(position)s::bigint))
        FROM accounts a WHERE a.id = %(followee)s::bigint
        """,
        {"followee": followee, "follower": follower, "position": position},
    )


def local_followers_of(account: int, target: int) -> Query:
    """Rows of an id, and whether a block stands between it and `target`: the local accounts that follow `account`."""
    return Query(
        """
        SELECT f.follower, EXISTS (SELECT FROM blocks b WHERE b.until IS NULL
            AND ((b.blocker, b.blocked) = (f.follower, %(target)s::bigint)
                OR (b.blocker, b.blocked) = (%(target)s::bigint, f.follower)))
        FROM follows f JOIN accounts a ON a.id = f.follower AND a.domain IS NULL
        WHERE f.followee = %(account)s::bigint AND f.stage = 'following' AND f.until IS NULL
        """,
        {"account": account, "target": target},
    )


def waiting_for(account: int, position: int) -> Query:
    """Rows of follower and request: who waits, since then or before, for this account's answer, in their order."""
    return Query(
        """
        SELECT follower, request FROM follows
        WHERE followee = %(account)s::bigint AND stage = 'requested' AND until IS NULL
            AND since <= %(position)s::bigint
        ORDER BY since, n
        """,
        {"account": account, "position": position},
    )


def standing_between(one: int, other: int, position: int) -> Query:
    """Rows of follower and followee: who of the two asked for or followed the other by then, and still does."""
    return Query(
        """
        SELECT follower, followee FROM follows
        WHERE ((follower = %(one)s::bigint AND followee = %(other)s::bigint)
            OR (follower = %(other)s::bigint AND followee = %(one)s::bigint))
            AND until IS NULL AND since <= %(position)s::bigint AND stage IN ('requested', 'following')
        ORDER BY follower
        """,
        {"one": one, "other": other, "position": position},
    )


def is_followed_from_here(uri: str) -> Query:
    """One row: whether a local account follows the account with this URI now."""
    return Query(
        """
        SELECT EXISTS (SELECT FROM accounts a
            JOIN follows f ON f.followee = a.id AND f.stage = 'following' AND f.until IS NULL
            JOIN accounts here ON here.id = f.follower AND here.domain IS NULL
            WHERE a.uri = %(uri)s::text)
        """,
        {"uri": uri},
    )
