"""Signing what goes out: RSA in threads beside the event loop, with keys that are opened once and kept for a while.

OpenSSL lets go of the interpreter while it signs, so that threads sign on the cores that the loop leaves free.
"""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from adapters.activitypub.signatures_sign import SigningKey, sign_cavage
from adapters.codec import Codec
from adapters.postgres.deliveries import Due
from adapters.postgres.secrets import private_key

KEYS_IN_MEMORY_MAX: Final = 1_000
SIGNING_THREADS: Final = 2


class NoKey(Exception):
    """The sender has no key (any more): what they said can't be sent."""


class Signer:
    """Signs for local accounts and, with `own`, for the instance's own actor. Close it at the end."""

    def __init__(self, own: SigningKey, codec: Codec, clock: Callable[[], datetime]) -> None:
        self._own = own
        self._codec = codec
        self._clock = clock
        self._opened: OrderedDict[bytes, RSAPrivateKey] = OrderedDict()
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(SIGNING_THREADS, thread_name_prefix="sign")

    async def headers(self, row: Due) -> dict[str, str]:
        """The headers of a delivery that is sent now: each attempt is signed anew, as peers hold its Date to a minute.

        Raises NoKey, and Unreadable when the key was wrapped by another master key.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._signed, row)

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _signed(self, row: Due) -> dict[str, str]:
        key = self._own if row.sender is None else self._key_of(row)
        return sign_cavage("POST", row.url, row.body, key.key_id, key.private_key, self._clock())

    def _key_of(self, row: Due) -> SigningKey:
        if row.key_id is None or row.wrapped_key is None:
            raise NoKey(f"account {row.sender} has no key")
        with self._lock:
            key = self._opened.get(row.wrapped_key)
            if key is not None:
                self._opened.move_to_end(row.wrapped_key)
        if key is None:
            key = private_key(self._codec.unwrap_secret(row.wrapped_key))
            with self._lock:
                self._opened[row.wrapped_key] = key
                if len(self._opened) > KEYS_IN_MEMORY_MAX:
                    self._opened.popitem(last=False)
        return SigningKey(row.key_id, key)
