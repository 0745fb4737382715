"""Documents that were made already, for as long as nothing that they are made from can have changed.

When somebody with many followers posts or is boosted, thousands of servers ask for the same few documents within
seconds. What was made for anybody is handed out again until the read models move on, by whatever it is: nothing has to
be known about which facts a document depends on.
"""

from collections.abc import Hashable
from typing import Final

BYTES_MAX: Final = 8_000_000


class KeptDocuments:
    """Encoded documents by name, all of one `stamp` (adapters/postgres/reads.py)."""

    def __init__(self) -> None:
        self._stamp: Hashable = None
        self._held: dict[Hashable, bytes] = {}
        self._bytes = 0

    def find(self, stamp: Hashable, name: Hashable) -> bytes | None:
        """What was kept under that name since the stamp is this."""
        return self._held.get(name) if stamp == self._stamp else None

    def keep(self, stamp: Hashable, name: Hashable, document: bytes) -> None:
        """Keep what was made from what was read after the stamp was this, while there is room."""
        if stamp != self._stamp:
            self._stamp, self._held, self._bytes = stamp, {}, 0
        if name not in self._held and self._bytes + len(document) <= BYTES_MAX:
            self._held[name] = document
            self._bytes += len(document)
