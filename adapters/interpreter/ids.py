"""Ids belong to URIs: local ones come with their events, remote ones are proposed here, in log order, once for good.

The extractor below is frozen: a better translator must change no id, so nobody ever mends this one, and it shares
nothing with the translator that might be. `app.ids` outlives generations of read models; two of them agree because
whoever proposes second reads back what the first one wrote. See docs/adr/0006-ids-belong-to-uris.md.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, count
from typing import Any, Final, TypeVar

import msgspec
from psycopg import Cursor

from adapters.postgres.arrays import arrays_for
from domain.account import AccountRegistered
from domain.activity import ActivityReceived, ActivityReceivedAgain, DocumentFetched
from domain.events import Event
from domain.ids import REMOTE_BIT
from domain.post import PostPublished

URI_BYTES_MAX: Final = 2048
PROBES_MAX: Final = 16
MILLISECOND: Final = 1 << 16
_LOW_MASK: Final = REMOTE_BIT - 1
_EARLIEST_MS: Final = 946_684_800_000  # 2000-01-01, so that no claimed age makes an id negative
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ORIGIN: Final = re.compile(r"(https?://[^/?#\s\\@]+)(?:[/?#]|\Z)", re.IGNORECASE)

# Of several rows with one URI or one id the first stays; what is there already stays too.
_INSERT: Final = """
    INSERT INTO app.ids (uri, id) SELECT * FROM unnest(%b::text[], %b::bigint[]) ON CONFLICT DO NOTHING
"""
_READ: Final = "SELECT uri, id FROM app.ids WHERE uri = ANY(%b::text[]) OR id = ANY(%b::bigint[])"
_TAKEN: Final = "SELECT id FROM app.ids WHERE id = ANY(%b::bigint[])"


Wanted = TypeVar("Wanted")


class Proposal(msgspec.Struct, frozen=True):
    """`uri` is to have an id: the one `given` with a local event, else one made of when it says it was `published`."""

    uri: str
    published: str | None = None
    received_at: datetime = _EPOCH
    given: int | None = None

    @property
    def id(self) -> int:
        """The first choice: milliseconds, the remote bit, 15 bits of the URI's SHA-256."""
        if self.given is not None:
            return self.given
        return _number(self._published_ms(), self._low())

    def candidates(self) -> Iterator[int]:
        """The numbers to try, in order: what is taken gives way to the next free one.

        Whoever dates any number of posts to one millisecond fills that one, so after PROBES_MAX the time of receipt
        stands in, and nobody's search gets long.
        """
        yield self.id
        if self.given is not None:
            return
        low = self._low()
        for milliseconds in chain((self._published_ms(),), count(_milliseconds(self.received_at))):
            yield from (_number(milliseconds, low + step & _LOW_MASK) for step in range(PROBES_MAX))

    def _low(self) -> int:
        return int.from_bytes(hashlib.sha256(self.uri.encode()).digest()[:2], "big") & _LOW_MASK

    def _published_ms(self) -> int:
        latest = _milliseconds(self.received_at)
        try:
            claimed = datetime.fromisoformat(self.published or "")
            claimed_ms = _milliseconds(claimed if claimed.tzinfo else claimed.replace(tzinfo=UTC))
        except (ValueError, OverflowError):
            return latest
        return max(min(latest, claimed_ms), _EARLIEST_MS)


class Ids(msgspec.Struct, frozen=True):
    """What was read: ids by URI and URIs by id."""

    by_uri: dict[str, int]
    by_id: dict[int, str]


class _Object(msgspec.Struct):
    id: str = ""
    published: str | None = None


class _Activity(msgspec.Struct):
    actor: str = ""
    object: _Object | None = None


class _Document(msgspec.Struct):
    published: str | None = None


def proposals(event: Event, own_origin: str) -> list[Proposal]:
    """What `event` says of ids: its own if it is local, else those of what its signer's origin names in it. Frozen."""
    match event:
        case AccountRegistered(domain=None):
            return [Proposal(event.uri, given=event.account)]
        case PostPublished():
            return [Proposal(event.uri, given=event.post)]
        case ActivityReceived():
            activity = _decoded(event.raw, _Activity)
            found: list[tuple[str, str | None]] = [(event.signer, None)]
            if activity is not None and activity.actor == event.signer and activity.object is not None:
                found.append((activity.object.id, activity.object.published))
            return _remote(found, event.signer, event.received_at, own_origin)
        case ActivityReceivedAgain():
            return _remote([(event.signer, None)], event.signer, event.received_at, own_origin)
        case DocumentFetched():
            document = _decoded(event.raw, _Document)
            published = document.published if document is not None else None
            return _remote([(event.uri, published)], event.uri, event.fetched_at, own_origin)
        case _:
            return []


def settle_ids(cursor: Cursor[Any], proposed: Sequence[Proposal], named: Iterable[str], ids: Iterable[int]) -> Ids:
    """Write what is new of `proposed`, in order, and read all that `named` and `ids` mean. Commits nothing.

    A query to read and, if any URI is new, three to write; one more for each time that a number turns out to be taken.
    """
    first: dict[str, Proposal] = {}
    for proposal in proposed:
        first.setdefault(proposal.uri, proposal)
    uris, numbers = list({*named, *first}), list(set(ids))
    held = _read(cursor, uris, numbers)
    new = [proposal for proposal in first.values() if proposal.uri not in held]
    while new:
        given = _numbered(cursor, new)
        cursor.execute(_INSERT, arrays_for(_INSERT, zip(*given, strict=True)))
        # Another generation may have been quicker; what it wrote counts, and a number it took is asked for anew.
        held |= _read(cursor, [uri for uri, _ in given], [])
        new = [proposal for proposal in new if proposal.uri not in held]
        assert not any(proposal.given for proposal in new), "a local id belongs to another URI"
    return Ids(held, {number: uri for uri, number in held.items()})


def _read(cursor: Cursor[Any], uris: list[str], numbers: list[int]) -> dict[str, int]:
    return dict(cursor.execute(_READ, arrays_for(_READ, [uris, numbers]), binary=True).fetchall())


def _numbered(cursor: Cursor[Any], new: Sequence[Proposal]) -> list[tuple[str, int]]:
    """A free number for each, in order, as if they had come one by one."""
    first_choices = [(proposal, proposal.id) for proposal in new]
    checked: set[int] = set()
    taken: set[int] = set()
    while True:
        assigned: set[int] = set()
        given: list[tuple[str, int]] = []
        for proposal, choice in first_choices:
            number = choice
            if choice in taken or choice in assigned:
                free = (other for other in proposal.candidates() if other not in taken and other not in assigned)
                number = next(free, choice)
            assigned.add(number)
            given.append((proposal.uri, number))
        unchecked = list(assigned - checked)
        if not unchecked:
            return given
        taken.update(row[0] for row in cursor.execute(_TAKEN, arrays_for(_TAKEN, [unchecked])).fetchall())
        checked.update(unchecked)
        if taken.isdisjoint(unchecked):
            return given


def _number(milliseconds: int, low: int) -> int:
    return milliseconds * MILLISECOND | REMOTE_BIT | low


def _remote(
    found: Iterable[tuple[str, str | None]], signer: str, received_at: datetime, own_origin: str
) -> list[Proposal]:
    origin = _origin(signer)
    if origin is None or origin == _origin(own_origin):
        return []
    return [
        Proposal(uri, published, received_at)
        for uri, published in found
        if _origin(uri) == origin and len(uri.encode()) <= URI_BYTES_MAX and "\0" not in uri
    ]


def _origin(uri: str) -> str | None:
    found = _ORIGIN.match(uri)
    return found[1].lower() if found else None


def _milliseconds(when: datetime) -> int:
    return (when - _EPOCH) // timedelta(milliseconds=1)


def _decoded(raw: bytes, wanted: type[Wanted]) -> Wanted | None:
    try:
        return msgspec.json.decode(raw, type=wanted)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
