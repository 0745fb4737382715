"""What a batch touched, told to whoever keeps pages: notifications of the batch's own transaction, before its progress.

So whoever hears that a position was passed has heard before what came of all up to there. A batch that touched more
than a few messages hold touched everything.
"""

import struct
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from domain.events import Event
from projections.touched import touched_by

CHANNEL = "daybook_touched"
# PostgreSQL takes less than 8,000 bytes of payload, and 8 bytes are eleven characters of it.
_PER_MESSAGE = 700
ENTITIES_MAX = 8 * _PER_MESSAGE
EVERYTHING = "*"


class Touched:
    """The entities that one batch touches (projections/touched.py), as long as they can be told."""

    def __init__(self, *, everything: bool = False) -> None:
        self.entities: set[int] = set()
        self.everything = everything

    def by(self, event: Event) -> None:
        """Add what an event touches by itself."""
        found = touched_by(event)
        if found is None:
            self.everything = True
        elif not self.everything:
            self.entities.update(found)

    def add(self, rows: Iterable[Sequence[int]]) -> None:
        """Add what rules' statements gave back."""
        if not self.everything:
            for row in rows:
                self.entities.update(row)

    def messages(self, generation: int) -> Iterator[str]:
        """The payloads that say it; none when nothing was touched."""
        if self.everything or len(self.entities) > ENTITIES_MAX:
            yield f"{generation}:{EVERYTHING}"
            return
        entities = list(self.entities)
        for start in range(0, len(entities), _PER_MESSAGE):
            some = entities[start : start + _PER_MESSAGE]
            yield f"{generation}:{b64encode(struct.pack(f'<{len(some)}q', *some)).decode()}"


class Told(msgspec.Struct, frozen=True):
    """One message: the generation it is about, and what was touched in it, None for everything."""

    generation: int
    entities: Sequence[int] | None


def heard(payload: str) -> Told:
    """What a message says."""
    generation, _, packed = payload.partition(":")
    if packed == EVERYTHING:
        return Told(int(generation), None)
    raw = b64decode(packed)
    return Told(int(generation), struct.unpack(f"<{len(raw) // 8}q", raw))
