"""Making a backup beside a running instance: one snapshot of the database, and the pictures around it.

Into a folder that has one already only what is new is written: full segments of the log and pictures never change.
Keys, accounts and all else are written whole each time, and the old ones removed, so that what was destroyed since
(an erased event's key, a deleted picture) leaves the backup with the next one.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec
import psycopg

from adapters.backup import tables
from adapters.backup.manifest import (
    FORMAT,
    BackupError,
    Manifest,
    Part,
    ReadModels,
    Segment,
    Table,
    digest_of,
    keys_folder,
    read_if_any,
    sync_folder,
    write,
)
from adapters.backup.parts import DRAFT_ENDING, write_part
from adapters.backup.pictures import FOLDER as PICTURES
from adapters.backup.pictures import Collection, found_in, listed
from adapters.backup.tables import EVENT_KEYS, EVENTS, Found
from adapters.config import Settings, SettingsError
from adapters.master_key import load_master_key
from adapters.postgres import generations

SEGMENT_EVENTS_MAX = 20_000
CONNECT_TIMEOUT_S = 10
# What a whole backup may lie under; whatever else is in the folder is nobody's to remove.
_OURS = (
    *("log/events-*", "app/*-*", "keys/event_keys-*", "media/??/*", "media-*.sha256", "master-*.key"),
    *(f"{name}{DRAFT_ENDING}" for name in ("log/*", "app/*", "keys/event_keys", "media", "master")),
)
_PICTURES = "SELECT file FROM app.media UNION SELECT preview FROM app.media ORDER BY 1"
_HEAD = "SELECT position, epoch FROM log.head"
_MIGRATIONS = "SELECT name, checksum FROM public.daybook_migrations ORDER BY name"

Tell = Callable[[str, int, int], None]


class Plan(msgspec.Struct, frozen=True):
    """What a backup will do: `events_kept` are in the folder already; `bytes_max` is what it may write at most.

    `lost` are pictures that the database names and nobody finds.
    """

    events: int
    events_kept: int
    pictures: int
    lost: int
    bytes_max: int
    bytes_free: int


class Backup:
    """One backup under way, in the snapshot that it was opened with."""

    def __init__(self, connection: psycopg.Connection, settings: Settings, folder: Path, apart: Path | None) -> None:
        self._connection = connection
        self._settings = settings
        self._folder = folder
        self._apart = apart
        self.prior = read_if_any(folder)
        head = connection.execute(_HEAD).fetchone()
        assert head is not None, "the migrations make the head"
        self.position: int = head[0]
        self.epoch: str = head[1]
        self._tables = tables.tables(connection)
        self._event_columns = self._tables[EVENTS].columns
        reusable = self.prior is not None and self.prior.event_columns == self._event_columns
        segments = self.prior.segments if self.prior is not None and reusable else ()
        self._prior_segments = {(one.first, one.last): one for one in segments}
        known = {} if self.prior is None else listed(folder, self.prior.media)
        self._pictures = Collection(settings.data, folder, known)
        self._check_prior()

    def plan(self) -> Plan:
        """What there is to do, and whether there is room. Raises BackupError when the pictures are somewhere else."""
        lost = self._lost_pictures()
        kept = sum(last - first + 1 for first, last in self._bounds() if self._kept(first, last) is not None)
        events = self._tables[EVENTS].disk_bytes * (self.position - kept) // max(self.position, 1)
        rest = self._tables[EVENT_KEYS].disk_bytes + sum(one.disk_bytes for one in self._copied())
        lacking = self._pictures.lacking()
        return Plan(
            events=self.position,
            events_kept=kept,
            pictures=len(lacking),
            lost=lost,
            bytes_max=events + rest + sum(lacking.values()),
            bytes_free=shutil.disk_usage(
                next(one for one in (self._folder, *self._folder.parents) if one.exists())
            ).free,
        )

    def run(self, tell: Tell, *, with_master_key: bool) -> Manifest:
        """Write everything, the manifest last; `tell` hears (what, done, of how many).

        What was written is removed again when it fails. Raises BackupError, OSError when there is no room,
        psycopg.OperationalError when the database goes away.
        """
        try:
            made = self._write(tell, with_master_key=with_master_key)
        except BaseException:
            self._remove_leftovers({keys_folder(self._folder, None), keys_folder(self._folder, self._apart)})
            raise
        self._remove_leftovers({keys_folder(self._folder, self._apart)})
        return made

    def _write(self, tell: Tell, *, with_master_key: bool) -> Manifest:
        # Once before the snapshot is read and once after: what goes meanwhile was here, and what comes is here.
        self._pictures.collect(lambda done, goal: tell("pictures", done, goal))
        segments = self._segments(tell)
        copied = self._copied()
        keys = self._table(keys_folder(self._folder, self._apart), "", self._tables[EVENT_KEYS])
        written: list[Table] = []
        for number, table in enumerate(copied, start=1):
            written.append(self._table(self._folder, "app/", table))
            tell("tables", number, len(copied))
        read_models = self._read_models()
        self._pictures.collect(lambda done, goal: tell("pictures", done, goal))
        manifest = Manifest(
            format=FORMAT,
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            version=version("daybook"),
            origin=self._settings.origin,
            epoch=self.epoch,
            position=self.position,
            digest=digest_of(segments),
            migrations=dict(self._connection.execute(_MIGRATIONS).fetchall()),
            event_columns=self._event_columns,
            segments=segments,
            keys=keys,
            tables=tuple(written),
            # Behind the rows, so that none of them is given out again.
            sequences=tables.sequences(self._connection),
            media=write_part(self._folder, "media", ".sha256", self._pictures.lines()).part,
            media_files=len(self._pictures.hashes),
            media_bytes=self._pictures.bytes,
            read_models=read_models,
            master_key=self._master_key() if with_master_key else None,
        )
        for name in ("log", "app", "media"):
            if (self._folder / name).is_dir():
                sync_folder(self._folder / name)
        sync_folder(keys_folder(self._folder, self._apart))
        return write(self._folder, manifest)

    def _check_prior(self) -> None:
        prior = self.prior
        if prior is None:
            return
        if prior.epoch != self.epoch or prior.position > self.position:
            raise BackupError(
                f"{self._folder} holds a backup of {prior.origin} in another life (epoch {prior.epoch[:8]}, "
                f"{prior.position:,} events): this log is of epoch {self.epoch[:8]} and has {self.position:,}. "
                "Choose another folder, and keep that one as it is."
            )
        for segment in prior.segments[-1:]:
            content = tables.content_of(self._connection, self._event_columns, segment.first, segment.last)
            if content != segment.content:
                raise BackupError(
                    f"{self._folder} holds another log: events {segment.first:,} to {segment.last:,} are not the same. "
                    "Choose another folder, and find out which of the two was changed."
                )

    def _lost_pictures(self) -> int:
        named = [name for (name,) in self._connection.execute(_PICTURES).fetchall()]
        there = {name.rpartition("/")[2] for name in found_in(self._settings.data)}
        lost = sum(name not in there for name in named)
        if lost and lost == len(named):
            raise BackupError(
                f"None of the {lost:,} pictures that the database names is in {self._settings.data / PICTURES}: "
                "run this where they are, or set DAYBOOK_DATA to where that is."
            )
        return lost

    def _bounds(self) -> list[tuple[int, int]]:
        firsts = range(1, self.position + 1, SEGMENT_EVENTS_MAX)
        return [(first, min(first + SEGMENT_EVENTS_MAX - 1, self.position)) for first in firsts]

    def _kept(self, first: int, last: int) -> Segment | None:
        """The segment as the last backup wrote it, if its file is still there."""
        segment = self._prior_segments.get((first, last))
        path = self._folder / segment.file if segment is not None else None
        whole = path is not None and segment is not None and path.exists() and path.stat().st_size == segment.bytes
        return segment if whole else None

    def _segments(self, tell: Tell) -> tuple[Segment, ...]:
        made: list[Segment] = []
        for first, last in self._bounds():
            made.append(self._kept(first, last) or self._segment(first, last))
            tell("events", last, self.position)
        return tuple(made)

    def _segment(self, first: int, last: int) -> Segment:
        copying = tables.copy_events(self._connection, self._event_columns, first, last)
        part, content = write_part(self._folder, f"log/events-{first:012}-{last:012}", ".zst", copying.blocks())
        if copying.rows != last - first + 1:
            raise BackupError(f"The log lacks events between {first:,} and {last:,}: it can't be backed up as it is.")
        return Segment(file=part.file, sha256=part.sha256, bytes=part.bytes, first=first, last=last, content=content)

    def _copied(self) -> list[Found]:
        return tables.copied(self._connection)

    def _table(self, root: Path, folder: str, table: Found) -> Table:
        copying = tables.copy_table(self._connection, table)
        part = write_part(root, folder + table.table.partition(".")[2], ".zst", copying.blocks()).part
        return Table(
            file=part.file,
            sha256=part.sha256,
            bytes=part.bytes,
            table=table.table,
            columns=table.columns,
            rows=copying.rows,
        )

    def _read_models(self) -> ReadModels | None:
        live = generations.live(self._connection)
        if live is None or live.code_hash != generations.code_hash():
            return None
        try:
            # A replay that switched since the snapshot may have dropped them.
            with self._connection.transaction():
                return ReadModels(
                    code_hash=live.code_hash,
                    position=generations.position_of(self._connection, live),
                    digests=generations.digests(self._connection, live),
                )
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            return None

    def _master_key(self) -> Part:
        return write_part(self._folder, "master", ".key", [load_master_key(self._settings).hex().encode() + b"\n"]).part

    def _remove_leftovers(self, keys_in: set[Path]) -> None:
        """Remove whatever of ours the manifest that stands there now does not name; keys stay in these folders only."""
        wanted = set[Path]()
        if (stands := read_if_any(self._folder)) is not None:
            names = (*(part.file for part in stands.parts), *listed(self._folder, stands.media))
            wanted = {self._folder / name for name in names} | {place / stands.keys.file for place in keys_in}
        found = [path for pattern in _OURS for path in self._folder.glob(pattern)]
        if self._apart is not None:
            found += self._apart.glob("event_keys*")
        for path in found:
            if path not in wanted:
                path.unlink()


@contextmanager
def backing_up(settings: Settings, folder: Path, apart: Path | None, *, dry_run: bool = False) -> Generator[Backup]:
    """A backup of this instance into a folder, the only one at a time; a dry run leaves no trace.

    Raises SettingsError without the owner's database, BackupError when another one runs, there is no writing there, or
    what lies there is of another log.
    """
    if settings.database_url is None:
        raise SettingsError("A backup reads everything, which only the database's owner may: set DATABASE_URL.")
    try:
        with _locked(folder, dry_run=dry_run), snapshot(settings.database_url) as connection:
            yield Backup(connection, settings, folder, apart)
    except psycopg.OperationalError as error:
        raise BackupError(f"The database does not answer, so there is no backup: {str(error).strip()}") from error


@contextmanager
def snapshot(url: str) -> Generator[psycopg.Connection]:
    """A connection that sees the database as of one moment, and changes nothing."""
    with psycopg.connect(
        url,
        autocommit=True,
        application_name="daybook backup",
        options=tables.SETTINGS,
        client_encoding="utf8",
        connect_timeout=CONNECT_TIMEOUT_S,
    ) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        with connection.transaction():
            yield connection


@contextmanager
def _locked(folder: Path, *, dry_run: bool) -> Generator[None]:
    if dry_run:
        yield
        return
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BackupError(f"{folder} can't be written to ({error.strerror}): choose another folder.") from error
    with os.fdopen(descriptor) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BackupError(f"Another backup into {folder} is running: wait for it to end.") from error
        yield
