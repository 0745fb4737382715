"""Follows: who asked to follow whom, who follows whom, and from when to when.

The turns only grow; the intervals of a touched pair are worked out anew from its turns, so it makes no difference
whether follow, unfollow and follow came in one batch or in three.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from domain.follow import FollowAccepted, FollowEnded, FollowEvent, FollowRejected, FollowRequested
from projections.fact import Fact
from projections.query import Query
from projections.rule import Projection, Row, on

TABLES = """
CREATE TABLE follow_turns (
    follower bigint NOT NULL,
    followee bigint NOT NULL,
    position bigint NOT NULL,
    n        int    NOT NULL,
    stage    text   NOT NULL CHECK (stage IN ('requested', 'following', 'none')),
    request  text   NOT NULL,
    PRIMARY KEY (follower, followee, position, n)
);

-- `since` and `until` are positions; an open interval has no `until`, one that ended at once holds nothing.
CREATE TABLE follows (
    follower bigint NOT NULL,
    followee bigint NOT NULL,
    since    bigint NOT NULL,
    n        int    NOT NULL,
    until    bigint,
    stage    text   NOT NULL,
    request  text   NOT NULL,
    PRIMARY KEY (follower, followee, since, n)
);
CREATE INDEX follows_open ON follows (follower, followee) WHERE until IS NULL;
CREATE INDEX follows_of_followee ON follows (followee, follower) INCLUDE (since, until) WHERE stage = 'following';
CREATE INDEX follows_asked ON follows (followee) WHERE stage = 'requested' AND until IS NULL;
"""

_STAGES = {
    FollowRequested: "requested",
    FollowAccepted: "following",
    FollowRejected: "none",
    FollowEnded: "none",
}


def _turn(event: FollowEvent, fact: Fact, origin: str) -> Iterable[Row]:
    yield event.follower, event.followee, fact.position, fact.n, _STAGES[type(event)], event.request


RULES = (
    on(
        (FollowRequested, FollowAccepted, FollowRejected, FollowEnded),
        "a turn is kept, and its pair's intervals and both accounts' counters follow from them",
        "follower bigint, followee bigint, position bigint, n int, stage text, request text",
        _turn,
        """
        INSERT INTO follow_turns (follower, followee, position, n, stage, request)
        SELECT follower, followee, position, n, stage, request FROM fact ON CONFLICT DO NOTHING
        """,
        """
        WITH pair AS (SELECT follower, followee, min(position) AS since FROM fact GROUP BY follower, followee),
        -- Positions only grow: what a turn ends is the turn before it, and older ones stay as they are.
        turn AS (
            SELECT t.* FROM pair p CROSS JOIN LATERAL (
                (SELECT * FROM follow_turns o
                 WHERE o.follower = p.follower AND o.followee = p.followee AND o.position < p.since
                 ORDER BY o.position DESC, o.n DESC LIMIT 1)
                UNION ALL
                (SELECT * FROM follow_turns o
                 WHERE o.follower = p.follower AND o.followee = p.followee AND o.position >= p.since)) t
        ),
        interval AS (
            SELECT * FROM (
                SELECT follower, followee, position AS since, n, stage, request,
                       lead(position) OVER (PARTITION BY follower, followee ORDER BY position, n) AS until
                FROM turn) t
            WHERE stage <> 'none'
        ),
        kept AS (
            INSERT INTO follows (follower, followee, since, n, until, stage, request)
            SELECT follower, followee, since, n, until, stage, request FROM interval
            ON CONFLICT (follower, followee, since, n) DO UPDATE SET until = excluded.until
            WHERE follows.until IS DISTINCT FROM excluded.until
        ),
        -- `follows` still reads as before this statement; the difference is what the counters move by.
        moved AS (
            SELECT follower, followee, 1 AS by FROM interval WHERE until IS NULL AND stage = 'following'
            UNION ALL
            SELECT f.follower, f.followee, -1 FROM pair JOIN follows f USING (follower, followee)
            WHERE f.until IS NULL AND f.stage = 'following'
        ),
        delta AS (
            SELECT account, sum(followers) AS followers, sum(following) AS following FROM (
                SELECT followee AS account, by AS followers, 0 AS following FROM moved
                UNION ALL SELECT follower, 0, by FROM moved) m
            GROUP BY account
        )
        INSERT INTO account_counts (account, followers, following)
        SELECT account, followers, following FROM delta
        ON CONFLICT (account) DO UPDATE SET followers = account_counts.followers + excluded.followers,
            following = account_counts.following + excluded.following
        """,
    ),
)

PROJECTION = Projection(
    "follows",
    TABLES,
    {"follow_turns": "follower, followee, position, n", "follows": "follower, followee, since, n"},
    RULES,
)


class RelationRow(NamedTuple):
    """How a viewer and an account stand to each other today."""

    account: int
    following: bool
    requested: bool
    followed_by: bool


def relations(viewer: int, accounts: Sequence[int]) -> Query:
    """RelationRows between the viewer and those of these accounts that are there, in no order."""
    return Query(
        """
        SELECT a.id, coalesce(mine.stage = 'following', false), coalesce(mine.stage = 'requested', false),
            EXISTS (SELECT FROM follows theirs WHERE theirs.follower = a.id AND theirs.followee = %(viewer)s::bigint
                AND theirs.stage = 'following' AND theirs.until IS NULL)
        FROM accounts a LEFT JOIN follows mine ON mine.follower = %(viewer)s::bigint AND mine.followee = a.id
            AND mine.until IS NULL
        WHERE a.id = ANY(%(accounts)s::bigint[])
        """,
        {"viewer": viewer, "accounts": list(accounts)},
    )


def requests_to(account: int) -> Query:
    """One row: how many wait for this account's answer."""
    return Query(
        """
        SELECT count(*) FROM follows WHERE followee = %(account)s::bigint AND stage = 'requested' AND until IS NULL
        """,
        {"account": account},
    )
