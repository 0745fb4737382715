"""Generations of read models: schema `read_<n>`, made whole by one version of the code, switched by a pointer row.

The code's hash covers everything that read models depend on besides the log: projections, interpreter, translator,
domain events, and the versions of Unicode, the sanitiser, and the libraries that take events and URLs apart.
"""

import hashlib
import unicodedata
from datetime import datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec
import psycopg
from psycopg import sql

from adapters.html import SANITISER_VERSION
from projections.catalogue import KEYS, PROJECTIONS

CHANNEL = "daybook_generation"
APPLICATION: Final = "daybook"
CHECKPOINT: Final = "SELECT notification_id FROM {schema}.checkpoint WHERE application_name = 'daybook'"
"""How far a generation has come, for `psycopg.sql.SQL(…).format(schema=…)`: nobody reads the table in another way."""
_PART = "Some tables are copies of another generation's, the others are made of its facts."
_TRANSLATING = (
    *("incoming", "activity", "actors", "attachments", "kinds", "notes", "toggles"),
    *("json_guard", "shapes", "unfit", "urls"),
)
# Folders whole, and the files that translate: what only talks to other servers may change without a rebuild.
HASHED = (
    "domain",
    "projections",
    "adapters/interpreter",
    "adapters/html.py",
    "adapters/postgres/arrays.py",
    *(f"adapters/activitypub/{name}.py" for name in _TRANSLATING),
)
_GENERATIONS = "SELECT n, code_hash, status, retained FROM app.generations"
# Whoever reads or projects a generation names the connection after it.
_USERS = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = ANY(%s)
"""
_LEAVE = "UPDATE app.generations SET status = 'kept', retained = %s, left_at = now() WHERE status = 'live'"
_CHECKPOINT_TABLE = """
CREATE TABLE checkpoint (application_name text PRIMARY KEY, notification_id bigint NOT NULL);
"""


class Generation(msgspec.Struct, frozen=True):
    """A row of app.generations; `status` is building, live or kept, the latter `retained` to be gone back to."""

    n: int
    code_hash: str
    status: str
    retained: bool = False

    @property
    def schema(self) -> str:
        """Where its tables are."""
        return schema_of(self.n)


def schema_of(n: int) -> str:
    """Where the tables of the generation of this number are."""
    return f"read_{n}"


@cache
def code_hash() -> str:
    """The hash of the code that read models are made by, 32 hex digits."""
    return hash_of(Path(__file__).parents[2])


def hash_of(root: Path) -> str:
    """The same of the packages in any folder."""
    digest = hashlib.sha256(_versions().encode())
    for name in HASHED:
        for source in [root / name] if name.endswith(".py") else sorted((root / name).rglob("*.py")):
            digest.update(str(source.relative_to(root)).encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()[:32]


def live(connection: psycopg.Connection) -> Generation | None:
    """The generation that is being read."""
    row = connection.execute(_GENERATIONS + " WHERE status = 'live'").fetchone()
    return Generation(*row) if row else None


def all_of_them(connection: psycopg.Connection) -> list[Generation]:
    """Every generation there is, oldest first."""
    rows = connection.execute(_GENERATIONS + " ORDER BY n").fetchall()
    return [Generation(*row) for row in rows]


def made_at(connection: psycopg.Connection, generation: Generation) -> datetime | None:
    """When it was made; None where nobody noted it."""
    row = connection.execute("SELECT made_at FROM app.generations WHERE n = %s", [generation.n]).fetchone()
    return row[0] if row else None


def create(owner: psycopg.Connection, app_role: str) -> Generation:
    """Make the next generation's empty tables, for this code. Commits."""
    with owner.transaction():
        owner.execute("LOCK TABLE app.generations IN EXCLUSIVE MODE")
        row = owner.execute("SELECT coalesce(max(n), 0) + 1 FROM app.generations").fetchone()
        assert row is not None
        made = Generation(row[0], code_hash(), "building")
        schema = sql.Identifier(made.schema)
        owner.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
        owner.execute(sql.SQL("SET LOCAL search_path = {}").format(schema))
        for projection in PROJECTIONS:
            owner.execute(projection.tables)
        owner.execute(_CHECKPOINT_TABLE)
        owner.execute("INSERT INTO checkpoint VALUES (%s, 0)", [APPLICATION])
        grant(owner, made, app_role)
        owner.execute("INSERT INTO app.generations (n, code_hash, status) VALUES (%s, %s, 'building')", made_row(made))
    return made


def grant(owner: psycopg.Connection, generation: Generation, app_role: str) -> None:
    """Let the role that the processes connect as read and project it; again changes nothing."""
    named = (sql.Identifier(generation.schema), sql.Identifier(app_role))
    owner.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(*named))
    granted = sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {} TO {}")
    owner.execute(granted.format(*named))


def made_row(generation: Generation) -> list[int | str]:
    """The values that identify a generation in its table."""
    return [generation.n, generation.code_hash]


def switch(owner: psycopg.Connection, to: Generation, *, retain: bool = False) -> None:
    """Make `to` the one that is read. Commits, and tells everybody.

    The one before is kept: with `retain` to be gone back to, else until nobody reads it any more.
    """
    with owner.transaction():
        owner.execute(_LEAVE, [retain])
        owner.execute("UPDATE app.generations SET status = 'live', retained = false WHERE n = %s", [to.n])
        owner.execute("SELECT pg_notify(%s, %s)", [CHANNEL, str(to.n)])


def drop(owner: psycopg.Connection, generation: Generation) -> None:
    """Remove a generation that nobody reads; one that is live by now stays. Commits."""
    with owner.transaction():
        removed = owner.execute("DELETE FROM app.generations WHERE n = %s AND status <> 'live'", [generation.n])
        if removed.rowcount:
            owner.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(generation.schema)))


def in_use(connection: psycopg.Connection, generation: Generation) -> bool:
    """Whether anybody still reads or projects it, a reader that just finishes its requests included."""
    names = [f"daybook {generation.schema}", f"daybook project {generation.schema}"]
    row = connection.execute(_USERS, [names]).fetchone()
    return bool(row and row[0])


def replace_lost(owner: psycopg.Connection, app_role: str) -> Generation | None:
    """Put an empty generation in the place of a live one by this code that lacks tables; None when none does. Commits.

    It is to be built before anybody reads it.
    """
    held = lost(owner)
    if held is None:
        return None
    with owner.transaction():
        owner.execute("UPDATE app.generations SET status = 'kept' WHERE n = %s", [held.n])
        made = create(owner, app_role)
        owner.execute("DELETE FROM app.generations WHERE n = %s", [held.n])
        owner.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(held.schema)))
        owner.execute("SELECT pg_notify(%s, %s)", [CHANNEL, str(made.n)])
    return made


def lost(connection: psycopg.Connection) -> Generation | None:
    """The live generation, if it is by this code and lacks tables."""
    held = live(connection)
    if held is None or held.code_hash != code_hash() or is_whole(connection, held):
        return None
    return held


def is_there(connection: psycopg.Connection, generation: Generation) -> bool:
    """Whether it has a schema at all."""
    return connection.execute("SELECT to_regnamespace(%s)", [generation.schema]).fetchone() != (None,)


def is_whole(connection: psycopg.Connection, generation: Generation) -> bool:
    """Whether every table is there."""
    rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [generation.schema]).fetchall()
    return {name for (name,) in rows} >= {*KEYS, "checkpoint"}


def checkpoint_of(n: int) -> sql.Composed:
    """The statement for the log position that the generation of this number has come to: one row, (position)."""
    return sql.SQL(CHECKPOINT).format(schema=sql.Identifier(schema_of(n)))


def position_of(connection: psycopg.Connection, generation: Generation) -> int:
    """The log position that this generation has come to."""
    row = connection.execute(checkpoint_of(generation.n)).fetchone()
    return row[0] if row else 0


def hold(connection: psycopg.Connection, generation: Generation) -> int:
    """The same, and nobody moves on from it before the transaction has ended."""
    row = connection.execute(checkpoint_of(generation.n) + sql.SQL(" FOR UPDATE")).fetchone()
    return row[0] if row else 0


def mark_part(connection: psycopg.Connection, generation: Generation) -> None:
    """Note that some of its tables were copied rather than made of the log."""
    # With the schema, so that it goes with it; whoever reads or projects never comes by.
    query = sql.SQL("COMMENT ON SCHEMA {} IS {}")
    connection.execute(query.format(sql.Identifier(generation.schema), sql.Literal(_PART)))


def is_part(connection: psycopg.Connection, generation: Generation) -> bool:
    """Whether `mark_part` has noted so."""
    query = "SELECT obj_description(to_regnamespace(%s), 'pg_namespace') = %s"
    row = connection.execute(query, [generation.schema, _PART]).fetchone()
    return bool(row and row[0])


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


def _versions() -> str:
    libraries = " ".join(f"{name} {version(name)}" for name in ("idna", "msgspec"))
    return f"{SANITISER_VERSION} Unicode {unicodedata.unidata_version} {libraries}"
