"""What comes from elsewhere into the log: verified activities (the inbox) and documents (the fetcher).

With `dispatch` these are the only three that append; `tests/test_writers.py` sees to it that there is no fourth.
"""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal, LiteralString

from adapters.activitypub.fetch_documents import FetchedDocument
from adapters.activitypub.remote_keys import StoredKey
from adapters.activitypub.signatures import VerifiedRequest
from adapters.codec import Codec, Pepper, Unreadable
from adapters.postgres.passing import PASSING
from adapters.postgres.reads import Pool
from adapters.postgres.writer import Appended, GroupWriter, NewEvent
from adapters.unavailable import Unavailable
from domain.activity import ActivityReceived, ActivityReceivedAgain, DocumentFetched, Evidence
from domain.events import Event

# What says the same however often it comes; everything else may be meant again (follow, undo, follow).
CONTENT = frozenset({"Create", "Update", "Delete", "Announce", "Flag"})

# Half a hash is as unlikely to be met twice; these stand in an index.
ONCE_BYTES = 16
# How often an activity is appended anew when what made a repeat of it was left out itself, and so doesn't stand.
ATTEMPTS = 3

Receipt = Literal["stored", "replayed", "repeated", "stored again"]

# What stands already, to see by which inbox it came: one era more than `log.append` looked at; the last may be over.
_STANDING = """
    SELECT e.originator_id, e.topic, e.state, k.wrapped_key
    FROM log.head h
    JOIN log.events e ON e.once = %s
        AND log.era(e.notification_id) = ANY (ARRAY(SELECT log.era(h.position) - n FROM generate_series(0, 3) n))
    LEFT JOIN keys.event_keys k ON k.position = e.notification_id
    ORDER BY e.notification_id DESC LIMIT 1
"""
_KEY = "SELECT key_id, actor, pem FROM app.remote_keys WHERE key_id = %s"
_WITHDRAW = "DELETE FROM app.remote_keys WHERE actor = %s AND NOT key_id = ANY(%s)"
_KEEP = """
    INSERT INTO app.remote_keys (key_id, actor, pem, fetched_at) VALUES (%s, %s, %s, %s)
    ON CONFLICT (key_id) DO UPDATE SET actor = excluded.actor, pem = excluded.pem, fetched_at = excluded.fetched_at
"""
_FETCHED_AT = "SELECT max(fetched_at) FROM app.remote_keys WHERE actor = %s"
_LAST_DIGEST = "SELECT digest FROM app.documents WHERE uri = %s"
_REMEMBER_DIGEST = """
    INSERT INTO app.documents (uri, digest) VALUES (%s, %s) ON CONFLICT (uri) DO UPDATE SET digest = excluded.digest
"""


class Inbox:
    """Appends verified activities; what may not stand twice is decided inside the append. `told` hears of each."""

    def __init__(
        self,
        writer: GroupWriter,
        pool: Pool,
        codec: Codec,
        pepper: Pepper,
        told: Callable[[Receipt], None] | None = None,
    ) -> None:
        self._told = told
        self._writer = writer
        self._pool = pool
        self._codec = codec
        self._pepper = pepper

    async def receive(
        self, verified: VerifiedRequest, activity_id: str | None, kind: str, inbox: str, now: datetime
    ) -> Receipt:
        """Store an activity that came by the path `inbox`; returns when it is durable. Raises Unavailable."""
        receipt = await self._receive(verified, activity_id, kind, inbox, now)
        if self._told is not None:
            self._told(receipt)
        return receipt

    async def _receive(
        self, verified: VerifiedRequest, activity_id: str | None, kind: str, inbox: str, now: datetime
    ) -> Receipt:
        content = content_key(self._pepper, verified.signer, activity_id, verified.body) if kind in CONTENT else None
        signature = self._pepper.hash("signature", verified.key_id, verified.signature)
        event = _received(verified, inbox, now)
        for _ in range(ATTEMPTS):
            appended = await self._append(new_stream(now), event, content, signature)
            if appended.outcome != "repeated" or content is None:
                return "replayed" if appended.outcome == "replayed" else "stored"
            receipt = await self._again(content, event, signature)
            if receipt is not None:
                return receipt
        raise Unavailable("what makes a repeat of it was left out itself, again and again")

    async def _again(self, content: bytes, event: ActivityReceived, signature: bytes) -> Receipt | None:
        """None when nothing stands: what came with it, and made a repeat of it, was left out itself."""
        rows = await _run(self._pool, _STANDING, [content])
        if not rows:
            return None
        stream, *sealed = rows[0]
        try:
            first = self._codec.open(stream, *sealed)
        except Unreadable:
            # It was erased, and stays so.
            return "repeated"
        if isinstance(first, ActivityReceived) and first.inbox == event.inbox:
            return "repeated"
        copy = self._pepper.hash("copy", content, event.inbox)[:ONCE_BYTES]
        again = ActivityReceivedAgain(signer=event.signer, inbox=event.inbox, received_at=event.received_at)
        appended = await self._append(stream, again, copy, signature)
        return "stored again" if appended.outcome == "stored" else "repeated"

    async def _append(self, stream: str, event: Event, once: bytes | None, signature: bytes) -> Appended:
        sealed = self._codec.seal(stream, event)
        return await self._writer.append([NewEvent(stream, None, sealed, once, signature)])


class FetchedKeys:
    """adapters.activitypub.remote_keys.KeyStore and adapters.fetching.DocumentStore: keys in schema `app`, documents
    in the log.
    """

    def __init__(self, writer: GroupWriter, pool: Pool, codec: Codec, pepper: Pepper) -> None:
        self._writer = writer
        self._pool = pool
        self._codec = codec
        self._pepper = pepper

    async def load(self, key_id: str) -> StoredKey | None:
        """The key of exactly that id."""
        rows = await _run(self._pool, _KEY, [key_id])
        return StoredKey(*rows[0]) if rows else None

    async def save(self, keys: Sequence[StoredKey], document: FetchedDocument) -> None:
        """Append the document when it differs from the last; then keep its keys, and withdraw the actor's others."""
        await self.keep(document.final_url, document.body, document.content_type, document.fetched_at)
        for actor in {key.actor for key in keys}:
            await _run(self._pool, _WITHDRAW, [actor, [key.key_id for key in keys]])
        for key in keys:
            await _run(self._pool, _KEEP, [key.key_id, key.actor, key.pem, document.fetched_at])

    async def keep(self, uri: str, body: bytes, content_type: str, fetched_at: datetime) -> None:
        """Append what `uri` was answered with, when it differs from the last."""
        digest = hashlib.sha256(body).digest()
        last = await _run(self._pool, _LAST_DIGEST, [uri])
        if last and last[0][0] == digest:
            return
        stream = f"document:{self._pepper.hash('document', uri).hex()}"
        event = DocumentFetched(uri=uri, raw=body, content_type=content_type, fetched_at=fetched_at)
        await self._writer.append([NewEvent(stream, None, self._codec.seal(stream, event))])
        await _run(self._pool, _REMEMBER_DIGEST, [uri, digest])

    async def fetched_at(self, actor: str) -> datetime | None:
        """When an actor's document was fetched last, None when it never was."""
        rows = await _run(self._pool, _FETCHED_AT, [actor])
        return rows[0][0]

    async def has(self, uri: str) -> bool:
        """Whether a document of that URI was ever kept."""
        return bool(await _run(self._pool, _LAST_DIGEST, [uri]))


def new_stream(now: datetime) -> str:
    """A stream for an activity that comes now: named in the order of time, so that the log's index grows at its end.

    The word in front sorts behind those of all other streams: in the middle of an index its pages would stay half full.
    """
    return f"wire:{int(now.timestamp() * 1_000):012x}{secrets.token_hex(8)}"


def content_key(pepper: Pepper, signer: str, activity_id: str | None, body: bytes) -> bytes:
    """What names content that may stand in the log only once: the same bytes under the same id by the same actor."""
    return pepper.hash("content", signer, activity_id or "", hashlib.sha256(body).digest())[:ONCE_BYTES]


async def _run(pool: Pool, sql: LiteralString, values: list[Any]) -> list[tuple[Any, ...]]:
    """One statement and its rows. Raises Unavailable."""
    try:
        async with pool.connection() as connection:
            cursor = await connection.execute(sql, values, binary=True)
            return await cursor.fetchall() if cursor.description else []
    except PASSING as error:
        raise Unavailable("PostgreSQL") from error


def _received(verified: VerifiedRequest, inbox: str, now: datetime) -> ActivityReceived:
    evidence = Evidence(
        key_id=verified.key_id,
        signed_lines=verified.signing_string,
        signature=verified.signature,
        key=verified.key,
    )
    return ActivityReceived(signer=verified.signer, inbox=inbox, raw=verified.body, evidence=evidence, received_at=now)
