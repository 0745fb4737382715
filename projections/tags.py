"""Hashtags: which public posts have them, as each post says now.

A row is kept of each revision; the tags of a post are those of the revision that is shown, so that an edit which takes
a tag away takes the post out of its timeline, and nothing is ever removed.
"""

from collections.abc import Iterable, Sequence
from typing import LiteralString, NamedTuple

from domain.post import PostEdited, PostPublished
from domain.text import hashtag_key
from projections.because import Because, at
from projections.fact import Fact
from projections.own import OF_STATUSES
from projections.query import Query
from projections.rule import Projection, Row, on
from projections.status_queries import Listing

MORE_MAX = 4
"""How many tags a timeline may have besides its own, of each sort (Mastodon's limit)."""
TAG_BYTES_MAX = 400
"""Longer ones are in no list: what an index holds is bounded."""
_LAST = "\U0010ffff"

TABLES = """
CREATE TABLE tagged (
    status   bigint NOT NULL,
    position bigint NOT NULL,
    n        int    NOT NULL,
    tag      text   NOT NULL,
    PRIMARY KEY (status, position, n, tag)
);
CREATE INDEX tagged_by_tag ON tagged (tag, status);

-- Each once, as it was written first. Beginnings are looked up byte by byte.
CREATE TABLE tags (
    tag  text PRIMARY KEY,
    name text NOT NULL
);
CREATE INDEX tags_beginning ON tags (tag text_pattern_ops);
"""


def _tags(event: PostPublished | PostEdited, fact: Fact, origin: str) -> Iterable[Row]:
    if isinstance(event, PostPublished) and event.visibility != "public":
        return
    for ordinal, name in enumerate(event.tags):
        tag = hashtag_key(name)
        if tag and len(tag.encode()) <= TAG_BYTES_MAX:
            yield event.post, fact.position, fact.n, ordinal, tag, name.removeprefix("#")


RULES = (
    on(
        (PostPublished, PostEdited),
        "a public post's hashtags, by revision",
        "status bigint, position bigint, n int, ordinal int, tag text, name text",
        _tags,
        """
        INSERT INTO tagged (status, position, n, tag)
        SELECT f.status, f.position, f.n, f.tag FROM fact f
        WHERE (SELECT s.visibility = 'public' FROM statuses s WHERE s.id = f.status)
        ON CONFLICT DO NOTHING
        """,
        """
        INSERT INTO tags (tag, name)
        SELECT DISTINCT ON (f.tag) f.tag, f.name FROM fact f
        WHERE (SELECT s.visibility = 'public' FROM statuses s WHERE s.id = f.status)
        ORDER BY f.tag, f.position, f.n, f.ordinal
        ON CONFLICT DO NOTHING
        """,
    ),
)

PROJECTION = Projection(
    "tags",
    TABLES,
    {"tagged": "status, position, n, tag", "tags": "tag"},
    RULES,
    {
        "tagged": at("position"),
        "tags": Because("SELECT t.position FROM tagged t WHERE t.tag = d.tag ORDER BY t.position, t.n LIMIT 1"),
    },
    own={"tagged": OF_STATUSES},
)

# The newest of each tag, so that no more is read of a popular one than is shown.
_SCAN: LiteralString = """
    SELECT t.status AS entry, t.position, t.n FROM unnest(%(any)s::text[]) AS asked(tag) CROSS JOIN LATERAL (
        SELECT * FROM tagged o
        WHERE o.tag = asked.tag AND o.status < %(below)s::bigint AND o.status > %(above)s::bigint
        ORDER BY o.status :order LIMIT :most) t"""
_CANDIDATES: LiteralString = """
    SELECT DISTINCT ON (entry) entry FROM scanned h
    WHERE (SELECT (s.revision, s.revision_n) = (h.position, h.n) FROM statuses s WHERE s.id = h.entry)
    ORDER BY entry :order"""
_AMONG: LiteralString = """
    (SELECT count(*) FROM tagged t
        WHERE t.status = s.id AND t.position = s.revision AND t.n = s.revision_n AND t.tag = ANY(:tags))"""


class Sought(NamedTuple):
    """Which posts: with `any` of these tags, with `all` and with `none` of those; each as hashtag_key gives it."""

    any: Sequence[str]
    all: Sequence[str] = ()
    none: Sequence[str] = ()
    local: bool = False
    remote: bool = False
    only_media: bool = False


def timeline(sought: Sought, viewer: int | None) -> Listing:
    """Public posts with these hashtags; unlisted ones are in no list of strangers' posts."""
    where: LiteralString = "true"
    if sought.all:
        where += " AND cardinality(%(all)s::text[]) = " + _AMONG.replace(":tags", "%(all)s::text[]")
    if sought.none:
        where += " AND 0 = " + _AMONG.replace(":tags", "%(none)s::text[]")
    if sought.local:
        where += " AND s.local"
    elif sought.remote:
        where += " AND NOT s.local"
    if sought.only_media:
        where += " AND s.has_media"
    values = {"viewer": viewer, "any": list(dict.fromkeys(sought.any))}
    more = {name: list(dict.fromkeys(tags)) for name, tags in (("all", sought.all), ("none", sought.none)) if tags}
    return Listing(_SCAN, {**values, **more}, candidates=_CANDIDATES, where=where)


class TagRow(NamedTuple):
    """A hashtag: its key, and how it was written first."""

    tag: str
    name: str


def named(tag: str) -> Query:
    """At most one TagRow."""
    return Query("SELECT tag, name FROM tags WHERE tag = %(tag)s::text", {"tag": tag})


def beginning(tag: str, limit: int, offset: int) -> Query:
    """TagRows that begin so, in their order: hence the exact one first."""
    return Query(
        """
        SELECT tag, name FROM tags WHERE tag ~>=~ %(tag)s::text AND tag ~<~ %(last)s::text
        ORDER BY tag USING ~<~ LIMIT %(limit)s::bigint OFFSET %(offset)s::bigint
        """,
        {"tag": tag, "last": tag + _LAST, "limit": limit, "offset": offset},
    )


def uses(tags: Sequence[str], above: int) -> Query:
    """Rows of (tag, day, posts, accounts): how often each was used for all to see, among posts with greater ids."""
    return Query(
        """
        SELECT t.tag, s.posted_on, count(*), count(DISTINCT s.account)
        FROM tagged t JOIN statuses s ON s.id = t.status AND (s.revision, s.revision_n) = (t.position, t.n)
        WHERE t.tag = ANY(%(tags)s::text[]) AND t.status > %(above)s::bigint AND s.deleted IS NULL
        GROUP BY t.tag, s.posted_on
        """,
        {"tags": list(tags), "above": above},
    )
