"""Statuses: what was posted, what it says now and said before, what it answers.

`deleted` is a position: a deleted status stays, so that what depended on it can still be explained. `delivered` is the
position at which it came to be shown in timelines: a post that was only fetched has none.
"""

from collections.abc import Iterable
from datetime import date
from typing import LiteralString

from domain.account import AccountDeleted
from domain.post import PostDeleted, PostEdited, PostPublished
from projections.because import at
from projections.fact import Fact
from projections.own import OF_STATUSES
from projections.rendering import revision_json, status_json
from projections.rule import Projection, Row, on
from projections.touched import Kind, entities

TABLES = """
CREATE TABLE statuses (
    id                  bigint  PRIMARY KEY,
    account             bigint  NOT NULL,
    uri                 text    NOT NULL UNIQUE,
    visibility          text    NOT NULL,
    local               boolean NOT NULL,
    published           bigint  NOT NULL,
    delivered           bigint,
    deleted             bigint,
    posted_on           date    NOT NULL,
    json                text    NOT NULL,
    mentions            text    NOT NULL DEFAULT '', -- kept by projections/audience.py
    in_reply_to_uri     text,
    in_reply_to         bigint,
    in_reply_to_account bigint,
    reblog_of           bigint,
    counted             boolean NOT NULL DEFAULT false,
    replies             bigint  NOT NULL DEFAULT 0,
    favourites          bigint  NOT NULL DEFAULT 0,
    reblogs             bigint  NOT NULL DEFAULT 0,
    revision            bigint  NOT NULL,
    revision_n          int     NOT NULL,
    has_media           boolean NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX statuses_of_account ON statuses (account, id);
CREATE INDEX statuses_with_media_of_account ON statuses (account, id) WHERE has_media;
CREATE INDEX statuses_awaiting_parent ON statuses (in_reply_to_uri, id) WHERE in_reply_to_uri IS NOT NULL;

CREATE TABLE status_revisions (
    status   bigint NOT NULL,
    position bigint NOT NULL,
    n        int    NOT NULL,
    json     text   NOT NULL,
    text     text,
    spoiler_text text NOT NULL,
    PRIMARY KEY (status, position, n)
);
"""

_STATUS = (
    "position bigint, n int, id bigint, account bigint, uri text, visibility text, local boolean, posted_on date, "
    "json text, in_reply_to_uri text, has_media boolean, delivered boolean"
)
_REVISION = "position bigint, n int, status bigint, json text, text text, spoiler_text text, has_media boolean"
# Whether a status counts as an answer: asked of what is there now, so it is undone where any of this ends.
_COUNTS: LiteralString = """
    s.deleted IS NULL AND s.visibility IN ('public', 'unlisted')
    AND (SELECT a.deleted FROM accounts a WHERE a.id = s.account) IS NULL"""
# Whether what it answers has not been found yet, which gives an account, deleted or not.
_ORPHAN: LiteralString = "s.in_reply_to_uri IS NOT NULL AND s.in_reply_to_account IS NULL"
_GONE: LiteralString = """
    ARRAY(SELECT a.id FROM accounts a WHERE a.id = ANY (ARRAY(SELECT account FROM fact)) AND a.deleted IS NOT NULL)"""


def _status(event: PostPublished, fact: Fact, origin: str) -> Iterable[Row]:
    local = fact.because is None
    posted_on: date = event.published_at.date()
    head = fact.position, fact.n, event.post, event.author, event.uri, event.visibility, local, posted_on
    yield *head, status_json(event), event.in_reply_to_uri, bool(event.attachments), fact.delivered


def _place_in_thread(event: PostPublished, fact: Fact, origin: str) -> Iterable[Row]:
    yield event.post, event.uri, event.in_reply_to_uri


def _delivery(event: PostPublished, fact: Fact, origin: str) -> Iterable[Row]:
    if fact.again and fact.delivered:
        yield fact.position, event.post


def _revision(event: PostPublished | PostEdited, fact: Fact, origin: str) -> Iterable[Row]:
    if fact.again:
        return
    rendered = revision_json(event, origin)
    yield fact.position, fact.n, event.post, rendered, event.text, event.spoiler_text, bool(event.attachments)


def _departure(event: AccountDeleted, fact: Fact, origin: str) -> Iterable[Row]:
    yield (event.account,)


def _deletion(event: PostDeleted, fact: Fact, origin: str) -> Iterable[Row]:
    yield fact.position, event.post


RULES = (
    on(
        PostPublished,
        "a status is there, and its author's counters say so, and those of what it answers if that was there before",
        _STATUS,
        _status,
        """
        WITH added AS (
            INSERT INTO statuses (id, account, uri, visibility, local, published, delivered, posted_on, json,
                in_reply_to_uri, in_reply_to, in_reply_to_account, counted, revision, revision_n, has_media)
            SELECT s.id, s.account, s.uri, s.visibility, s.local, s.position,
                CASE WHEN s.delivered THEN s.position END, s.posted_on, s.json, s.in_reply_to_uri,
                CASE WHEN p.deleted IS NULL THEN p.id END, p.account, p.id IS NOT NULL AND :counts,
                s.position, s.n, s.has_media
            FROM (SELECT *, NULL::bigint AS deleted FROM fact) s LEFT JOIN LATERAL (
                SELECT o.id, o.account, o.deleted FROM statuses o
                WHERE o.uri = s.in_reply_to_uri AND o.reblog_of IS NULL LIMIT 1) p ON true
            ON CONFLICT DO NOTHING
            RETURNING account, posted_on, visibility, in_reply_to_uri, in_reply_to_account, counted
        ),
        posted AS (
            INSERT INTO account_counts (account, statuses, last_status_at)
            SELECT account, count(*), max(posted_on) FROM added WHERE visibility <> 'direct' GROUP BY account
            ON CONFLICT (account) DO UPDATE SET statuses = account_counts.statuses + excluded.statuses,
                last_status_at = greatest(account_counts.last_status_at, excluded.last_status_at)
        ),
        answered AS (
            UPDATE statuses p SET replies = p.replies + a.answers
            FROM (SELECT in_reply_to_uri, count(*) AS answers FROM added WHERE counted GROUP BY in_reply_to_uri) a
            WHERE p.uri = a.in_reply_to_uri AND p.reblog_of IS NULL
        )
        -- Whoever may see an answer that does not count sees it in the thread of what it answers.
        SELECT :touched FROM added a CROSS JOIN LATERAL (
            SELECT s.id FROM statuses s WHERE s.uri = a.in_reply_to_uri AND s.reblog_of IS NULL LIMIT 1) p
        WHERE a.in_reply_to_account IS NOT NULL
        """.replace(":counts", _COUNTS).replace(":touched", entities((Kind.STATUS, "p.id"))),
    ),
    on(
        PostPublished,
        "what was only fetched is delivered after all",
        "position bigint, id bigint",
        _delivery,
        """
        WITH first AS (SELECT id, min(position) AS position FROM fact GROUP BY id)
        UPDATE statuses s SET delivered = f.position FROM first f WHERE s.id = f.id AND s.delivered IS NULL
        """,
    ),
    on(
        (PostPublished, PostEdited),
        "what it says is kept as revisions",
        _REVISION,
        _revision,
        """
        INSERT INTO status_revisions (status, position, n, json, text, spoiler_text)
        SELECT status, position, n, json, text, spoiler_text FROM fact ON CONFLICT DO NOTHING
        """,
    ),
    on(
        PostEdited,
        "the last revision is the one that is shown",
        _REVISION,
        _revision,
        """
        WITH last AS (SELECT DISTINCT ON (status) * FROM fact ORDER BY status, position DESC, n DESC)
        UPDATE statuses s SET revision = l.position, revision_n = l.n, has_media = l.has_media
        FROM last l WHERE s.id = l.status AND (l.position, l.n) > (s.revision, s.revision_n)
        """,
    ),
    on(
        PostDeleted,
        "it is gone, and so it no longer counts for its author or as an answer",
        "position bigint, id bigint",
        _deletion,
        """
        WITH first AS (SELECT id, min(position) AS position FROM fact GROUP BY id),
        gone AS (
            UPDATE statuses s SET deleted = f.position FROM first f
            WHERE s.id = f.id AND s.deleted IS NULL
            RETURNING s.account, s.visibility
        )
        UPDATE account_counts c SET statuses = c.statuses - g.posts
        FROM (SELECT account, count(*) AS posts FROM gone WHERE visibility <> 'direct' GROUP BY account) g
        WHERE c.account = g.account
        """,
        """
        UPDATE statuses s SET in_reply_to = NULL FROM fact f, statuses parent
        WHERE parent.id = f.id AND s.in_reply_to_uri = parent.uri AND s.in_reply_to = parent.id
        RETURNING :touched
        """.replace(":touched", entities((Kind.STATUS, "s.id"))),
        # A row is updated once a statement, and an answer may be a parent too: hence first the sums, then the marks.
        """
        UPDATE statuses p SET replies = p.replies - u.answers
        FROM (
            SELECT s.in_reply_to_uri, count(*) AS answers FROM statuses s
            WHERE s.counted AND s.id IN (SELECT id FROM fact) GROUP BY s.in_reply_to_uri) u
        WHERE p.uri = u.in_reply_to_uri
        RETURNING :touched
        """.replace(":touched", entities((Kind.STATUS, "p.id"))),
        "UPDATE statuses s SET counted = false FROM fact f WHERE s.id = f.id AND s.counted",
    ),
    on(
        AccountDeleted,
        "what somebody who is gone wrote no longer counts as an answer",
        "account bigint",
        _departure,
        """
        WITH fewer AS (
            SELECT s.in_reply_to_uri AS uri, count(*) AS answers FROM statuses s
            WHERE s.counted AND s.account = ANY (:gone) GROUP BY s.in_reply_to_uri
        ),
        -- No join, for there may be many.
        one_less AS (
            UPDATE statuses p SET replies = p.replies - 1
            WHERE p.uri = ANY (ARRAY(SELECT uri FROM fewer WHERE answers = 1))
        )
        UPDATE statuses p SET replies = p.replies - u.answers FROM fewer u
        WHERE u.answers > 1 AND p.uri = u.uri AND p.uri = ANY (ARRAY(SELECT uri FROM fewer WHERE answers > 1))
        """.replace(":gone", _GONE),
        "UPDATE statuses s SET counted = false WHERE s.counted AND s.account = ANY (:gone)".replace(":gone", _GONE),
    ),
    on(
        PostPublished,
        "an answer finds its parent, whichever of them came first",
        "id bigint, uri text, in_reply_to_uri text",
        _place_in_thread,
        # Looked up by arrays: a fresh table has no statistics, and joins would be planned as scans of all of it.
        """
        WITH child AS (
            SELECT id, in_reply_to_uri FROM statuses s
            WHERE :orphan AND id = ANY (ARRAY(SELECT id FROM fact WHERE in_reply_to_uri IS NOT NULL)) AND :counts
            UNION SELECT id, in_reply_to_uri FROM statuses s
            WHERE :orphan AND in_reply_to_uri = ANY (ARRAY(SELECT uri FROM fact)) AND :counts
        )
        UPDATE statuses p SET replies = p.replies + c.answers
        FROM (SELECT in_reply_to_uri, count(*) AS answers FROM child GROUP BY in_reply_to_uri) c
        WHERE p.uri = c.in_reply_to_uri AND p.reblog_of IS NULL
        """.replace(":counts", _COUNTS).replace(":orphan", _ORPHAN),
        """
        WITH child AS (
            SELECT id, in_reply_to_uri FROM statuses s
            WHERE :orphan AND id = ANY (ARRAY(SELECT id FROM fact WHERE in_reply_to_uri IS NOT NULL))
            UNION SELECT id, in_reply_to_uri FROM statuses s
            WHERE :orphan AND in_reply_to_uri = ANY (ARRAY(SELECT uri FROM fact))
        )
        UPDATE statuses s SET in_reply_to_account = p.account,
            in_reply_to = CASE WHEN p.deleted IS NULL THEN p.id END, counted = :counts
        FROM child c, statuses p
        WHERE s.id = c.id AND p.uri = c.in_reply_to_uri AND p.reblog_of IS NULL
        RETURNING :touched
        """.replace(":counts", _COUNTS)
        .replace(":orphan", _ORPHAN)
        .replace(":touched", entities((Kind.STATUS, "s.id"), (Kind.POSTS, "s.account"), (Kind.STATUS, "p.id"))),
    ),
)

_PARENT: LiteralString = """
    SELECT unnest(ARRAY[d.published, p.published, p.deleted]) FROM statuses p WHERE p.uri = d.in_reply_to_uri"""

PROJECTION = Projection(
    "statuses",
    TABLES,
    {"statuses": "id", "status_revisions": "status, position, n"},
    RULES,
    {
        "statuses": at(
            "published",
            delivered="delivered",
            deleted="deleted",
            revision="revision",
            revision_n="revision",
            has_media="revision",
            in_reply_to=_PARENT,
            in_reply_to_account=_PARENT,
            replies="SELECT r.published FROM statuses r WHERE r.in_reply_to_uri = d.uri AND r.counted",
            favourites="SELECT v.since FROM favourites v WHERE v.status = d.id AND v.until IS NULL",
            reblogs="SELECT b.published FROM statuses b WHERE b.reblog_of = d.id AND b.deleted IS NULL",
        ),
        "status_revisions": at("position"),
    },
    own={
        "statuses": "(account = %(account)s OR id = ANY(%(statuses)s))",
        "status_revisions": OF_STATUSES,
    },
)
