"""What the reactor reads and writes: facts with the local events behind them, claims that wait, and its checkpoint.

Facts are read from the live generation by effective position, and only those that its tables have passed. What is to be
sent, what is to be fetched and the checkpoint are written in one transaction, so that a kill at any point leaves
nothing undone; commands were dispatched by then, and dispatching them again is silence.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec
import psycopg

from adapters.activitypub.incoming import Translator
from adapters.codec import Codec, Unreadable
from adapters.interpreter.claims import Claim
from adapters.postgres import outbox
from adapters.postgres.jobs import Asked, ask_all
from adapters.postgres.reads import View
from domain.events import Event
from domain.ports import Recorded

BATCH_MAX: Final = 200
SPAN_MAX: Final = 5_000

_LOCK: Final = "SELECT pg_try_advisory_lock(hashtext('daybook reactor'))"
_POSITION: Final = "SELECT position FROM app.reactor"
_MOVE: Final = "UPDATE app.reactor SET position = %s WHERE position < %s"
_WITH_EVENT: Final = """
    SELECT f.position, f.n, f.received_at_position, f.kind, f.actor, f.object, f.because IS NULL, f.verdict,
        e.originator_id, e.originator_version, e.topic, e.state, k.wrapped_key
    FROM facts f JOIN log.events e ON e.notification_id = f.received_at_position
    LEFT JOIN keys.event_keys k ON k.position = e.notification_id
"""
_FACT: Final = _WITH_EVENT + "WHERE f.position = %(position)s::bigint AND f.n = %(n)s::int"
# All facts of a position or none of them: the checkpoint knows positions only.
_FACTS: Final = (
    _WITH_EVENT
    + """
    WHERE f.position > %(after)s::bigint AND f.position <= %(to)s::bigint AND (
        (f.because IS NULL AND f.verdict = 'applied' AND f.kind = ANY(%(local)s::text[]))
        OR (f.because IS NOT NULL AND f.verdict IN ('applied', 'duplicate') AND f.kind = ANY(%(remote)s::text[])))
    ORDER BY f.position FETCH FIRST 200 ROWS WITH TIES
"""
)
# Answers that were delivered, to posts that nobody has brought yet; not those that were fetched themselves, or whoever
# makes up an endless thread would keep us walking up it.
_ORPHANS: Final = """
    SELECT f.position, s.in_reply_to_uri FROM facts f
    JOIN statuses s ON s.id = f.object AND s.in_reply_to_uri IS NOT NULL AND s.in_reply_to_account IS NULL
    JOIN log.events e ON e.notification_id = f.received_at_position AND e.topic = 'activity.received'
    WHERE f.position > %(after)s::bigint AND f.position <= %(to)s::bigint
        AND f.kind = 'post.published' AND f.verdict = 'applied' AND f.because IS NOT NULL
"""
_WAITING: Final = """
    SELECT received_at_position, waits_for, claim FROM parked
    WHERE received_at_position > %(after)s::bigint AND received_at_position <= %(to)s::bigint
        AND waits_for IS NOT NULL
    ORDER BY received_at_position
"""
_FAILED: Final = """
    INSERT INTO app.reactor_failures (position, n, reason) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING
"""
_CLAIM: Final = msgspec.msgpack.Decoder(Claim)


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """A fact to react to. A local one has the `event` that was decided, a remote one the `claim` that was made."""

    position: int
    n: int
    kind: str
    actor: int | None
    object: int | None
    verdict: str
    event: Event | None = None
    claim: Claim | None = None


class Batch(msgspec.Struct, frozen=True):
    """What there is to react to up to position `to`: facts, URIs of missing parents, claims that wait, and for what."""

    to: int
    happened: Sequence[Happened] = ()
    orphans: Sequence[str] = ()
    waiting: Sequence[Claim] = ()
    waits_for: Sequence[str] = ()


class Send(msgspec.Struct, frozen=True, kw_only=True):
    """An activity for some inboxes, and (`to_reached`) for all that anything about its object was ever sent to.

    With `withdraws`, what still waits to be sent about that object no longer is. With `at_once`, hosts that were given
    up are tried, too.
    """

    uri: str
    sender: int
    body: bytes
    inboxes: Sequence[str]
    about: str | None = None
    to_reached: bool = False
    withdraws: bool = False
    at_once: bool = False


class Failure(msgspec.Struct, frozen=True):
    """A fact that our own code failed to act upon, and how."""

    position: int
    n: int
    reason: str


class Reacting:
    """The reactor's own connection. Every method raises psycopg.OperationalError when the database goes away."""

    def __init__(self, dsn: str) -> None:
        self._connection = psycopg.connect(
            dsn,
            autocommit=True,
            application_name="daybook react",
            # A crash that takes back what was written takes the checkpoint back with it: it is then worked out again.
            options="-c synchronous_commit=off",
        )

    def claim(self) -> bool:
        """Become the one reactor, for as long as this connection lives."""
        row = self._connection.execute(_LOCK).fetchone()
        return bool(row and row[0])

    def position(self) -> int:
        """The checkpoint."""
        row = self._connection.execute(_POSITION).fetchone()
        assert row is not None, "the migrations make it"
        return row[0]

    def commit(self, sends: Sequence[Send], asked: Sequence[Asked], failures: Sequence[Failure], to: int) -> None:
        """Write what is to be sent and fetched and what failed, and move the checkpoint, all or nothing."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            for send in sends:
                if send.withdraws and send.about:
                    outbox.withdraw(cursor, send.about, send.sender)
                reached = outbox.reached(cursor, send.about) if send.to_reached and send.about else ()
                outbox.enqueue(
                    cursor,
                    activity_uri=send.uri,
                    sender=send.sender,
                    body=send.body,
                    inboxes=dict.fromkeys((*send.inboxes, *reached)),
                    object_uri=send.about,
                    at_once=send.at_once,
                )
            ask_all(cursor, asked)
            for failure in failures:
                cursor.execute(_FAILED, [failure.position, failure.n, failure.reason])
            cursor.execute(_MOVE, [to, to])

    def close(self) -> None:
        """Let go of the connection and with it of the lock."""
        with suppress(psycopg.Error):
            self._connection.close()


class Reading:
    """Reads facts with the events behind them. Raises Unavailable."""

    def __init__(self, codec: Codec, origin: str) -> None:
        self._codec = codec
        self._translator = Translator(origin)

    async def at(self, view: View, position: int, n: int) -> Happened | None:
        """One fact, whatever its kind; None where there is none, as after a replay that understood more."""
        rows = await view.execute(_FACT, {"position": position, "n": n})
        return self._happened(*rows[0]) if rows else None

    async def next(self, view: View, after: int, local: Collection[str], remote: Collection[str]) -> Batch:
        """What the live tables have passed since `after`, of these kinds; raises Unavailable."""
        to = min(await view.position(), after + SPAN_MAX)
        if to <= after:
            return Batch(after)
        bounds = {"after": after, "to": to, "local": list(local), "remote": list(remote)}
        rows = sorted(await view.execute(_FACTS, bounds), key=lambda row: row[:2])
        if len(rows) >= BATCH_MAX:
            to = rows[-1][0]
        bounds = {"after": after, "to": to}
        orphans = await view.execute(_ORPHANS, bounds)
        waiting = await view.execute(_WAITING, bounds)
        return Batch(
            to,
            [self._happened(*row) for row in rows],
            list(dict.fromkeys(uri for _, uri in orphans)),
            [_CLAIM.decode(claim) for _, _, claim in waiting],
            [uri for _, uri, _ in waiting],
        )

    def _happened(self, position: int, n: int, received_at: int, *rest: Any) -> Happened:
        kind, actor, about, is_local, verdict, stream, version, topic, state, wrapped_key = rest
        try:
            event = self._codec.open(stream, topic, state, wrapped_key)
        except Unreadable:
            # Its key was destroyed: there is nothing left to tell anybody.
            event = None
        claim = None
        if event is not None and not is_local:
            claim, event = self._translator.translate(Recorded(received_at, stream, version, event)), None
        return Happened(
            position=position,
            n=n,
            kind=kind,
            actor=actor,
            object=about,
            verdict=verdict,
            event=event,
            claim=claim,
        )
