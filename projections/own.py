"""What is an account's own, and which facts it follows from.

A projection says of its tables which rows are somebody's own (`own`), by `account`, and by `statuses`: the ids of what
the account has written and boosted. What others did to those (likes, answers, boosts) is theirs; the account's counters
count it as it stands.
"""

from collections.abc import Sequence
from typing import LiteralString

OF_STATUSES: LiteralString = "status = ANY(%(statuses)s)"
"""Rows about what the account has written or boosted."""

STATUSES: LiteralString = """
    SELECT f.object FROM facts f
    WHERE f.actor = %(account)s AND f.kind = 'post.published' AND f.verdict = 'applied'
    UNION SELECT s.id FROM statuses s WHERE s.account = %(account)s"""
"""The ids of what the account has written, by the facts, and of all that stands as its own."""

_COUNTED: LiteralString = """
    SELECT (SELECT count(*) FROM statuses r WHERE r.in_reply_to_uri = s.uri AND r.counted),
        (SELECT count(*) FROM favourites v WHERE v.status = s.id AND v.until IS NULL),
        (SELECT count(*) FROM statuses b WHERE b.reblog_of = s.id AND b.deleted IS NULL)"""

COUNT: LiteralString = """
    UPDATE statuses s SET (replies, favourites, reblogs) = (:counted)
    WHERE s.account = %(account)s AND s.reblog_of IS NULL AND (s.replies, s.favourites, s.reblogs) <> (:counted)
    """.replace(":counted", _COUNTED)
"""Its posts' counters: how many answer, like and boost them by what stands as others' own."""

# Only ours have homes and are told of anything: their ids lack domain.ids.REMOTE_BIT.
_IS_OURS: LiteralString = "%(account)s & 32768 = 0"

# What others do to its posts and is theirs. One of ours is told of some of it, and nothing else of its own comes of it.
_TOGGLES: LiteralString = """ARRAY['post.favourited', 'post.unfavourited', 'post.boosted', 'post.unboosted',
    'post.bookmarked', 'post.unbookmarked']"""
_TELLING_IT: tuple[LiteralString, ...] = (
    """
    FROM facts f WHERE f.object = ANY(%(statuses)s) AND f.kind IN ('post.favourited', 'post.boosted')
        AND f.verdict = 'applied' AND f.actor <> %(account)s AND :ours""".replace(":ours", _IS_OURS),
)

# What it has to do with, each by an index: what it did and wrote, what names it, what it boosted.
_CONCERNING: tuple[LiteralString, ...] = (
    "FROM facts f WHERE f.actor = %(account)s AND f.verdict = 'applied'",
    "FROM facts f WHERE f.object = %(account)s AND f.verdict = 'applied'",
    "FROM facts f WHERE f.object = ANY(%(statuses)s) AND f.verdict = 'applied' AND f.kind <> ALL (" + _TOGGLES + ")",
    """
    FROM facts f WHERE f.object = ANY (ARRAY(
            SELECT x.status FROM audience x
            WHERE x.account = %(account)s AND x.mentioned IS NOT NULL AND x.account & 32768 = 0))
        AND f.kind IN ('post.published', 'post.edited') AND f.verdict = 'applied'""",
    """
    FROM facts f WHERE f.object = ANY (ARRAY(
            SELECT b.object FROM facts b
            WHERE b.actor = %(account)s AND b.kind = 'post.boosted' AND b.verdict = 'applied'))
        AND f.kind = 'post.edited' AND f.verdict = 'applied'""",
)

_DEPARTURES: LiteralString = """
    SELECT :columns FROM facts f
    WHERE f.object = ANY(%(accounts)s) AND f.kind = 'account.deleted' AND f.verdict = 'applied'"""

_COMING_HOME: tuple[LiteralString, ...] = (
    """
    FROM follows w JOIN facts f ON f.actor = w.followee
        AND f.position >= w.since AND (w.until IS NULL OR f.position < w.until)
    WHERE w.follower = %(account)s AND w.stage = 'following'
        AND f.kind IN ('post.published', 'post.boosted') AND f.verdict = 'applied' AND :ours""".replace(
        ":ours", _IS_OURS
    ),
    """
    FROM facts f
    WHERE f.actor = %(account)s AND f.verdict = 'applied'
        AND f.kind IN ('post.published', 'post.boosted', 'home.dropped', 'home.restored')
        AND :ours""".replace(":ours", _IS_OURS),
)

ALL: tuple[LiteralString, ...] = (*_CONCERNING, *_TELLING_IT, *_COMING_HOME)
"""FROM and WHERE of every fact that its own rows are worked out from; one may be in several of these."""


def _each_once(columns: LiteralString, parts: Sequence[LiteralString]) -> LiteralString:
    selects: list[LiteralString] = ["SELECT " + columns + " " + part for part in parts]
    union: LiteralString = " UNION "
    return union.join(selects) + " ORDER BY 1, 2"


def facts_concerning(columns: LiteralString) -> LiteralString:
    """Columns of all applied facts `f` that its own rows follow from, but for the two kinds that are told apart."""
    return _each_once(columns, _CONCERNING)


def facts_telling_it(columns: LiteralString) -> LiteralString:
    """The same of what others do to its posts: only notifications of its own follow from it."""
    return _each_once(columns, _TELLING_IT)


def departures(columns: LiteralString) -> LiteralString:
    """The same of the end of any of some `accounts`: it takes along what they did."""
    return _DEPARTURES.replace(":columns", columns)


def facts_coming_home(columns: LiteralString) -> LiteralString:
    """The same of what it published and boosted, and those whom it followed then; and when its home was kept."""
    return _each_once(columns, _COMING_HOME)
