"""What of a database is backed up, asked of its own catalogue: a table that a later migration adds is never forgotten.

The log and its keys are written apart. Of schema `app` everything is taken but the pointers to read models, which are
worked out anew.
"""

import hashlib
from collections.abc import Generator, Iterable
from graphlib import TopologicalSorter
from typing import NamedTuple

import psycopg
from psycopg import sql

EVENTS = "log.events"
EVENT_KEYS = "keys.event_keys"
# The counter goes into the manifest; which read models there are is nothing that a restored database could know.
NOT_COPIED = {"log.head", "app.generations"}

_TABLES = """
    SELECT n.nspname || '.' || c.relname,
        (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''),
        (SELECT array_agg(a.attname::text ORDER BY k.ordinal) FROM pg_index i,
         unnest(i.indkey) WITH ORDINALITY AS k(attnum, ordinal)
         JOIN pg_attribute a ON a.attnum = k.attnum
         WHERE i.indrelid = c.oid AND i.indisprimary AND a.attrelid = c.oid),
        (SELECT array_agg(DISTINCT rn.nspname || '.' || r.relname) FROM pg_constraint f
         JOIN pg_class r ON r.oid = f.confrelid JOIN pg_namespace rn ON rn.oid = r.relnamespace
         WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.confrelid <> c.oid),
        pg_total_relation_size(c.oid)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('log', 'keys', 'app') AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    ORDER BY 1
"""
_SEQUENCES = """
    SELECT n.nspname || '.' || c.relname || '.' || a.attname,
        pg_get_serial_sequence(quote_ident(n.nspname) || '.' || quote_ident(c.relname), a.attname)
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'app' AND c.relkind = 'r' AND a.attidentity <> '' ORDER BY 1
"""
# Text of a session may look otherwise than another's.
SETTINGS = "-c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres -c bytea_output=hex -c extra_float_digits=1"


class Found(NamedTuple):
    """A table of the database, its columns, its primary key, and what it takes on disk."""

    table: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    disk_bytes: int


def tables(connection: psycopg.Connection) -> dict[str, Found]:
    """Every table of the schemas log, keys and app, by "schema.table"; each behind those that it refers to."""
    found: dict[str, Found] = {}
    behind: TopologicalSorter[str] = TopologicalSorter()
    for name, columns, key, refers_to, size in connection.execute(_TABLES).fetchall():
        found[name] = Found(name, tuple(columns), tuple(key or columns), size)
        behind.add(name, *(refers_to or ()))
    return {name: found[name] for name in behind.static_order()}


def copied(connection: psycopg.Connection) -> list[Found]:
    """Those that are backed up whole, in an order in which they can be filled."""
    apart = {EVENTS, EVENT_KEYS, *NOT_COPIED}
    return [table for name, table in tables(connection).items() if name not in apart]


def sequences(connection: psycopg.Connection) -> dict[str, int]:
    """The last number that each identity column of `app` gave out; those that gave none are left out."""
    found: dict[str, int] = {}
    for column, sequence in connection.execute(_SEQUENCES).fetchall():
        query = sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(*sequence.split(".")))
        row = connection.execute(query).fetchone()
        if row is not None and row[1]:
            found[column] = row[0]
    return found


def set_sequence(owner: psycopg.Connection, column: str, last: int) -> None:
    """Let an identity column go on behind `last`."""
    table, _, name = column.rpartition(".")
    owner.execute("SELECT setval(pg_get_serial_sequence(%s, %s), %s)", [table, name, last])


class CopyOut:
    """A COPY under way: its blocks, and how many rows there were once they are all taken."""

    def __init__(self, connection: psycopg.Connection, query: sql.Composed) -> None:
        self._connection = connection
        self._query = query
        self.rows = 0

    def blocks(self) -> Generator[bytes | bytearray | memoryview]:
        """COPY text, block by block."""
        with self._connection.cursor() as cursor:
            with cursor.copy(self._query) as copy:
                yield from copy
            self.rows = cursor.rowcount


def copy_table(connection: psycopg.Connection, table: Found) -> CopyOut:
    """All rows of a table in the order of its key."""
    query = sql.SQL("COPY (SELECT {} FROM {} ORDER BY {}) TO STDOUT").format(
        _named(table.columns), _identified(table.table), _named(table.key)
    )
    return CopyOut(connection, query)


def copy_events(connection: psycopg.Connection, columns: Iterable[str], first: int, last: int) -> CopyOut:
    """The events from one position to another, in their order."""
    query = sql.SQL(
        "COPY (SELECT {} FROM log.events WHERE notification_id BETWEEN {} AND {} ORDER BY notification_id) TO STDOUT"
    ).format(_named(columns), sql.Literal(first), sql.Literal(last))
    return CopyOut(connection, query)


def content_of(connection: psycopg.Connection, columns: Iterable[str], first: int, last: int) -> str:
    """SHA-256 of the COPY text of these events, as a segment of a backup has it."""
    digest = hashlib.sha256()
    for block in copy_events(connection, columns, first, last).blocks():
        digest.update(block)
    return digest.hexdigest()


def copy_in(owner: psycopg.Connection, table: str, columns: Iterable[str], blocks: Iterable[bytes]) -> int:
    """Put COPY text into a table; gives the number of rows. Raises psycopg.Error for what does not fit."""
    query = sql.SQL("COPY {} ({}) FROM STDIN").format(_identified(table), _named(columns))
    with owner.cursor() as cursor:
        with cursor.copy(query) as copy:
            for block in blocks:
                copy.write(block)
        return cursor.rowcount


def empty(owner: psycopg.Connection, names: Iterable[str]) -> None:
    """Take out what migrations put in."""
    listed = sql.SQL(", ").join(_identified(name) for name in names)
    owner.execute(sql.SQL("TRUNCATE {}").format(listed))


def _identified(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split("."))


def _named(columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(column) for column in columns)
