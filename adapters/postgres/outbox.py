"""The outbox: what is to be sent, written in the transaction of whoever decided that it must be.

These are plain functions on a caller's connection, because the reactor's checkpoint must move together with what it
put here. Sending is the deliverer's work (`adapters/deliveries`).
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, LiteralString

import psycopg

from adapters.activitypub.guard import UrlRefused, canonical_url
from adapters.activitypub.urls import origin_of

CHANNEL = "daybook_outbox"
INBOXES_IN_MEMORY_MAX = 20_000

Session = psycopg.Connection[Any] | psycopg.Cursor[Any]
"""Either will do; inside a transaction, or in autocommit mode, where each statement is one."""

_NEW_INBOXES = """
    INSERT INTO app.inboxes (url, host)
    SELECT g.url, g.host FROM unnest(%(urls)s::text[], %(hosts)s::text[]) AS g(url, host)
    WHERE NOT EXISTS (SELECT FROM app.inboxes i WHERE i.url = g.url)
    ORDER BY g.url ON CONFLICT DO NOTHING
"""
# Adds nothing when the activity was enqueued before: what was frozen then is what is sent, and whom to. Lanes about an
# object are positive numbers, a sender's other one is negative.
_ENQUEUE = """
    WITH made AS (
        INSERT INTO app.outbox_activities (uri, sender, body) VALUES (%(uri)s, %(sender)s, %(body)b)
        ON CONFLICT (uri) DO NOTHING RETURNING id
    ), fresh AS (
        INSERT INTO app.outbox_fresh (activity) SELECT id FROM made
    ), wanted AS (
        SELECT made.id AS activity, i.id AS inbox, i.host FROM made, app.inboxes i WHERE i.url = ANY(%(urls)s)
    ), added AS (
        INSERT INTO app.deliveries (host, inbox, activity, lane)
        SELECT host, inbox, activity, CASE WHEN %(object)s::text IS NULL THEN -1 - coalesce(%(sender)s::bigint, 0)
            ELSE hashtextextended(%(object)s::text, coalesce(%(sender)s::bigint, 0)) & 9223372036854775807 END
        FROM wanted ORDER BY inbox
    ), reached AS (
        INSERT INTO app.reached AS r (object, inboxes)
        SELECT %(object)s::text, array_agg(inbox) FROM wanted WHERE %(object)s::text IS NOT NULL HAVING count(*) > 0
        ON CONFLICT (object) DO UPDATE SET inboxes = ARRAY(
            SELECT unnest(r.inboxes) UNION SELECT unnest(excluded.inboxes) ORDER BY 1)
    )
    SELECT count(*), pg_notify(%(channel)s, '') FROM wanted
"""
_REACHED = """
    SELECT i.url FROM app.reached r JOIN app.inboxes i ON i.id = ANY(r.inboxes) WHERE r.object = %s ORDER BY i.id
"""
# Waits for nobody: a deliverer that settles locks rows in an order of its own, and they would lock each other out. What
# it holds was on its way just now.
_WITHDRAW = """
    DELETE FROM app.deliveries d USING (
        SELECT d.host, d.id FROM app.reached r
        JOIN app.inboxes i ON i.id = ANY(r.inboxes)
        JOIN app.deliveries d ON d.host = i.host AND d.inbox = i.id
            AND d.lane = hashtextextended(%(object)s::text, coalesce(%(sender)s::bigint, 0)) & 9223372036854775807
        WHERE r.object = %(object)s FOR UPDATE OF d SKIP LOCKED
    ) chosen WHERE d.host = chosen.host AND d.id = chosen.id
"""
# One that is being settled was tried just now, and is not waited for: settling has an order of its own.
_AT_ONCE = """
    UPDATE app.delivery_hosts SET next_at = now() WHERE host = ANY(ARRAY(
        SELECT host FROM app.delivery_hosts WHERE host = ANY(%(hosts)s::text[]) AND state = 'dead'
        FOR UPDATE SKIP LOCKED))
"""
# Forgets a host's failures; `adapters/postgres/host_life.py` asks it for each signed request.
ALIVE: LiteralString = """
    WITH revived AS (
        UPDATE app.delivery_hosts
        SET failures = 0, failing_days = 0, failed_on = NULL, state = 'alive', last_error = NULL,
            not_before = '-infinity', next_at = now()
        WHERE host = %(host)s AND (failures > 0 OR state = 'dead')
        RETURNING host
    )
    SELECT pg_notify(%(channel)s, '') FROM revived
"""


def enqueue(
    session: Session,
    *,
    activity_uri: str,
    sender: int | None,
    body: bytes,
    inboxes: Iterable[str],
    object_uri: str | None = None,
    at_once: bool = False,
) -> int:
    """Have `body`, an activity as JSON, delivered to each of `inboxes` (URLs), once each; gives how many there are.

    `sender` is the local account that signs, None for the instance's own actor. `object_uri` is the object of ours
    (a post, a boost, an account) that the activity is about: its inboxes are kept for `reached`, and a host gets what
    one sender says about one object in the order of enqueuing; likewise all that is about none. An activity that was
    enqueued before is left as it is, whatever is given now. What is no URL that everybody reads alike is left out.
    `at_once` has hosts that were given up tried now, with the first of what waits for them; their failures still count.
    """
    urls = dict(found for inbox in inboxes if (found := _url_and_host(inbox)) is not None)
    values = {"urls": list(urls), "hosts": list(urls.values()), "object": object_uri, "channel": CHANNEL}
    session.execute(_NEW_INBOXES, values)
    row = session.execute(_ENQUEUE, {**values, "uri": activity_uri, "sender": sender, "body": body}).fetchone()
    assert row is not None, "counting always answers"
    if at_once and row[0]:
        session.execute(_AT_ONCE, values)
    return row[0]


def reached(session: Session, object_uri: str) -> list[str]:
    """The inboxes that anything about the object was ever enqueued for."""
    return [url for (url,) in session.execute(_REACHED, [object_uri]).fetchall()]


def withdraw(session: Session, object_uri: str, sender: int | None) -> int:
    """Send nothing more of what `sender` enqueued about the object until now; gives how many deliveries that were.

    For before its Delete is enqueued: a host that comes back after a day should not get the post first. What is on its
    way at this moment still arrives. Waits for nobody's locks.
    """
    return session.execute(_WITHDRAW, {"object": object_uri, "sender": sender}).rowcount


def alive_again(session: Session, uri: str) -> bool:
    """Forget a host's failures, because it just proved to be there (anything validly signed came from it).

    `uri` is any URL on it, the signing actor's for instance. Gives whether there was something to forget. One look-up
    by primary key when there is not.
    """
    return bool(session.execute(ALIVE, {"host": authority_of(uri), "channel": CHANNEL}).fetchall())


def authority_of(url: str) -> str:
    """The host of a URL, with its port where that is not the scheme's own; empty when it is no http(s) URL."""
    return (origin_of(url) or "").partition("://")[2]


@lru_cache(INBOXES_IN_MEMORY_MAX)
def _url_and_host(inbox: str) -> tuple[str, str] | None:
    try:
        url = canonical_url(inbox).partition("#")[0]
    except UrlRefused:
        return None
    return url, authority_of(url)
