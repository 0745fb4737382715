"""Accounts: who there is, what they say of themselves now and said before, and how many follow them.

`deleted` is the position at which an account went for good; `moved_to` the account it names as its next;
`also_known_as` a JSON list of the URIs of its others, as it says itself.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import LiteralString, NamedTuple

import msgspec

from domain.account import AccountDeleted, AccountMoved, AccountRegistered, Profile, ProfileChanged
from projections.because import Because, at
from projections.fact import Fact
from projections.query import Query
from projections.rendering import acct_of, identity_json, mention_json, profile_json
from projections.rule import Projection, Row, on

TABLES = """
CREATE TABLE accounts (
    id         bigint PRIMARY KEY,
    uri        text   NOT NULL UNIQUE,
    username   text   NOT NULL,
    domain     text,
    acct       text   NOT NULL,
    url        text   NOT NULL,
    since      bigint NOT NULL,
    identity   text   NOT NULL,
    mention    text   NOT NULL,
    profile    text   NOT NULL,
    locked     boolean NOT NULL,
    position   bigint NOT NULL,
    n          int    NOT NULL,
    deleted    bigint,
    moved_to   bigint,
    moved      bigint,
    also_known_as text NOT NULL
);
CREATE INDEX accounts_acct ON accounts (lower(acct));

CREATE TABLE account_revisions (
    account  bigint NOT NULL,
    position bigint NOT NULL,
    n        int    NOT NULL,
    profile  text   NOT NULL,
    note     text   NOT NULL,
    locked   boolean NOT NULL,
    PRIMARY KEY (account, position, n)
);

CREATE TABLE account_counts (
    account        bigint PRIMARY KEY,
    followers      bigint NOT NULL DEFAULT 0,
    following      bigint NOT NULL DEFAULT 0,
    statuses       bigint NOT NULL DEFAULT 0,
    last_status_at date
);
"""

_ACCOUNT = (
    "position bigint, n int, id bigint, uri text, username text, domain text, acct text, url text, identity text, "
    "mention text, profile text, locked boolean, also_known_as text"
)
_PROFILE = "position bigint, n int, account bigint, profile text, note text, locked boolean, also_known_as text"


def _account(event: AccountRegistered, fact: Fact, origin: str) -> Iterable[Row]:
    yield (
        fact.position,
        fact.n,
        event.account,
        event.uri,
        event.username,
        event.domain,
        acct_of(event.username, event.domain),
        event.url,
        identity_json(event),
        mention_json(event),
        profile_json(event.profile, event.actor_type, origin),
        event.profile.locked,
        _aliases(event.profile),
    )


def _profile(event: AccountRegistered | ProfileChanged, fact: Fact, origin: str) -> Iterable[Row]:
    profile = event.profile
    rendered = profile_json(profile, event.actor_type, origin)
    yield fact.position, fact.n, event.account, rendered, profile.note, profile.locked, _aliases(profile)


def _aliases(profile: Profile) -> str:
    return msgspec.json.encode(profile.also_known_as).decode()


def _move(event: AccountMoved, fact: Fact, origin: str) -> Iterable[Row]:
    yield fact.position, event.account, event.target


def _deletion(event: AccountDeleted, fact: Fact, origin: str) -> Iterable[Row]:
    yield fact.position, event.account


RULES = (
    on(
        AccountRegistered,
        "an account is there",
        _ACCOUNT,
        _account,
        """
        INSERT INTO accounts (
            id, uri, username, domain, acct, url, since, identity, mention, profile, locked, also_known_as, position, n)
        SELECT id, uri, username, domain, acct, url, position, identity, mention, profile, locked, also_known_as,
            position, n
        FROM fact ON CONFLICT DO NOTHING
        """,
        "INSERT INTO account_counts (account) SELECT id FROM fact ON CONFLICT DO NOTHING",
    ),
    on(
        (AccountRegistered, ProfileChanged),
        "a profile is kept as revisions, the last of which counts",
        _PROFILE,
        _profile,
        """
        INSERT INTO account_revisions (account, position, n, profile, note, locked)
        SELECT account, position, n, profile, note, locked FROM fact ON CONFLICT DO NOTHING
        """,
        """
        WITH last AS (SELECT DISTINCT ON (account) * FROM fact ORDER BY account, position DESC, n DESC)
        UPDATE accounts a SET profile = l.profile, locked = l.locked, also_known_as = l.also_known_as,
            position = l.position, n = l.n
        FROM last l WHERE a.id = l.account AND (l.position, l.n) > (a.position, a.n)
        """,
    ),
    on(
        AccountMoved,
        "an account has moved to where it said last",
        "position bigint, account bigint, target bigint",
        _move,
        """
        WITH last AS (
            SELECT DISTINCT ON (f.account) f.* FROM fact f JOIN accounts a ON a.id = f.account AND a.since <= f.position
            ORDER BY f.account, f.position DESC, f.target
        )
        UPDATE accounts a SET moved_to = l.target, moved = l.position FROM last l
        WHERE a.id = l.account AND (a.moved IS NULL OR l.position > a.moved)
        """,
    ),
    on(
        AccountDeleted,
        "an account is gone from the first time that this was said",
        "position bigint, account bigint",
        _deletion,
        """
        WITH first AS (
            SELECT f.account, min(f.position) AS position
            FROM fact f JOIN accounts a ON a.id = f.account AND a.since <= f.position GROUP BY f.account
        )
        UPDATE accounts a SET deleted = f.position FROM first f WHERE a.id = f.account AND a.deleted IS NULL
        """,
    ),
)

_FOLLOWS: LiteralString = (
    "SELECT f.since FROM follows f WHERE f.:side = d.account AND f.stage = 'following' AND f.until IS NULL"
)
_WRITTEN: LiteralString = "SELECT s.published FROM statuses s WHERE s.account = d.account"

PROJECTION = Projection(
    "accounts",
    TABLES,
    {"accounts": "id", "account_revisions": "account, position, n", "account_counts": "account"},
    RULES,
    {
        "accounts": at(
            "since",
            profile="position",
            locked="position",
            also_known_as="position",
            position="position",
            n="position",
            deleted="deleted",
            moved_to="moved",
            moved="moved",
        ),
        "account_revisions": at("position"),
        "account_counts": Because(
            "SELECT a.since FROM accounts a WHERE a.id = d.account",
            {
                "followers": _FOLLOWS.replace(":side", "followee"),
                "following": _FOLLOWS.replace(":side", "follower"),
                "statuses": _WRITTEN + " AND s.deleted IS NULL AND s.visibility <> 'direct'",
                "last_status_at": _WRITTEN,
            },
        ),
    },
    own={
        "accounts": "id = %(account)s",
        "account_revisions": "account = %(account)s",
        "account_counts": "account = %(account)s",
    },
)


class AccountRow(NamedTuple):
    """An account as stored: ids, the insides of its JSON, what is counted, and what deciding about it needs."""

    id: int
    uri: str
    username: str
    domain: str | None
    url: str
    identity: str
    mention: str
    profile: str
    locked: bool
    followers: int
    following: int
    statuses: int
    last_status_at: date | None
    moved_to: int | None = None


COLUMNS: LiteralString = """
    a.id, a.uri, a.username, a.domain, a.url, a.identity, a.mention, a.profile, a.locked,
    k.followers, k.following, k.statuses, k.last_status_at, a.moved_to"""
"""An AccountRow of `accounts a` and `account_counts k`."""

# Those who are gone are not there for anybody.
_SELECT: LiteralString = (
    "SELECT" + COLUMNS + " FROM accounts a JOIN account_counts k ON k.account = a.id AND a.deleted IS NULL "
)


def account(number: int) -> Query:
    """The AccountRow of one account."""
    return Query(_SELECT + "WHERE a.id = %(id)s::bigint", {"id": number})


def several(numbers: Sequence[int]) -> Query:
    """AccountRows of those of these that are there, in no order."""
    return Query(_SELECT + "WHERE a.id = ANY(%(ids)s::bigint[])", {"ids": list(numbers)})


def account_named(acct: str) -> Query:
    """The AccountRow of a handle, in any case: "bob" here, "bob@host.example" elsewhere."""
    return Query(_SELECT + "WHERE lower(a.acct) = lower(%(acct)s::text) ORDER BY a.id LIMIT 1", {"acct": acct})


def author_and_named(number: int, accts: Sequence[str]) -> Query:
    """AccountRows of one account and of all with these handles in lower case, the earliest known of each first."""
    return Query(
        _SELECT + "WHERE a.id = %(id)s::bigint OR lower(a.acct) = ANY(%(accts)s::text[]) ORDER BY a.id",
        {"id": number, "accts": list(accts)},
    )
