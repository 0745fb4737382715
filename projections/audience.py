"""Audience: whom a status is addressed to, since when, and whom it mentions, from its first words on or by an edit.

Who was addressed once stays addressed, also when an edit names them no more; a visibility is never widened otherwise
(federation §8.7). What is shown of mentions is what the last revision names.
"""

from collections.abc import Iterable
from typing import LiteralString

from domain.post import PostEdited, PostPublished
from projections.because import at
from projections.fact import Fact
from projections.own import OF_STATUSES
from projections.rule import Projection, Row, on

TABLES = """
-- `since` is the first position that addresses the account (a delivery may name more than a fetch had), `mentioned` the
-- place (position << 20 | n) of the first fact that mentions it; `ordinal`, in the author's order, is there while the
-- last revision does.
CREATE TABLE audience (
    status    bigint  NOT NULL,
    account   bigint  NOT NULL,
    since     bigint  NOT NULL,
    mentioned bigint,
    ordinal   int,
    PRIMARY KEY (status, account)
);
-- What mentions one of ours: their ids lack domain.ids.REMOTE_BIT.
CREATE INDEX audience_mentioning ON audience (account) WHERE mentioned IS NOT NULL AND account & 32768 = 0;
"""

_NAMED = "position bigint, n int, status bigint, uri text, ordinal int"
_CURRENT: LiteralString = """
    (SELECT (s.revision, s.revision_n) = (f.position, f.n) FROM statuses s WHERE s.id = f.status)"""


def _named(event: PostPublished | PostEdited, fact: Fact, origin: str) -> Iterable[Row]:
    mentioned = list(dict.fromkeys(mention.uri for mention in event.mentions))
    addressed = event.audience if isinstance(event, PostPublished) else ()
    place = fact.position, fact.n, event.post
    # A delivery may name more whom it is for; whom it mentions was said when it was fetched.
    shown = [] if fact.again else mentioned
    for ordinal, uri in enumerate(shown):
        yield *place, uri, ordinal
    for uri in dict.fromkeys([*mentioned, *addressed]):
        if uri not in shown:
            yield *place, uri, None


def _edition(event: PostEdited, fact: Fact, origin: str) -> Iterable[Row]:
    yield fact.position, fact.n, event.post


RULES = (
    on(
        PostEdited,
        "an edit mentions whom it names, and nobody else any more",
        "position bigint, n int, status bigint",
        _edition,
        """
        UPDATE audience x SET ordinal = NULL
        WHERE x.status = ANY (ARRAY(SELECT f.status FROM fact f WHERE :current)) AND x.ordinal IS NOT NULL
        """.replace(":current", _CURRENT),
        """
        UPDATE statuses t SET mentions = ''
        WHERE t.id = ANY (ARRAY(SELECT f.status FROM fact f WHERE :current)) AND t.mentions <> ''
        """.replace(":current", _CURRENT),
    ),
    on(
        (PostPublished, PostEdited),
        "a status is addressed to the accounts that were known by then, and shows those it mentions",
        _NAMED,
        _named,
        """
        INSERT INTO audience AS x (status, account, since, mentioned, ordinal)
        SELECT f.status, a.id, min(f.position),
            min(f.position << 20 | f.n) FILTER (WHERE f.ordinal IS NOT NULL),
            min(f.ordinal) FILTER (WHERE :current)
        FROM fact f JOIN accounts a ON a.uri = f.uri AND a.since <= f.position
        GROUP BY f.status, a.id
        ON CONFLICT (status, account) DO UPDATE SET since = least(x.since, excluded.since),
            mentioned = least(x.mentioned, excluded.mentioned), ordinal = coalesce(excluded.ordinal, x.ordinal)
        """.replace(":current", _CURRENT),
        """
        UPDATE statuses t SET mentions = w.mentions
        FROM (
            SELECT x.status, string_agg(a.mention, ',' ORDER BY x.ordinal) AS mentions
            FROM audience x JOIN accounts a ON a.id = x.account
            WHERE x.status = ANY (ARRAY(SELECT status FROM fact WHERE ordinal IS NOT NULL)) AND x.ordinal IS NOT NULL
            GROUP BY x.status) w
        WHERE t.id = w.status AND t.mentions <> w.mentions
        """,
    ),
)

PROJECTION = Projection(
    "audience",
    TABLES,
    {"audience": "status, account"},
    RULES,
    {
        "audience": at(
            "since",
            mentioned="SELECT d.mentioned >> 20",
            ordinal="SELECT s.revision FROM statuses s WHERE s.id = d.status",
        )
    },
    own={"audience": OF_STATUSES},
)
