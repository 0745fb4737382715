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

_ANSWERS: LiteralString = """
    in_reply_to_uri = ANY (ARRAY(
        SELECT uri FROM statuses WHERE account = %(account)s OR id = ANY(%(statuses)s)
        UNION SELECT uri FROM app.ids WHERE id = ANY(%(statuses)s)))"""

LOOSEN: LiteralString = """
    UPDATE statuses SET counted = false, in_reply_to = NULL, in_reply_to_account = NULL
    WHERE :answers""".replace(":answers", _ANSWERS)
"""Let go of the answers to it, so that they are found again by what they answer."""

COUNT: LiteralString = """
    UPDATE statuses s SET
        favourites = (SELECT count(*) FROM favourites v WHERE v.status = s.id AND v.until IS NULL),
        reblogs = (SELECT count(*) FROM statuses b WHERE b.reblog_of = s.id AND b.deleted IS NULL)
    WHERE s.account = %(account)s AND s.reblog_of IS NULL"""
"""Its posts' counters: how many like and boost them by what stands as others' own."""

# What it has to do with, each by an index: what it did and wrote, what names it, what it boosted.
_CONCERNING: tuple[LiteralString, ...] = (
    "FROM facts f WHERE f.actor = %(account)s AND f.verdict = 'applied'",
    "FROM facts f WHERE f.object = %(account)s AND f.verdict = 'applied'",
    "FROM facts f WHERE f.object = ANY(%(statuses)s) AND f.verdict = 'applied'",
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
        AND f.kind IN ('post.published', 'post.boosted') AND f.verdict = 'applied'""",
    """
    FROM facts f
    WHERE f.actor = %(account)s AND f.verdict = 'applied'
        AND f.kind IN ('post.published', 'post.boosted', 'home.dropped', 'home.restored')""",
)

ALL: tuple[LiteralString, ...] = (*_CONCERNING, *_COMING_HOME, "FROM statuses WHERE" + _ANSWERS)
"""FROM and WHERE of every fact and answer that its own rows are worked out from; one may be in several of these."""


def _each_once(columns: LiteralString, parts: Sequence[LiteralString]) -> LiteralString:
    selects: list[LiteralString] = ["SELECT " + columns + " " + part for part in parts]
    union: LiteralString = " UNION "
    return union.join(selects) + " ORDER BY 1, 2"


def facts_concerning(columns: LiteralString) -> LiteralString:
    """Columns of all applied facts `f` that the account's own rows follow from, but for what comes into its home."""
    return _each_once(columns, _CONCERNING)


def departures(columns: LiteralString) -> LiteralString:
    """The same of the end of any of some `accounts`: it takes along what they did."""
    return _DEPARTURES.replace(":columns", columns)


def facts_coming_home(columns: LiteralString) -> LiteralString:
    """The same of what it published and boosted, and those whom it followed then; and when its home was kept."""
    return _each_once(columns, _COMING_HOME)
