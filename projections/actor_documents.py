"""What peers may read of local accounts and their public posts, asked of the tables that clients' answers come from."""

import msgspec

from projections.query import Query


class LocalActor(msgspec.Struct, frozen=True):
    """A local account. `identity` and `profile` are the insides of JSON objects (projections/rendering.py)."""

    id: int
    username: str
    uri: str
    url: str
    identity: str
    profile: str
    followers: int
    following: int
    statuses: int


class LocalStatus(msgspec.Struct, frozen=True):
    """A local account's public or unlisted post. `deleted` is whether it is gone; `actor` is its author's URI."""

    id: int
    uri: str
    actor: str
    visibility: str
    deleted: bool
    json: str
    revision: str
    in_reply_to: str | None


class Mentioned(msgspec.Struct, frozen=True):
    """Somebody whom a post mentions: the actor's URI, name and host (None for a local one)."""

    uri: str
    username: str
    domain: str | None


_ACTOR = """
    SELECT a.id, a.username, a.uri, a.url, a.identity, a.profile, c.followers, c.following, c.statuses
    FROM accounts a JOIN account_counts c ON c.account = a.id
"""


def local_actor(account: int) -> Query:
    """At most one row, of LocalActor, by id."""
    return Query(_ACTOR + "WHERE a.id = %(account)s::bigint AND a.domain IS NULL", {"account": account})


def local_actor_named(username: str) -> Query:
    """At most one row, of LocalActor, by name, in any case."""
    return Query(
        _ACTOR + "WHERE lower(a.acct) = lower(%(username)s::text) AND a.domain IS NULL", {"username": username}
    )


def local_status(account: int, status: int) -> Query:
    """At most one row, of LocalStatus; none for what is not everybody's to read, deleted or not."""
    return Query(
        """
        SELECT s.id, s.uri, a.uri, s.visibility, s.deleted IS NOT NULL, s.json, r.json, s.in_reply_to_uri
        FROM statuses s JOIN accounts a ON a.id = s.account
            JOIN status_revisions r ON (r.status, r.position, r.n) = (s.id, s.revision, s.revision_n)
        WHERE s.id = %(status)s::bigint AND s.account = %(account)s::bigint AND s.local
            AND s.visibility IN ('public', 'unlisted')
        """,
        {"account": account, "status": status},
    )


def mentioned_by(status: int) -> Query:
    """Rows of Mentioned, in the author's order."""
    return Query(
        """
        SELECT a.uri, a.username, a.domain FROM audience x JOIN accounts a ON a.id = x.account
        WHERE x.status = %(status)s::bigint AND x.mentioned ORDER BY x.ordinal
        """,
        {"status": status},
    )
