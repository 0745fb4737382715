"""What peers may read of local accounts and their posts, asked of the tables that clients' answers come from."""

from collections.abc import Sequence
from typing import LiteralString

import msgspec

from projections.query import Query
from projections.visibility import MAY_SEE


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
    """A local account's post. `deleted` is whether it is gone; `actor` is its author's URI.

    `json` and `revision` are the insides of JSON objects: what never changes, and what it says now.
    """

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
_STATUS: LiteralString = """
    SELECT s.id, s.uri, a.uri, s.visibility, s.deleted IS NOT NULL, s.json, r.json, s.in_reply_to_uri
    FROM statuses s JOIN accounts a ON a.id = s.account
        JOIN status_revisions r ON (r.status, r.position, r.n) = (s.id, s.revision, s.revision_n)
"""


def local_actor(account: int) -> Query:
    """At most one row, of LocalActor, by id."""
    return Query(_ACTOR + "WHERE a.id = %(account)s::bigint AND a.domain IS NULL", {"account": account})


def local_actor_named(username: str) -> Query:
    """At most one row, of LocalActor, by name, in any case."""
    return Query(
        _ACTOR + "WHERE lower(a.acct) = lower(%(username)s::text) AND a.domain IS NULL", {"username": username}
    )


def remote_account(uris: Sequence[str]) -> Query:
    """At most one row: the id of an account elsewhere that is known by one of these URIs."""
    sql: LiteralString = """
        SELECT id FROM accounts WHERE uri = ANY(%(uris)s::text[]) AND domain IS NOT NULL ORDER BY id LIMIT 1"""
    return Query(sql, {"uris": list(uris)})


def local_note(status: int) -> Query:
    """At most one row, of LocalStatus, whoever may see it: for what goes out to whom it is addressed to."""
    return Query(_STATUS + " WHERE s.id = %(status)s::bigint AND s.local", {"status": status})


def served_note(account: int, status: int, viewer: int | None) -> Query:
    """At most one row, of LocalStatus: what this viewer may fetch; None is anybody.

    Of a deleted post there is a row when everybody could see it: nobody else must learn that there was one.
    """
    where: LiteralString = """
        WHERE s.id = %(status)s::bigint AND s.account = %(account)s::bigint AND s.local
            AND ((s.deleted IS NOT NULL AND s.visibility IN ('public', 'unlisted')) OR (:visible))
        """.replace(":visible", MAY_SEE)
    return Query(_STATUS + where, {"account": account, "status": status, "viewer": viewer})


def mentioned_by(status: int) -> Query:
    """Rows of Mentioned, in the author's order."""
    return Query(
        """
        SELECT a.uri, a.username, a.domain FROM audience x JOIN accounts a ON a.id = x.account
        WHERE x.status = %(status)s::bigint AND x.mentioned ORDER BY x.ordinal
        """,
        {"status": status},
    )
