"""Documents: the words of posts, for finding them by what they say now.

Only posts that many could find have one: those written here, those addressed to somebody here, and public ones whose
author wanted them found when they were said (FEP-5feb). What a person then finds is decided as it is read: their own,
what mentions them, what they like, keep or passed on, and what is public by an author who wants it found today, here
as elsewhere. What one person likes, keeps or passed on without any document, nobody else finds; the latest of it is
read through when they ask, rather than every post from everywhere be prepared for that.
"""

from collections.abc import Iterable, Sequence
from typing import Any, LiteralString

import msgspec

from domain.post import PostEdited, PostPublished
from domain.words import text_of_html, words_of
from projections.because import at
from projections.fact import Fact
from projections.own import OF_STATUSES
from projections.query import Query
from projections.rule import Projection, Row, on
from projections.toggles import CURSOR
from projections.visibility import SHOWN

SOUGHT_MAX = 8
"""How many words of a question count."""
# How many posts with the words are looked at, the newest first.
_HITS_MAX: LiteralString = "1000"
# How many likes, bookmarks and boosts are read through, the latest of them all.
_KEPT_MAX: LiteralString = "200"
KEPT_MAX = int(_KEPT_MAX)

TABLES = """
CREATE TABLE documents (
    status   bigint   PRIMARY KEY,
    position bigint   NOT NULL,
    n        int      NOT NULL,
    document tsvector NOT NULL
);
CREATE INDEX documents_words ON documents USING gin (document);
"""

# A whole account's JSON says it once: within a text its quotation marks would be escaped.
_INDEXABLE: LiteralString = """strpos(:profile, '"indexable":true') > 0"""
# As of the post's position, like all else here: whom it is addressed to here is said by the post itself.
_FINDABLE: LiteralString = """
    (f.certain OR (SELECT :indexable FROM account_revisions r
        WHERE r.account = f.author AND r.position <= f.position ORDER BY r.position DESC, r.n DESC LIMIT 1))
    """.replace(":indexable", _INDEXABLE.replace(":profile", "r.profile"))


def _published(event: PostPublished, fact: Fact, origin: str) -> Iterable[Row]:
    """Those that are surely found, and public ones, whose author has to be asked; the rest is for nobody here."""
    certain = fact.because is None or any(uri.startswith(origin) for uri in event.audience)
    if certain or event.visibility == "public":
        for position, n, post, words in _words(event, fact, origin):
            yield position, n, post, event.author, certain, words


def _words(event: PostPublished | PostEdited, fact: Fact, origin: str) -> Iterable[Row]:
    text = event.text if event.html is None else text_of_html(event.html)
    said = [event.spoiler_text, text or "", *(one.description or "" for one in event.attachments)]
    yield fact.position, fact.n, event.post, " ".join(words_of("\n".join(said)))


RULES = (
    on(
        PostPublished,
        "a post that could be found is found by its words, as it was first published to somebody who could",
        "position bigint, n int, status bigint, author bigint, certain boolean, words text",
        _published,
        """
        INSERT INTO documents (status, position, n, document)
        SELECT DISTINCT ON (f.status) f.status, f.position, f.n,
            array_to_tsvector(array_remove(string_to_array(f.words, ' '), ''))
        FROM fact f WHERE :findable ORDER BY f.status, f.position, f.n
        ON CONFLICT DO NOTHING
        """.replace(":findable", _FINDABLE),
    ),
    on(
        PostEdited,
        "an edit counts for every post that has been found",
        "position bigint, n int, status bigint, words text",
        _words,
        """
        WITH last AS (SELECT DISTINCT ON (status) * FROM fact ORDER BY status, position DESC, n DESC)
        UPDATE documents d SET position = l.position, n = l.n,
            document = array_to_tsvector(array_remove(string_to_array(l.words, ' '), ''))
        FROM last l WHERE d.status = l.status AND (l.position, l.n) > (d.position, d.n)
            AND d.status = ANY (ARRAY(SELECT status FROM fact))
        """,
    ),
)

PROJECTION = Projection(
    "documents",
    TABLES,
    {"documents": "status"},
    RULES,
    {"documents": at("position")},
    own={"documents": OF_STATUSES},
)

_FOUND: LiteralString = """
    WITH hit AS (
        SELECT status FROM documents WHERE document @@ %(words)s::tsquery ORDER BY status DESC LIMIT :most)
    SELECT s.id FROM hit h JOIN statuses s ON s.id = h.status
    WHERE :shown AND (
        s.account = %(viewer)s::bigint
        OR (s.visibility = 'public' AND (SELECT :indexable FROM accounts i WHERE i.id = s.account))
        OR EXISTS (SELECT FROM audience x
            WHERE x.status = s.id AND x.account = %(viewer)s::bigint)
        OR EXISTS (SELECT FROM favourites v WHERE v.account = %(viewer)s::bigint AND v.status = s.id
            AND v.until IS NULL AND v.account & 32768 = 0)
        OR EXISTS (SELECT FROM bookmarks v
            WHERE v.account = %(viewer)s::bigint AND v.status = s.id AND v.until IS NULL)
        OR EXISTS (SELECT FROM statuses v WHERE v.account = %(viewer)s::bigint AND v.reblog_of = s.id
            AND v.deleted IS NULL AND v.local))
    ORDER BY s.id DESC LIMIT %(limit)s::bigint"""


# What the viewer had to do with last, and nobody else finds.
_KEPT: LiteralString = """
    WITH kept AS (
        (SELECT v.status, :cursor AS done FROM favourites v WHERE v.account = %(viewer)s::bigint AND v.until IS NULL
            AND v.account & 32768 = 0 ORDER BY :cursor DESC LIMIT :most)
        UNION ALL
        (SELECT v.status, :cursor FROM bookmarks v WHERE v.account = %(viewer)s::bigint AND v.until IS NULL
            ORDER BY :cursor DESC LIMIT :most)
        UNION ALL
        (SELECT v.reblog_of, v.published << 20 FROM statuses v WHERE v.account = %(viewer)s::bigint
            AND v.reblog_of IS NOT NULL AND v.deleted IS NULL AND v.local ORDER BY v.id DESC LIMIT :most)),
    last AS (
        SELECT status, max(done) AS done FROM kept k
        WHERE NOT EXISTS (SELECT FROM documents d WHERE d.status = k.status)
        GROUP BY status ORDER BY max(done) DESC LIMIT :most)
    SELECT s.id, r.json FROM last l JOIN statuses s ON s.id = l.status AND s.deleted IS NULL
        JOIN status_revisions r ON r.status = s.id AND r.position = s.revision AND r.n = s.revision_n"""


def sought_words(sought: str) -> list[str]:
    """The words of a question, as many as count."""
    return words_of(sought)[:SOUGHT_MAX]


def kept_by(viewer: int) -> Query:
    """Rows of (status, inside of what it says now): what the viewer likes, keeps or passed on without a document.

    The latest of it, KEPT_MAX rows at most. Reading them through takes so long that it is for a thread (`saying`).
    """
    return Query(_KEPT.replace(":cursor", CURSOR).replace(":most", _KEPT_MAX), {"viewer": viewer})


def saying(rows: Iterable[tuple[int, str]], words: Sequence[str]) -> set[int]:
    """Those of the rows of `kept_by` that say all of these words."""
    return {status for status, revision in rows if _says(revision, words)}


def _says(revision: str, words: Sequence[str]) -> bool:
    """Whether the inside of a revision (rendering.revision_json) says all of these words."""
    said: dict[str, Any] = msgspec.json.decode(f"{{{revision}}}")
    described = [one["description"] or "" for one in said["media_attachments"]]
    return set(words) <= set(words_of("\n".join([said["spoiler_text"], text_of_html(said["content"]), *described])))


def statuses_saying(words: Sequence[str], viewer: int, limit: int) -> Query:
    """Ids of statuses that say all of these words and that the viewer may find, the newest first."""
    sql = _FOUND.replace(":most", _HITS_MAX).replace(":shown", SHOWN)
    sql = sql.replace(":indexable", _INDEXABLE.replace(":profile", "i.profile"))
    # Words are letters and digits, so that nothing in them has to be escaped.
    asked = " & ".join(f"'{word}'" for word in words)
    return Query(sql, {"words": asked, "viewer": viewer, "limit": limit})
