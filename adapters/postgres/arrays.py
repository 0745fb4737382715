"""Arrays as PostgreSQL receives them in binary (array_recv), packed a column at a time.

psycopg's own dumper asks of each value what it is; here a column's type is known, which takes a third of the time.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import repeat
from struct import Struct
from typing import Any, Final, NamedTuple

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

_NULL: Final = b"\xff\xff\xff\xff"
_FLAG: Final = {True: b"\0\0\0\1\1", False: b"\0\0\0\1\0"}
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_header = Struct(">iiI").pack
_size = Struct(">ii").pack
_length = Struct(">i").pack
_int4 = Struct(">ii").pack
_int8 = Struct(">iq").pack


class Packed(NamedTuple):
    """An array, ready to be sent where the statement says its type."""

    data: bytes


class PackedDumper(Dumper):
    """Sends what is packed as it is."""

    format = Format.BINARY

    def dump(self, obj: Packed) -> bytes:
        """The bytes themselves."""
        return obj.data


# For every connection, as the driver knows its own types: what is packed here means the same wherever it is sent.
psycopg.adapters.register_dumper(Packed, PackedDumper)


def _int4s(values: Iterable[int]) -> Iterable[bytes]:
    return map(_int4, repeat(4), values)


def _int8s(values: Iterable[int]) -> Iterable[bytes]:
    return map(_int8, repeat(8), values)


def _texts(values: Iterable[str]) -> Iterable[bytes]:
    for value in values:
        data = value.encode()
        yield _length(len(data))
        yield data


def _flags(values: Iterable[bool]) -> Iterable[bytes]:
    return map(_FLAG.__getitem__, values)


def _dates(values: Iterable[date]) -> Iterable[bytes]:
    return _int4s(value.toordinal() - _EPOCH.toordinal() for value in values)


def _moments(values: Iterable[datetime]) -> Iterable[bytes]:
    return _int8s((value - _EPOCH) // _MICROSECOND for value in values)


def _binaries(values: Iterable[bytes]) -> Iterable[bytes]:
    for value in values:
        yield _length(len(value))
        yield value


# By the name of the elements' type: its oid, and how values of it are packed.
_KINDS: Final[dict[str, tuple[int, Callable[[Iterable[Any]], Iterable[bytes]]]]] = {
    "bigint": (20, _int8s),
    "boolean": (16, _flags),
    "bytea": (17, _binaries),
    "date": (1082, _dates),
    "int": (23, _int4s),
    "int4": (23, _int4s),
    "int8": (20, _int8s),
    "text": (25, _texts),
    "timestamptz": (1184, _moments),
}


def packed(kind: str, values: Sequence[Any]) -> Packed:
    """Values of a type, by its name in SQL, or None. Raises KeyError for a type not known here.

    A value that is none of the type raises what packing it does (struct.error, AttributeError); a NUL in a text is left
    to PostgreSQL to refuse (SQLSTATE 22021).
    """
    oid, pack = _KINDS[kind]
    if not values:
        return Packed(_header(0, 0, oid))
    nulls = None in values
    elements = (_NULL if value is None else b"".join(pack((value,))) for value in values) if nulls else pack(values)
    return Packed(b"".join((_header(1, nulls, oid), _size(len(values), 1), *elements)))


def arrays_for(statement: str, columns: Iterable[Sequence[Any]]) -> list[Packed]:
    """Columns, packed as the statement's placeholders (%b::type[]) say, one for each in their order."""
    return [packed(kind, column) for kind, column in zip(_kinds(statement), columns, strict=True)]


@lru_cache
def _kinds(statement: str) -> list[str]:
    return re.findall(r"%b::(\w+)\[\]", statement)
