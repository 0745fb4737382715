"""What peers may read of local accounts and their posts, asked of the tables that clients' answers come from."""

from collections.abc import Sequence
from typing import LiteralString

import msgspec

from domain.post import Visibility
from projections.query import Query
from projections.rule import Projection
from projections.status_queries import Slice
from projections.visibility import MAY_SEE, may_be_met

# What an outbox lists, as an index of it: of somebody who mostly writes to followers, little is read.
TABLES = """
CREATE INDEX outbox ON statuses (account, id)
    WHERE local AND deleted IS NULL AND visibility IN ('public', 'unlisted');
"""

PROJECTION = Projection("actor_documents", TABLES, {})


class LocalActor(msgspec.Struct, frozen=True):
    """A local account. `identity` and `profile` are the insides of JSON objects (projections/rendering.py).

    `deleted` is whether it is gone for good, `moved_to` the URI of the account that took its place, `also_known_as` a
    JSON list of URIs.
    """

    id: int
    username: str
    uri: str
    url: str
    identity: str
    profile: str
    followers: int
    following: int
    statuses: int
    deleted: bool = False
    moved_to: str | None = None
    also_known_as: str = "[]"


class LocalStatus(msgspec.Struct, frozen=True):
    """A local account's post or boost. `deleted` is whether it is gone; `actor` is its author's URI.

    `json` and `revision` are the insides of JSON objects: what never changes, and what it says now ("" for a boost).
    `boosted` and `boosted_author` are the URIs of what a boost passes on and of who wrote that, `boosted_page` its URL
    for people. `likes` and `shares` are how many there are of each.
    """

    id: int
    uri: str
    actor: str
    visibility: Visibility
    deleted: bool
    json: str
    revision: str
    in_reply_to: str | None
    boosted: str | None = None
    boosted_author: str | None = None
    boosted_page: str | None = None
    likes: int = 0
    shares: int = 0


class Mentioned(msgspec.Struct, frozen=True):
    """Somebody whom a post mentions: the actor's URI, name and host (None for a local one)."""

    uri: str
    username: str
    domain: str | None


_ACTOR = """
    SELECT a.id, a.username, a.uri, a.url, a.identity, a.profile, c.followers, c.following, c.statuses,
        a.deleted IS NOT NULL, m.uri, a.also_known_as
    FROM accounts a JOIN account_counts c ON c.account = a.id LEFT JOIN accounts m ON m.id = a.moved_to
"""
_STATUS: LiteralString = """
    SELECT s.id, s.uri, a.uri, s.visibility, s.deleted IS NOT NULL OR a.deleted IS NOT NULL, s.json,
        coalesce(r.json, ''), s.in_reply_to_uri, p.uri, o.uri, ('{' || p.json || '}')::json ->> 'url',
        s.favourites, s.reblogs
    FROM statuses s JOIN accounts a ON a.id = s.account
        LEFT JOIN status_revisions r ON (r.status, r.position, r.n) = (s.id, s.revision, s.revision_n)
        LEFT JOIN statuses p ON p.id = s.reblog_of LEFT JOIN accounts o ON o.id = p.account
"""
_MENTIONED: LiteralString = """
    SELECT a.uri, a.username, a.domain:also FROM audience x JOIN accounts a ON a.id = x.account
    WHERE x.status = ANY(%(statuses)s::bigint[]) AND x.ordinal IS NOT NULL ORDER BY x.status, x.ordinal
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


def served_status(account: int, status: int, viewer: int | None) -> Query:
    """At most one row, of LocalStatus: what this viewer may fetch; None is anybody.

    Of a deleted post, or one whose author is gone, there is a row when everybody could see it: nobody else must learn
    that there was one.
    """
    where: LiteralString = """
        WHERE s.id = %(status)s::bigint AND s.account = %(account)s::bigint AND s.local
            AND ((:gone AND s.visibility IN ('public', 'unlisted')) OR (:visible))
        """.replace(":visible", MAY_SEE).replace(":gone", "(s.deleted IS NOT NULL OR a.deleted IS NOT NULL)")
    return Query(_STATUS + where, {"account": account, "status": status, "viewer": viewer})


def outbox_part(account: int, viewer: int | None, part: Slice) -> Query:
    """Rows of LocalStatus that everybody may see, as far as this viewer may, in the order that the slice reads."""
    where: LiteralString = """
        WHERE s.account = %(account)s::bigint AND s.local AND s.deleted IS NULL
            AND s.visibility IN ('public', 'unlisted') AND :visible AND :met
            AND s.id < %(below)s::bigint AND s.id > %(above)s::bigint
        ORDER BY s.id :order LIMIT %(limit)s::bigint
        """.replace(":visible", MAY_SEE).replace(":order", "ASC" if part.ascending else "DESC")
    # Of all posts or of none, so asked once: whoever is blocked must not have all that was ever said looked at.
    where = where.replace(":met", may_be_met("%(account)s::bigint"))
    bounds = {"below": part.below, "above": part.above, "limit": part.limit}
    return Query(_STATUS + where, {"account": account, "viewer": viewer, **bounds})


def pinned_by(account: int, viewer: int | None) -> Query:
    """Rows of LocalStatus: what an account features, as far as this viewer may see it, the latest first."""
    sql = (
        _STATUS
        + """
        JOIN pins n ON n.status = s.id AND n.account = %(account)s::bigint AND n.until IS NULL
        WHERE s.account = %(account)s::bigint AND s.local AND :visible
        ORDER BY n.since DESC, n.n DESC""".replace(":visible", MAY_SEE)
    )
    return Query(sql, {"account": account, "viewer": viewer})


def answers_to(uri: str, viewer: int | None, above: int, limit: int) -> Query:
    """Rows of (id, URI): what answers the post of that URI for everybody to see, oldest first."""
    sql: LiteralString = """
        SELECT s.id, s.uri FROM statuses s
        WHERE s.in_reply_to_uri = %(uri)s::text AND s.visibility IN ('public', 'unlisted') AND :visible
            AND s.id > %(above)s::bigint
        ORDER BY s.id LIMIT %(limit)s::bigint
        """.replace(":visible", MAY_SEE)
    return Query(sql, {"uri": uri, "viewer": viewer, "above": above, "limit": limit})


def mentioned_by(status: int) -> Query:
    """Rows of Mentioned, in the author's order."""
    return Query(_MENTIONED.replace(":also", ""), {"statuses": [status]})


def mentioned_by_each(statuses: Sequence[int]) -> Query:
    """Rows of what Mentioned holds and the post's id, for several of them, each in its author's order."""
    return Query(_MENTIONED.replace(":also", ", x.status"), {"statuses": list(statuses)})
