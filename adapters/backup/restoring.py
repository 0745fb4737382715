"""Putting a backup back: into an empty database, in one transaction, and into a data folder without pictures.

This is no fourth way to write the log: nothing is appended, only what was written is there again, under its old
positions. The epoch is new, so that whoever remembers a position of the other life does not mistake it for one of this.
"""

import os
import uuid
from collections.abc import Callable
from pathlib import Path

import psycopg

from adapters.backup import pictures, tables
from adapters.backup.manifest import BackupError, Manifest, Segment, Table, digest_of, keys_folder
from adapters.backup.parts import read_part
from adapters.backup.tables import EVENTS
from adapters.backup.unlocking import where_kept
from adapters.codec import Codec
from adapters.config import Settings, SettingsError
from adapters.master_key import NAME as MASTER_KEY
from adapters.master_key import master_key_if_any
from adapters.postgres import secrets
from adapters.postgres.migrate import lay_out

CONNECT_TIMEOUT_S = 10
_SCHEMAS = "SELECT nspname::text FROM pg_namespace WHERE nspname IN ('log', 'keys', 'app') ORDER BY 1"
_WHOLE = """
    SELECT count(*), coalesce(min(notification_id), 1), coalesce(max(notification_id), 0),
        count(*) FILTER (WHERE digest <> sha256(state))
    FROM log.events
"""
_HEAD = "UPDATE log.head SET position = %s, epoch = %s"

Tell = Callable[[str, int, int], None]


def refuse_other_key(settings: Settings, key: bytes) -> None:
    """Raise BackupError when the instance would be started with another master key than what is restored needs."""
    if master_key_if_any(settings) not in (None, key):
        raise BackupError(
            f"{where_kept(settings)} holds another master key than the one of this backup, and the instance would be "
            "started with that: put the right one there, or move it aside."
        )


def put_master_key(settings: Settings, key: bytes) -> None:
    """Keep the key where the instance looks for it, unless it has it already."""
    path = settings.data / MASTER_KEY
    if settings.master_key is None and not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(key.hex() + "\n")
            file.flush()
            os.fsync(file.fileno())


def refuse_used_pictures(data: Path, listed: dict[str, str]) -> None:
    """Raise BackupError when a data folder has pictures that are not this backup's."""
    others = set(pictures.found_in(data)) - set(listed)
    if others:
        raise BackupError(
            f"{data / pictures.FOLDER} has {len(others):,} pictures of something else: move it away, "
            "or set DAYBOOK_DATA to a new folder."
        )


def restore_pictures(data: Path, folder: Path, listed: dict[str, str], tell: Tell) -> None:
    """Copy them; again changes nothing. Raises BackupError for one that is not what it was."""
    for number, (name, sha256) in enumerate(listed.items(), start=1):
        if pictures.copy(folder / name, data / name) != sha256:
            (data / name).unlink(missing_ok=True)
            raise BackupError(f"{folder / name} is damaged or missing: take another copy of this backup.")
        tell("pictures", number, len(listed))


def restore_database(
    owner_url: str, folder: Path, apart: Path | None, manifest: Manifest, key: bytes, tell: Tell
) -> str:
    """Fill an empty database, all or nothing; gives its new epoch.

    `key` must open its secrets. Raises BackupError when it does not, when the database is not empty, or what is in the
    files is not what the manifest says; MigrationError when it is of a newer Daybook.
    """
    try:
        with psycopg.connect(
            owner_url,
            application_name="daybook restore",
            options=tables.SETTINGS,
            client_encoding="utf8",
            connect_timeout=CONNECT_TIMEOUT_S,
        ) as owner:
            _refuse_used(owner)
            lay_out(owner, manifest.migrations)
            _fill(owner, folder, apart, manifest, tell)
            _check_key(owner, key)
            epoch = uuid.uuid4().hex
            owner.execute(_HEAD, [manifest.position, epoch])
        with psycopg.connect(owner_url, autocommit=True) as owner:
            # Without statistics the planner takes a full log for an empty one.
            owner.execute("ANALYZE")
    except psycopg.OperationalError as error:
        raise BackupError(f"The database does not answer, and nothing is restored: {str(error).strip()}") from error
    except psycopg.DataError as error:
        raise BackupError(f"What the backup holds does not fit, and nothing is restored: {error}") from error
    return epoch


def check_database(owner_url: str) -> None:
    """Raise BackupError when something of Daybook is in this database, or nobody answers."""
    try:
        with psycopg.connect(owner_url, connect_timeout=CONNECT_TIMEOUT_S) as owner:
            _refuse_used(owner)
    except psycopg.OperationalError as error:
        raise BackupError(f"The database that DATABASE_URL names can't be used: {str(error).strip()}") from error


def _refuse_used(owner: psycopg.Connection) -> None:
    there = [name for (name,) in owner.execute(_SCHEMAS).fetchall()]
    if there:
        raise BackupError(
            f"The database {owner.info.dbname} is not empty (it has the schemas {', '.join(there)}), and nothing is "
            "written over: move the data folder away, or set DAYBOOK_DATA to another; of a server of yours, make a "
            "new database and name it in DATABASE_URL."
        )


def _check_key(owner: psycopg.Connection, key: bytes) -> None:
    try:
        secrets.read_secret(owner, Codec(key), secrets.PEPPER)
    except SettingsError as error:
        raise BackupError(
            "The master key that is here is not the one of this backup, and nothing is restored: put the right one in "
            "its place (DAYBOOK_MASTER_KEY, or master.key in the data folder)."
        ) from error


def _fill(owner: psycopg.Connection, folder: Path, apart: Path | None, manifest: Manifest, tell: Tell) -> None:
    if manifest.digest != digest_of(manifest.segments):
        raise BackupError("The manifest's digest is not that of its events: take another copy of this backup.")
    # The event's column order is the manifest's, so an older log fits its own schema.
    for segment in manifest.segments:
        _fill_events(owner, folder, manifest, segment)
        tell("events", segment.last, manifest.position)
    _fill_table(owner, keys_folder(folder, apart), manifest.keys)
    # The migrations put a row or two into some of them.
    tables.empty(owner, [table.table for table in manifest.tables])
    for number, table in enumerate(manifest.tables, start=1):
        _fill_table(owner, folder, table)
        tell("tables", number, len(manifest.tables))
    for column, last in manifest.sequences.items():
        tables.set_sequence(owner, column, last)
    row = owner.execute(_WHOLE).fetchone()
    if row != (manifest.position, 1, manifest.position, 0):
        raise BackupError(
            f"The log is not whole: of {manifest.position:,} events there are {row[0] if row else 0:,}, "
            f"{row[3] if row else 0:,} of them other than they were appended."
        )


def _fill_events(owner: psycopg.Connection, folder: Path, manifest: Manifest, segment: Segment) -> None:
    rows = tables.copy_in(owner, EVENTS, manifest.event_columns, read_part(folder, segment))
    if rows != segment.last - segment.first + 1:
        raise BackupError(f"{folder / segment.file} has {rows:,} events, not {segment.first:,} to {segment.last:,}.")


def _fill_table(owner: psycopg.Connection, folder: Path, table: Table) -> None:
    rows = tables.copy_in(owner, table.table, table.columns, read_part(folder, table))
    if rows != table.rows:
        raise BackupError(f"{folder / table.file} has {rows:,} rows of {table.table}, and {table.rows:,} were written.")
