"""Ids belong to URIs: local ones come with their events, remote ones are proposed here, in log order, once for good.

The extractor below is frozen: a better translator must change no id, so nobody ever mends this one, and it shares
nothing with the translator that might be. `app.ids` outlives generations of read models; two of them agree because
whoever proposes second reads back what the first one wrote. See docs/adr/0006-ids-belong-to-uris.md.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import msgspec
from psycopg import Cursor

from domain.account import AccountRegistered
from domain.activity import ActivityReceived, ActivityReceivedAgain, DocumentFetched
from domain.events import Event
from domain.post import PostPublished

REMOTE_BIT: Final = 0x8000
URI_BYTES_MAX: Final = 2048
_LOW_BITS: Final = 15
_LOW_MASK: Final = (1 << _LOW_BITS) - 1
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
    """`uri` is to have `id`; a remote one (not `fixed`) takes the next free number if that is taken."""

    uri: str
    id: int
    fixed: bool = False


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
            return [Proposal(event.uri, event.account, fixed=True)]
        case PostPublished():
            return [Proposal(event.uri, event.post, fixed=True)]
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


def proposal(uri: str, published: str | None, received_at: datetime) -> Proposal:
    """The id that a remote `uri` asks for: milliseconds of its time, the remote bit, 15 bits of its SHA-256."""
    latest = _milliseconds(received_at)
    when = latest
    try:
        claimed = datetime.fromisoformat(published or "")
        when = min(latest, _milliseconds(claimed if claimed.tzinfo else claimed.replace(tzinfo=UTC)))
    except (ValueError, OverflowError):
        pass  # no time, or none that can be read: that of the receipt stands
    low = int.from_bytes(hashlib.sha256(uri.encode()).digest()[:2], "big") & _LOW_MASK
    return Proposal(uri, max(when, _EARLIEST_MS) << 16 | REMOTE_BIT | low)


def settle_ids(cursor: Cursor[Any], proposed: Sequence[Proposal], named: Iterable[str], ids: Iterable[int]) -> Ids:
    """Write what is new of `proposed`, in order, and read all that `named` and `ids` mean. Commits nothing.

    Two queries, and two more for each time that a number turns out to be taken.
    """
    wanted = {proposal.uri: proposal for proposal in reversed(proposed)}
    uris, numbers = list({*named, *wanted}), list(set(ids))
    held = _read(cursor, uris, numbers)
    first_seen = {proposal.uri: wanted[proposal.uri] for proposal in proposed}
    new = [proposal for proposal in first_seen.values() if proposal.uri not in held]
    while new:
        given = _numbered(cursor, new)
        cursor.execute(_INSERT, [[uri for uri, _ in given], [number for _, number in given]])
        # Another generation may have been quicker; what it wrote counts, and a number it took is asked for anew.
        held |= _read(cursor, [uri for uri, _ in given], [])
        new = [proposal for proposal in new if proposal.uri not in held]
        assert not any(proposal.fixed for proposal in new), "a local id belongs to another URI"
    return Ids(held, {number: uri for uri, number in held.items()})


def _read(cursor: Cursor[Any], uris: list[str], numbers: list[int]) -> dict[str, int]:
    return dict(cursor.execute(_READ, [uris, numbers], binary=True).fetchall())


def _numbered(cursor: Cursor[Any], new: Sequence[Proposal]) -> list[tuple[str, int]]:
    """A free number for each, in order, as if they had come one by one."""
    checked: set[int] = set()
    taken: set[int] = set()
    while True:
        assigned: set[int] = set()
        given: list[tuple[str, int]] = []
        for proposal in new:
            number = proposal.id
            while not proposal.fixed and (number in taken or number in assigned):
                number = _next(number)
            assigned.add(number)
            given.append((proposal.uri, number))
        unchecked = list(assigned - checked)
        if not unchecked:
            return given
        taken.update(row[0] for row in cursor.execute(_TAKEN, [unchecked]).fetchall())
        checked.update(unchecked)
        if taken.isdisjoint(unchecked):
            return given


def _next(number: int) -> int:
    """The next number with the remote bit: within the millisecond, then in the following one."""
    return number + 1 if (number + 1) & REMOTE_BIT else (number + 1) | REMOTE_BIT


def _remote(
    found: Iterable[tuple[str, str | None]], signer: str, received_at: datetime, own_origin: str
) -> list[Proposal]:
    origin = _origin(signer)
    if origin is None or origin == _origin(own_origin):
        return []
    return [
        proposal(uri, published, received_at)
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
