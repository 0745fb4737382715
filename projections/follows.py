"""Follows: who asked to follow whom, who follows whom, from when to when, and what they want of them.

The turns only grow; the intervals of a touched pair are worked out anew from its turns, so it makes no difference
whether follow, unfollow and follow came in one batch or in three. An account that is deleted takes its follows along.
"""

from collections.abc import Iterable
from typing import LiteralString

from domain.account import AccountDeleted
from domain.follow import FollowAccepted, FollowAdjusted, FollowEnded, FollowRejected, FollowRequested
from projections.because import at
from projections.fact import Fact
from projections.query import Query
from projections.rendering import json_text
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
CREATE INDEX follows_asked ON follows (followee, until) WHERE stage = 'requested';
-- For the list of followers alone (account_lists.followers_of): written so that no other question is planned by it.
CREATE INDEX follows_listed ON follows ((followee + 0), ((since << 20) + n))
    WHERE stage = 'following' AND until IS NULL;

-- What the follower wants, as said last: back to the usual when a follow ends.
CREATE TABLE follow_wishes (
    follower  bigint  NOT NULL,
    followee  bigint  NOT NULL,
    position  bigint  NOT NULL,
    n         int     NOT NULL,
    reblogs   boolean NOT NULL,
    notify    boolean NOT NULL,
    languages text,
    PRIMARY KEY (follower, followee)
);
"""

_STAGES = {
    FollowRequested: "requested",
    FollowAccepted: "following",
    FollowRejected: "none",
    FollowEnded: "none",
}


# `pair` has follower, followee and the earliest position of their new turns.
_INTERVALS: LiteralString = """
    WITH :pair,
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
        SELECT f.follower, f.followee, -1 FROM pair p CROSS JOIN LATERAL (
            SELECT * FROM follows i WHERE i.follower = p.follower AND i.followee = p.followee
            ORDER BY i.since DESC, i.n DESC LIMIT 1) f
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
"""


# What stood between an account that is deleted and others, by one index each.
_STOOD: LiteralString = """
    stood AS (
        SELECT DISTINCT ON (follower, followee, since, n) * FROM (
            SELECT i.*, f.position, f.n AS gone FROM fact f JOIN follows i ON i.follower = f.account
            UNION ALL
            SELECT i.*, f.position, f.n FROM fact f JOIN follows i ON i.followee = f.account AND i.stage = 'following'
            UNION ALL
            SELECT i.*, f.position, f.n FROM fact f JOIN follows i ON i.followee = f.account AND i.stage = 'requested'
        ) i
        WHERE (since, n) < (position, gone) AND (until IS NULL OR until > position)
        ORDER BY follower, followee, since, n, position, gone
    )
"""


def _turn(
    event: FollowRequested | FollowAccepted | FollowRejected | FollowEnded, fact: Fact, origin: str
) -> Iterable[Row]:
    yield event.follower, event.followee, fact.position, fact.n, _STAGES[type(event)], event.request


def _deletion(event: AccountDeleted, fact: Fact, origin: str) -> Iterable[Row]:
    yield event.account, fact.position, fact.n


def _wishes(event: FollowAdjusted | FollowRejected | FollowEnded, fact: Fact, origin: str) -> Iterable[Row]:
    place = event.follower, event.followee, fact.position, fact.n
    if isinstance(event, FollowAdjusted):
        yield *place, event.reblogs, event.notify, None if event.languages is None else json_text(event.languages)
    else:
        yield *place, True, False, None


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
        _INTERVALS.replace(
            ":pair", "pair AS (SELECT follower, followee, min(position) AS since FROM fact GROUP BY follower, followee)"
        ),
    ),
    on(
        AccountDeleted,
        "who is gone follows nobody and is followed by nobody",
        "account bigint, position bigint, n int",
        _deletion,
        """
        WITH :stood
        INSERT INTO follow_turns (follower, followee, position, n, stage, request)
        SELECT follower, followee, position, gone, 'none', request FROM stood ON CONFLICT DO NOTHING
        """.replace(":stood", _STOOD),
        _INTERVALS.replace(
            ":pair",
            """:stood,
    pair AS (SELECT follower, followee, min(position) AS since FROM stood GROUP BY follower, followee)""",
        ).replace(":stood", _STOOD),
    ),
    on(
        (FollowAdjusted, FollowRejected, FollowEnded),
        "what is wanted is what was said last, and the end of a follow takes it back",
        "follower bigint, followee bigint, position bigint, n int, reblogs boolean, notify boolean, languages text",
        _wishes,
        """
        INSERT INTO follow_wishes (follower, followee, position, n, reblogs, notify, languages)
        SELECT DISTINCT ON (follower, followee) follower, followee, position, n, reblogs, notify, languages
        FROM fact WHERE follower & 32768 = 0 ORDER BY follower, followee, position DESC, n DESC
        ON CONFLICT (follower, followee) DO UPDATE SET (position, n, reblogs, notify, languages)
            = (excluded.position, excluded.n, excluded.reblogs, excluded.notify, excluded.languages)
        WHERE (excluded.position, excluded.n) > (follow_wishes.position, follow_wishes.n)
        """,
    ),
)

_EITHER: LiteralString = "(follower = %(account)s OR followee = %(account)s)"

PROJECTION = Projection(
    "follows",
    TABLES,
    {
        "follow_turns": "follower, followee, position, n",
        "follows": "follower, followee, since, n",
        "follow_wishes": "follower, followee",
    },
    RULES,
    {"follow_turns": at("position"), "follows": at("since", until="until"), "follow_wishes": at("position")},
    # What still stands when an account goes is ended by it.
    together=frozenset({"follow_turns", "follows"}),
    own={"follow_turns": _EITHER, "follows": _EITHER, "follow_wishes": "follower = %(account)s"},
)


def followed_by(account: int) -> Query:
    """Rows of one id each: whom an account follows, all of them, in no order."""
    return Query(
        """
        SELECT followee FROM follows
        WHERE follower = %(account)s::bigint AND until IS NULL AND stage = 'following'
        """,
        {"account": account},
    )


def requests_to(account: int) -> Query:
    """One row: how many wait for this account's answer."""
    return Query(
        """
        SELECT count(*) FROM follows WHERE followee = %(account)s::bigint AND stage = 'requested' AND until IS NULL
        """,
        {"account": account},
    )
