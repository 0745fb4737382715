"""Boosts: posts passed on. A boost is a status of its own, with `reblog_of`, the post's id; `deleted` is its undoing.

A boost goes with its post, and with whoever boosted it: whichever of undoing and deletions came first is when it ended.
"""

from collections.abc import Iterable
from typing import LiteralString

from domain.account import AccountDeleted
from domain.boost import PostBoosted, PostUnboosted
from domain.post import PostDeleted
from projections.account_lists import AccountListing
from projections.fact import Fact
from projections.home import LOCAL_FOLLOWER
from projections.home_turns import home_kept
from projections.rendering import boost_json
from projections.rule import Projection, Row, on
from projections.touched import Kind, entities
from projections.visibility import MAY_SEE, viewer_averse_to

TABLES = """
CREATE INDEX boosts_of_status ON statuses (reblog_of, id) WHERE reblog_of IS NOT NULL;
CREATE INDEX boosts_by_account ON statuses (account, reblog_of)
    WHERE reblog_of IS NOT NULL AND deleted IS NULL AND local;
"""

_BOOST = (
    "position bigint, n int, id bigint, account bigint, post bigint, uri text, visibility text, local boolean, "
    "posted_on date, json text"
)

# Whether a boost began by the fact `e`: what was boosted, undone and boosted again behind an unknown post is told twice
# at one position.
_FIRST: LiteralString = """(
    SELECT true FROM statuses b WHERE b.id = e.id AND b.published = e.position AND b.revision_n = e.n)"""

# Reads `ended`: (id, position) of boosts. What counted until now counts no more.
_END: LiteralString = """
    open AS (
        SELECT b.id, b.account, b.reblog_of, b.deleted FROM statuses b
        WHERE b.id = ANY (ARRAY(SELECT id FROM ended)) AND b.reblog_of IS NOT NULL
    ),
    gone AS (
        UPDATE statuses b SET deleted = least(b.deleted, e.position) FROM ended e
        WHERE b.id = e.id AND b.reblog_of IS NOT NULL
    ),
    lost AS (
        UPDATE statuses p SET reblogs = p.reblogs - o.boosts
        FROM (SELECT reblog_of, count(*) AS boosts FROM open WHERE deleted IS NULL GROUP BY reblog_of) o
        WHERE p.id = o.reblog_of
    )
    UPDATE account_counts c SET statuses = c.statuses - o.boosts
    FROM (SELECT account, count(*) AS boosts FROM open WHERE deleted IS NULL GROUP BY account) o
    WHERE c.account = o.account
    RETURNING :touched
    """.replace(":touched", entities((Kind.ACCOUNT, "c.account")))


def _boost(event: PostBoosted, fact: Fact, origin: str) -> Iterable[Row]:
    local, posted_on = fact.because is None, event.boosted_at.date()
    head = fact.position, fact.n, event.boost, event.account, event.post, event.uri, event.visibility
    yield *head, local, posted_on, boost_json(event)


def _end(event: PostUnboosted, fact: Fact, origin: str) -> Iterable[Row]:
    yield fact.position, event.boost


def _departure(event: AccountDeleted, fact: Fact, origin: str) -> Iterable[Row]:
    yield fact.position, event.account


def _deletion(event: PostDeleted, fact: Fact, origin: str) -> Iterable[Row]:
    yield fact.position, event.post


RULES = (
    on(
        PostBoosted,
        "a boost is a status, of a post that may be passed on, and both accounts' counters say so",
        _BOOST,
        _boost,
        """
        WITH added AS (
            INSERT INTO statuses (id, account, uri, visibility, local, published, delivered, deleted, posted_on, json,
                reblog_of, revision, revision_n, has_media)
            SELECT f.id, f.account, f.uri, f.visibility, f.local, f.position, f.position, p.deleted, f.posted_on,
                f.json, f.post, f.position, f.n, false
            FROM fact f CROSS JOIN LATERAL (SELECT * FROM statuses s WHERE s.id = f.post LIMIT 1) p
            WHERE p.reblog_of IS NULL AND p.published <= f.position
                AND (p.visibility IN ('public', 'unlisted') OR (p.visibility = 'private' AND p.account = f.account))
            ON CONFLICT DO NOTHING
            RETURNING account, reblog_of, posted_on, deleted
        ),
        counted AS (
            UPDATE statuses p SET reblogs = p.reblogs + a.boosts
            FROM (SELECT reblog_of, count(*) AS boosts FROM added WHERE deleted IS NULL GROUP BY reblog_of) a
            WHERE p.id = a.reblog_of
        )
        INSERT INTO account_counts (account, statuses, last_status_at)
        SELECT account, count(*) FILTER (WHERE deleted IS NULL), max(posted_on) FROM added GROUP BY account
        ON CONFLICT (account) DO UPDATE SET statuses = account_counts.statuses + excluded.statuses,
            last_status_at = greatest(account_counts.last_status_at, excluded.last_status_at)
        """,
        """
        INSERT INTO home (owner, entry, via, cause, position)
        SELECT account, id, 'self', account, position FROM fact e
        WHERE local AND :own_kept AND :first
        ON CONFLICT DO NOTHING
        """.replace(":own_kept", home_kept("e.account", "e.position")).replace(":first", _FIRST),
        """
        INSERT INTO home (owner, entry, via, cause, position)
        SELECT f.follower, e.id, 'boost', e.account, e.position
        FROM fact e CROSS JOIN LATERAL (
            SELECT f.follower FROM follows f WHERE f.followee = e.account AND f.stage = 'following'
                AND f.since <= e.position AND (f.until IS NULL OR f.until > e.position) AND :local_follower OFFSET 0) f
        WHERE :kept AND :first
        """.replace(":local_follower", LOCAL_FOLLOWER)
        .replace(":first", _FIRST)
        .replace(":kept", home_kept("f.follower", "e.position")),
    ),
    on(
        PostUnboosted,
        "a boost is undone",
        "position bigint, id bigint",
        _end,
        """
        WITH ended AS (SELECT id, min(position) AS position FROM fact GROUP BY id), :end
        """.replace(":end", _END),
    ),
    on(
        PostDeleted,
        "a post takes its boosts along",
        "position bigint, id bigint",
        _deletion,
        """
        WITH ended AS (
            SELECT b.id, min(f.position) AS position FROM fact f JOIN (
                SELECT id, reblog_of FROM statuses WHERE reblog_of = ANY (ARRAY(SELECT id FROM fact))) b
            ON b.reblog_of = f.id GROUP BY b.id
        ), :end
        """.replace(":end", _END),
    ),
    on(
        AccountDeleted,
        "who is gone boosts nothing any more",
        "position bigint, account bigint",
        _departure,
        """
        WITH last AS (SELECT account, max(position) AS position FROM fact GROUP BY account),
        open AS (
            SELECT b.account, b.reblog_of, b.deleted FROM last l JOIN statuses b ON b.account = l.account
            WHERE b.reblog_of IS NOT NULL AND b.published <= l.position
        ),
        -- It may be said several times that somebody is gone: what ends a boost is the first time after it.
        gone AS (
            UPDATE statuses b SET deleted = least(b.deleted, (
                SELECT min(f.position) FROM fact f WHERE f.account = b.account AND f.position >= b.published))
            FROM last l
            WHERE b.account = l.account AND b.reblog_of IS NOT NULL AND b.published <= l.position
        ),
        fewer AS (SELECT reblog_of, count(*) AS boosts FROM open WHERE deleted IS NULL GROUP BY reblog_of),
        -- No join, for there may be many.
        one_less AS (
            UPDATE statuses p SET reblogs = p.reblogs - 1
            WHERE p.id = ANY (ARRAY(SELECT reblog_of FROM fewer WHERE boosts = 1))
        ),
        lost AS (
            UPDATE statuses p SET reblogs = p.reblogs - o.boosts FROM fewer o
            WHERE o.boosts > 1 AND p.id = o.reblog_of
                AND p.id = ANY (ARRAY(SELECT reblog_of FROM fewer WHERE boosts > 1))
        )
        UPDATE account_counts c SET statuses = c.statuses - o.boosts
        FROM (SELECT account, count(*) AS boosts FROM open WHERE deleted IS NULL GROUP BY account) o
        WHERE c.account = o.account AND c.account = ANY (ARRAY(SELECT account FROM open))
        """,
    ),
)

PROJECTION = Projection("boosts", TABLES, {}, RULES)


def reblogged_by(status: int, viewer: int | None) -> AccountListing:
    """Who boosted a status, as far as the viewer may see the boost, but for whom they have nothing to do with."""
    scan: LiteralString = """
        SELECT s.id AS entry, s.account, NULL::timestamptz AS ends_at FROM statuses s
        WHERE s.reblog_of = %(status)s::bigint AND :seen AND :averse IS NULL"""
    scan = scan.replace(":seen", MAY_SEE).replace(":averse", viewer_averse_to("s.account"))
    return AccountListing(scan, {"status": status, "viewer": viewer})
