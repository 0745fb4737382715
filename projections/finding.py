"""Finding people by the beginnings of words, and anything by its URI.

The words of each profile are kept under its position, so that those of the profile of today are known by it: nothing
is taken away when a name changes.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final, LiteralString

from domain.account import AccountRegistered, ProfileChanged
from projections.because import at
from projections.fact import Fact
from projections.query import Query
from projections.rule import Projection, Row, on
from projections.visibility import may_be_met, viewer_follows

WORDS_MAX: Final = 8
WORD_MAX: Final = 64
SOUGHT_MAX: Final = 4
# How many hits of each kind are ranked.
_HITS_MAX: LiteralString = "200"
_WORD: Final = re.compile(r"\w+")
_LAST: Final = "\U0010ffff"

# Beginnings are looked up byte by byte, whatever the database takes for alphabetical.
TABLES = """
CREATE TABLE account_words (
    account  bigint NOT NULL,
    position bigint NOT NULL,
    n        int    NOT NULL,
    word     text   NOT NULL,
    PRIMARY KEY (account, position, n, word)
);
CREATE INDEX account_words_word ON account_words (word text_pattern_ops);
CREATE INDEX accounts_handle ON accounts (lower(acct) text_pattern_ops);
"""


def words_in(text: str) -> list[str]:
    """The words of a name or a question, in lower case, each once, the first eight."""
    words = (word[:WORD_MAX] for word in _WORD.findall(text.lower()))
    return list(dict.fromkeys(words))[:WORDS_MAX]


def _words(event: AccountRegistered | ProfileChanged, fact: Fact, origin: str) -> Iterable[Row]:
    for word in words_in(event.profile.display_name):
        yield event.account, fact.position, fact.n, word


RULES = (
    on(
        (AccountRegistered, ProfileChanged),
        "the words of a display name",
        "account bigint, position bigint, n int, word text",
        _words,
        "INSERT INTO account_words (account, position, n, word) SELECT * FROM fact ON CONFLICT DO NOTHING",
    ),
)

PROJECTION = Projection(
    "finding",
    TABLES,
    {"account_words": "account, position, n, word"},
    RULES,
    {"account_words": at("position")},
    own={"account_words": "account = %(account)s"},
)

# Every word that is sought begins a word of the profile of today.
_BY_NAME: LiteralString = """
    SELECT c.id FROM account_words w JOIN accounts c ON (c.id, c.position, c.n) = (w.account, w.position, w.n)
    WHERE w.word ~>=~ (%(words)s::text[])[1] AND w.word ~<~ (%(lasts)s::text[])[1] AND NOT EXISTS (
        SELECT FROM unnest(%(words)s::text[], %(lasts)s::text[]) AS q(word, last) WHERE NOT EXISTS (
            SELECT FROM account_words o WHERE (o.account, o.position, o.n) = (w.account, w.position, w.n)
                AND o.word ~>=~ q.word AND o.word ~<~ q.last))
    LIMIT :most"""
_BY_HANDLE: LiteralString = """
    SELECT c.id FROM accounts c WHERE lower(c.acct) ~>=~ %(handle)s::text AND lower(c.acct) ~<~ %(handle_last)s::text
    ORDER BY lower(c.acct) USING ~<~ LIMIT :most"""
_PEOPLE: LiteralString = """
    WITH hit AS ((:handle) UNION (:name))
    SELECT h.id FROM hit h JOIN accounts c ON c.id = h.id JOIN account_counts k ON k.account = h.id
    WHERE :met AND (NOT %(following)s::boolean OR :followed)
    ORDER BY (lower(c.acct) = %(handle)s::text) DESC, coalesce(:followed, false) DESC, k.followers DESC, h.id
    LIMIT %(limit)s::bigint OFFSET %(offset)s::bigint"""


def people(sought: str, handle: str, viewer: int | None, *, following: bool, limit: int, offset: int) -> Query:
    """Ids of accounts whose handle begins with `handle` or in whose name every word of `sought` begins a word.

    The exact handle first, then whom the viewer follows, then whom most follow; `following` leaves only the followed.
    """
    words = words_in(sought)[:SOUGHT_MAX]
    sql = _PEOPLE.replace(":handle", _BY_HANDLE).replace(":name", _BY_NAME).replace(":most", _HITS_MAX)
    sql = sql.replace(":met", may_be_met("h.id")).replace(":followed", viewer_follows("h.id"))
    values = {
        "words": words,
        "lasts": [word + _LAST for word in words],
        "handle": handle.lower(),
        "handle_last": handle.lower() + _LAST,
        "viewer": viewer,
        "following": following,
        "limit": limit,
        "offset": offset,
    }
    return Query(sql, values)


def called(handle: str, viewer: int | None) -> Query:
    """One row, at most: the id of the account with exactly this handle, in any case; the earliest known of several."""
    sql: LiteralString = """
        SELECT c.id FROM accounts c WHERE lower(c.acct) = lower(%(handle)s::text) AND :met ORDER BY c.id LIMIT 1"""
    return Query(sql.replace(":met", may_be_met("c.id")), {"handle": handle, "viewer": viewer})


def named_by(uris: Sequence[str], viewer: int | None) -> Query:
    """Rows of ("account" or "status", id) of what has one of these URIs; statuses are not looked at any further."""
    sql: LiteralString = """
        SELECT 'account', c.id FROM accounts c WHERE c.uri = ANY(%(uris)s::text[]) AND :met
        UNION ALL SELECT 'status', s.id FROM statuses s WHERE s.uri = ANY(%(uris)s::text[])"""
    return Query(sql.replace(":met", may_be_met("c.id")), {"uris": list(uris), "viewer": viewer})
