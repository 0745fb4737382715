"""Home: what came into whose home timeline, and why.

A post adds its entry to each home it may show in, once per cause; what is seen is decided when it is read, against
today's follows, so unfollowing and following again act on the past at once.
"""

from collections.abc import Iterable
from typing import LiteralString

from domain.post import PostPublished
from projections.because import at
from projections.fact import Fact
from projections.home_turns import home_kept
from projections.rule import Projection, Row, on
from projections.status_queries import Listing
from projections.visibility import may_be_met, viewer_averse_to, viewer_follows

TABLES = """
-- `via` says how it came ('self': one's own; 'follow': by following `cause`; 'boost': boosted by `cause`),
-- `position` when.
CREATE TABLE home (
    owner    bigint NOT NULL,
    entry    bigint NOT NULL,
    cause    bigint NOT NULL,
    position bigint NOT NULL,
    via      text   NOT NULL,
    PRIMARY KEY (owner, entry, via, cause)
);
"""

# Only ours have homes: their ids lack domain.ids.REMOTE_BIT.
LOCAL_FOLLOWER: LiteralString = "f.follower & 32768 = 0"


def _entry(event: PostPublished, fact: Fact, origin: str) -> Iterable[Row]:
    if fact.delivered:
        yield fact.position, event.post, event.author, event.visibility == "direct", fact.because is None


RULES = (
    on(
        PostPublished,
        "a post comes into its local author's home and into those of whoever followed then, as far as they are kept",
        "position bigint, id bigint, author bigint, direct boolean, local boolean",
        _entry,
        """
        INSERT INTO home (owner, entry, via, cause, position)
        SELECT author, id, 'self', author, position FROM fact e WHERE local AND :own_kept
        ON CONFLICT DO NOTHING
        """.replace(":own_kept", home_kept("e.author", "e.position")),
        # A delivery comes once, so there is nothing of it in any home: to look first would double what an entry costs.
        """
        INSERT INTO home (owner, entry, via, cause, position)
        SELECT f.follower, e.id, 'follow', e.author, e.position
        FROM fact e CROSS JOIN LATERAL (
            SELECT f.follower FROM follows f WHERE f.followee = e.author AND f.stage = 'following'
                AND f.since <= e.position AND (f.until IS NULL OR f.until > e.position) AND :local_follower OFFSET 0) f
        WHERE :kept AND (NOT e.direct OR EXISTS (SELECT FROM audience a
                WHERE a.status = e.id AND a.account = f.follower AND a.since <= e.position))
        """.replace(":local_follower", LOCAL_FOLLOWER).replace(":kept", home_kept("f.follower", "e.position")),
    ),
)

PROJECTION = Projection(
    "home",
    TABLES,
    {"home": "owner, entry, via, cause"},
    RULES,
    {"home": at("position")},
    own={"home": "owner = %(account)s"},
)


# What one boost or post of the home has to be for a later boost of the same post to be folded into it.
_HOLDS: LiteralString = """(h.via = 'self' OR (:followed AND (h.via <> 'boost' OR (
    SELECT w.reblogs FROM follow_wishes w
    WHERE w.follower = %(viewer)s::bigint AND w.followee = h.cause) IS NOT FALSE)))""".replace(
    ":followed", viewer_follows("h.cause")
)
_IS_IN_HOME: LiteralString = """
    (SELECT true FROM home h WHERE h.owner = %(viewer)s::bigint AND h.entry = :status AND :holds LIMIT 1)
    """.replace(":holds", _HOLDS)
_ANSWERS_NO_STRANGER: LiteralString = """(
    :s.in_reply_to_uri IS NULL OR :s.account = %(viewer)s::bigint
    OR :s.in_reply_to_account IN (:s.account, %(viewer)s::bigint)
    OR :followed)""".replace(":followed", viewer_follows(":s.in_reply_to_account"))

# Ids are times: their first 48 bits count milliseconds. Of a post that everybody boosts no more is looked through.
_FOLDED_WITHIN: LiteralString = "(12 * 3600 * 1000::bigint << 16)"
_LOOKED_BACK_MAX: LiteralString = "40"
_BEFORE: LiteralString = """
    ((SELECT true FROM statuses p WHERE p.id = s.reblog_of AND p.id < s.id AND p.id > s.id - :span
        AND :p_in_home AND :p_shows)
    OR (SELECT true FROM (
            SELECT o.id, o.account FROM statuses o
            WHERE o.reblog_of = s.reblog_of AND o.id < s.id AND o.id > s.id - :span AND o.deleted IS NULL
            ORDER BY o.id DESC LIMIT :most) other
        WHERE :other_in_home AND :other_met AND :other_averse IS NULL LIMIT 1))"""
# True when a boost is not the first that shows of its post; what comes before it decides, so pages agree on it.
_SHOWN_BEFORE: LiteralString = (
    _BEFORE.replace(":p_in_home", _IS_IN_HOME.replace(":status", "p.id"))
    .replace(":p_shows", _ANSWERS_NO_STRANGER.replace(":s", "p"))
    .replace(":other_in_home", _IS_IN_HOME.replace(":status", "other.id"))
    .replace(":other_met", may_be_met("other.account"))
    .replace(":other_averse", viewer_averse_to("other.account"))
    .replace(":span", _FOLDED_WITHIN)
    .replace(":most", _LOOKED_BACK_MAX)
)


def home_of(owner: int) -> Listing:
    """What shows in somebody's home today: an entry with a cause that holds, unless it answers a stranger.

    Answers show when they are the owner's, or go to the owner, to their own author, or to someone the owner follows
    now (Mastodon: the home feed's filter of replies). Boosts show unless the owner wants none of the booster's, or the
    home shows the same post, or an earlier boost of it, from the twelve hours before (Mastodon: from the 40 entries).
    """
    return Listing(
        scan="""
            SELECT entry, via, cause FROM home
            WHERE owner = %(viewer)s::bigint AND entry < %(below)s::bigint AND entry > %(above)s::bigint""",
        values={"viewer": owner},
        candidates="""
            SELECT DISTINCT ON (entry) entry FROM scanned h WHERE :holds
            ORDER BY entry :order""".replace(":holds", _HOLDS),
        where="(s.reblog_of IS NULL OR :shown_before IS NOT TRUE) AND :answers_no_stranger".replace(
            ":shown_before", _SHOWN_BEFORE
        ).replace(":answers_no_stranger", _ANSWERS_NO_STRANGER.replace(":s", "s")),
    )
