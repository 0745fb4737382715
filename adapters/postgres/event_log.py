"""The log and the facts as commands see them (domain.ports), on PostgreSQL."""

from collections.abc import Sequence
from typing import Any

from adapters.codec import Codec
from adapters.postgres.log import new_events
from adapters.postgres.passing import PASSING
from adapters.postgres.reads import Pool, Reads
from adapters.postgres.writer import GroupWriter
from adapters.unavailable import Unavailable
from domain.events import Event
from domain.follow import FollowAccepted, FollowEnded, FollowRejected, FollowRequested
from domain.ports import Conflict, FactsBehind, Recorded

# A stream, oldest event first, with the keys that open it.
_STREAM = """
    SELECT e.notification_id, e.originator_version, e.topic, e.state, k.wrapped_key
    FROM log.events e LEFT JOIN keys.event_keys k ON k.position = e.notification_id
    WHERE e.originator_id = %s ORDER BY e.originator_version
"""
# What remote activities did to a pair: facts with a reason outside the log's own decisions.
_REMOTE_TURNS = """
    SELECT f.position, f.kind, t.follower, t.followee, t.request
    FROM facts f JOIN follow_turns t ON t.follower = %s AND t.followee = %s AND (t.position, t.n) = (f.position, f.n)
    WHERE f.stream = %s AND f.stream LIKE 'follow:%%' AND f.because IS NOT NULL
    ORDER BY f.position, f.n
"""
_FOLLOW_KINDS: dict[str, type[FollowRequested | FollowAccepted | FollowRejected | FollowEnded]] = {
    "follow.requested": FollowRequested,
    "follow.accepted": FollowAccepted,
    "follow.rejected": FollowRejected,
    "follow.ended": FollowEnded,
}


class PostgresEventLog:
    """domain.ports.EventLog. Raises Unavailable when PostgreSQL does not answer."""

    def __init__(self, writer: GroupWriter, pool: Pool, codec: Codec) -> None:
        self._writer = writer
        self._pool = pool
        self._codec = codec

    async def load(self, stream: str) -> Sequence[Recorded]:
        """All events of a stream, oldest first."""
        try:
            async with self._pool.connection() as connection:
                cursor = await connection.execute(_STREAM, [stream], prepare=True, binary=True)
                rows: list[tuple[Any, ...]] = await cursor.fetchall()
        except PASSING as error:
            raise Unavailable("PostgreSQL") from error
        return [
            Recorded(position, stream, version, self._codec.open(stream, topic, state, wrapped_key))
            for position, version, topic, state, wrapped_key in rows
        ]

    async def append(self, stream: str, expected_version: int, events: Sequence[Event]) -> Sequence[Recorded]:
        """Append after `expected_version`, all or nothing. Raises Conflict."""
        sealed = [self._codec.seal(stream, event) for event in events]
        appended = await self._writer.append(new_events(stream, expected_version, sealed))
        if appended.outcome != "stored":
            raise Conflict(stream)
        return [
            Recorded(position, stream, version, event)
            for position, version, event in zip(appended.positions, appended.versions, events, strict=True)
        ]


class PostgresFacts:
    """domain.ports.Facts, read from the live generation."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def caught_up(self) -> None:
        """Raises FactsBehind when the projector has not passed the head as of this call within two seconds."""
        position, _ = await self._reads.head()
        lacking = await self._reads.caught_up(position)
        if lacking:
            raise FactsBehind(f"{lacking} events are not interpreted yet")

    async def of(self, stream: str) -> Sequence[Recorded]:
        """The applied facts that remote activities gave a follow's stream."""
        _, follower, followee = stream.split(":")
        rows = await self._reads.view().execute(_REMOTE_TURNS, [int(follower), int(followee), stream])
        return [
            Recorded(position, stream, 0, _FOLLOW_KINDS[kind](follower=asked, followee=of, request=request))
            for position, kind, asked, of, request in rows
        ]
