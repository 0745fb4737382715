"""Generations of read models: schema `read_<n>`, made whole by one version of the code, switched by a pointer row.

The code's hash covers everything that read models depend on besides the log: projections, interpreter, translator,
domain events, the sanitiser's version and Unicode's.
"""

import hashlib
import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

import msgspec
import psycopg
from psycopg import sql

from adapters.html import SANITISER_VERSION
from projections.catalogue import KEYS, PROJECTIONS

CHANNEL = "daybook_generation"
APPLICATION = "daybook"
_HASHED = ("domain", "projections", "adapters/interpreter", "adapters/activitypub", "adapters/html.py")
_CHECKPOINT = """
CREATE TABLE checkpoint (application_name text PRIMARY KEY, notification_id bigint NOT NULL);
"""


class Generation(msgspec.Struct, frozen=True):
    """A row of app.generations; `status` is building, live or kept."""

    n: int
    code_hash: str
    status: str

    @property
    def schema(self) -> str:
        """Where its tables are."""
        return f"read_{self.n}"


@cache
def code_hash() -> str:
    """The hash of the code that read models are made by, 32 hex digits."""
    digest = hashlib.sha256(f"{SANITISER_VERSION} {unicodedata.unidata_version}".encode())
    for name in _HASHED:
        package, _, rest = name.partition("/")
        for source in _sources(files(package) / rest if rest else files(package)):
            digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()[:32]


def live(connection: psycopg.Connection) -> Generation | None:
    """The generation that is being read."""
    row = connection.execute("SELECT n, code_hash, status FROM app.generations WHERE status = 'live'").fetchone()
    return Generation(*row) if row else None


def all_of_them(connection: psycopg.Connection) -> list[Generation]:
    """Every generation there is, oldest first."""
    rows = connection.execute("SELECT n, code_hash, status FROM app.generations ORDER BY n").fetchall()
    return [Generation(*row) for row in rows]


def create(owner: psycopg.Connection, app_role: str) -> Generation:
    """Make the next generation's empty tables, for this code. Commits."""
    with owner.transaction():
        owner.execute("LOCK TABLE app.generations IN EXCLUSIVE MODE")
        row = owner.execute("SELECT coalesce(max(n), 0) + 1 FROM app.generations").fetchone()
        assert row is not None
        made = Generation(row[0], code_hash(), "building")
        schema, role = sql.Identifier(made.schema), sql.Identifier(app_role)
        owner.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
        owner.execute(sql.SQL("SET LOCAL search_path = {}").format(schema))
        for projection in PROJECTIONS:
            owner.execute(projection.tables)
        owner.execute(_CHECKPOINT)
        owner.execute("INSERT INTO checkpoint VALUES (%s, 0)", [APPLICATION])
        owner.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, role))
        granted = sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {} TO {}")
        owner.execute(granted.format(schema, role))
        owner.execute("INSERT INTO app.generations (n, code_hash, status) VALUES (%s, %s, 'building')", made_row(made))
    return made


def made_row(generation: Generation) -> list[int | str]:
    """The values that identify a generation in its table."""
    return [generation.n, generation.code_hash]


def switch(owner: psycopg.Connection, to: Generation) -> None:
    """Make `to` the one that is read; the one before is kept. Commits, and tells everybody."""
    with owner.transaction():
        owner.execute("UPDATE app.generations SET status = 'kept' WHERE status = 'live'")
        owner.execute("UPDATE app.generations SET status = 'live' WHERE n = %s", [to.n])
        owner.execute("SELECT pg_notify(%s, %s)", [CHANNEL, str(to.n)])


def drop(owner: psycopg.Connection, generation: Generation) -> None:
    """Remove a generation that nobody reads; one that is live by now stays. Commits."""
    with owner.transaction():
        removed = owner.execute("DELETE FROM app.generations WHERE n = %s AND status <> 'live'", [generation.n])
        if removed.rowcount:
            owner.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(generation.schema)))


def position_of(connection: psycopg.Connection, generation: Generation) -> int:
    """The log position that this generation has come to."""
    query = sql.SQL("SELECT notification_id FROM {}.checkpoint WHERE application_name = %s")
    row = connection.execute(query.format(sql.Identifier(generation.schema)), [APPLICATION]).fetchone()
    return row[0] if row else 0


def digests(connection: psycopg.Connection, generation: Generation) -> dict[str, str]:
    """Per table, SHA-256 of all its rows in the order of its key, every column included."""
    return {table: _digest(connection, generation.schema, table, key) for table, key in KEYS.items()}


def _digest(connection: psycopg.Connection, schema: str, table: str, key: str) -> str:
    query = sql.SQL("COPY (SELECT * FROM {} ORDER BY {}) TO STDOUT").format(
        sql.Identifier(schema, table), sql.SQL(", ").join(sql.Identifier(column) for column in key.split(", "))
    )
    digest = hashlib.sha256()
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        for block in copy:
            digest.update(block)
    return digest.hexdigest()


def _sources(entry: Traversable) -> Iterator[Traversable]:
    if entry.is_dir():
        for child in sorted(entry.iterdir(), key=lambda child: child.name):
            yield from _sources(child)
    elif entry.name.endswith(".py"):
        yield entry
