"""The tokens a process remembers, so that a request need not ask PostgreSQL who is calling.

A revoked token must stop working everywhere at once. So the triggers of schema `app` announce each change on the
channel `daybook_tokens`, and nothing is remembered while nobody listens there.
"""

import asyncio
import logging
from collections import OrderedDict

from psycopg import AsyncConnection

from adapters.postgres.oauth import Bearer, OAuthStore, hash_of
from adapters.postgres.passing import PASSING

log = logging.getLogger(__name__)

TOKENS_MAX = 10_000
RETRY_S = 1.0
# How long a connection may be silent before it is asked whether it is still there.
SILENCE_S_MAX = 15.0


class TokenCache:
    """Good tokens by their hash, at most `TOKENS_MAX`, the least recently used forgotten first."""

    def __init__(self, store: OAuthStore) -> None:
        self._store = store
        self._known: OrderedDict[bytes, Bearer] = OrderedDict()
        self._listening = False
        # Counts what was announced: an answer read before an announcement must not be remembered after it.
        self._changes = 0

    async def find(self, token: str) -> Bearer | None:
        """Who holds `token`; None when it is not good. Raises Unavailable."""
        token_hash = hash_of(token)
        if (known := self._remembered(token_hash)) is not None:
            return known
        changes = self._changes
        bearer = await self._store.bearer(token_hash)
        if bearer is not None and self._listening and changes == self._changes:
            self._known[token_hash] = bearer
            if len(self._known) > TOKENS_MAX:
                self._known.popitem(last=False)
        return bearer

    def known(self, token: str) -> Bearer | None:
        """Who holds `token`, where nobody has to be asked for it; None says nothing of whether it is good."""
        return self._remembered(hash_of(token))

    def _remembered(self, token_hash: bytes) -> Bearer | None:
        known = self._known.get(token_hash)
        if known is not None:
            self._known.move_to_end(token_hash)
        return known

    def __len__(self) -> int:
        """How many tokens are remembered."""
        return len(self._known)

    def forget(self, announced: str) -> None:
        """Forgets the token of this hash in hex, or all for anything else."""
        self._changes += 1
        try:
            self._known.pop(bytes.fromhex(announced), None)
        except ValueError:
            self._known.clear()

    def listening(self, listening: bool) -> None:
        """Says whether announcements arrive. Whenever that changes, all is forgotten."""
        self._listening = listening
        self.forget("*")


async def keep_current(cache: TokenCache, conninfo: str) -> None:
    """Listens for ever and keeps `cache` true; run it as a task for the life of the process."""
    while True:
        try:
            async with await AsyncConnection.connect(conninfo, autocommit=True) as connection:
                await connection.execute("LISTEN daybook_tokens")
                cache.listening(True)
                while True:
                    async for note in connection.notifies(timeout=SILENCE_S_MAX):
                        cache.forget(note.payload)
                    # A connection that died without a word would look like silence for ever.
                    await connection.execute("SELECT 1")
        except PASSING as error:
            log.warning("tokens are not remembered: %s", error)
        finally:
            cache.listening(False)
        await asyncio.sleep(RETRY_S)
