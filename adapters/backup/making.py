"""Making a backup beside a running instance: one moment of the database, and the pictures around it.

Into a folder that has one already only what is new is written: full segments of the log and pictures never change.
Keys, accounts and all else are written whole each time, and the old ones removed, so that what was destroyed since
(an erased event's key, a deleted picture) leaves the backup with the next one. Keys that are kept apart may lie beside
those of other backups: their names say whose they are.
"""

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Generator
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
    digest_of,
    keys_folder,
    read_if_any,
    sync_folder,
    write,
)
from adapters.backup.moment import Moment, Tell, snapshot
from adapters.backup.parts import DRAFT_ENDING, write_part
from adapters.backup.pictures import Collection, listed
from adapters.config import Settings, SettingsError
from adapters.master_key import load_master_key

# What a whole backup may lie under; whatever else is in the folder is nobody's to remove.
_OURS = (
    *("log/events-*", "app/*-*", "keys/event_keys-*", "media/??/*", "media-*.sha256", "master-*.key"),
    *(f"{name}{DRAFT_ENDING}" for name in ("log/*", "app/*", "media", "master")),
)
_ID_BYTES = 4
_ID = re.compile(rf"[0-9a-f]{{{2 * _ID_BYTES}}}")


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
    """One backup under way; `own` is what its folder has called itself since the first one there."""

    def __init__(self, url: str, settings: Settings, folder: Path, apart: Path | None, own: str) -> None:
        self._url = url
        self._settings = settings
        self._folder = folder
        self._apart = apart
        self._own = own
        self._prior = read_if_any(folder)
        known = {} if self._prior is None else listed(folder, self._prior.media)
        self._pictures = Collection(settings.data, folder, known)

    def plan(self) -> Plan:
        """What there is to do, and whether there is room.

        Raises BackupError when what lies in the folder is of another log, or the pictures are somewhere else.
        """
        with snapshot(self._url) as connection:
            moment = Moment(connection, self._folder, self._prior)
            lacking = self._pictures.lacking()
            return Plan(
                events=moment.position,
                events_kept=moment.events_kept(),
                pictures=len(lacking),
                lost=moment.lost_pictures(self._settings.data),
                bytes_max=moment.bytes_max() + sum(lacking.values()),
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
        # Most before the moment that the database is seen at, and what came until then just after it: a picture that a
        # row names was kept before the row, so it is there, though it may be taken away while the rest is written.
        self._pictures.collect(lambda done, goal: tell("pictures", done, goal))
        with snapshot(self._url) as connection:
            moment = Moment(connection, self._folder, self._prior)
            self._pictures.collect(lambda done, goal: tell("pictures", done, goal))
            segments = moment.segments(tell)
            manifest = Manifest(
                format=FORMAT,
                made_at=datetime.now(UTC).isoformat(timespec="seconds"),
                version=version("daybook"),
                origin=self._settings.origin,
                epoch=moment.epoch,
                position=moment.position,
                digest=digest_of(segments),
                migrations=moment.migrations(),
                event_columns=moment.event_columns,
                segments=segments,
                keys=moment.keys(keys_folder(self._folder, self._apart), self._own),
                tables=moment.app_tables(tell),
                # Behind the rows, so that none of them is given out again.
                sequences=tables.sequences(connection),
                media=write_part(self._folder, "media", ".sha256", self._pictures.lines()).part,
                media_files=len(self._pictures.hashes),
                media_bytes=self._pictures.bytes,
                read_models=moment.read_models(),
                master_key=self._master_key() if with_master_key else None,
            )
        for name in ("log", "app", "media"):
            if (self._folder / name).is_dir():
                sync_folder(self._folder / name)
        sync_folder(keys_folder(self._folder, self._apart))
        return write(self._folder, manifest)

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
            # Whatever else is there may be all that another backup can be read with.
            found += self._apart.glob(f"event_keys-{self._own}*")
            if self._prior is not None:
                found.append(self._apart / self._prior.keys.file)
        for path in set(found) - wanted:
            path.unlink(missing_ok=True)


@contextmanager
def backing_up(settings: Settings, folder: Path, apart: Path | None, *, dry_run: bool = False) -> Generator[Backup]:
    """A backup of this instance into a folder, the only one at a time; a dry run leaves no trace.

    Raises SettingsError without the owner's database, BackupError when another one runs or there is no writing there.
    """
    if settings.database_url is None:
        raise SettingsError("A backup reads everything, which only the database's owner may: set DATABASE_URL.")
    try:
        with _locked(folder, dry_run=dry_run) as own:
            yield Backup(settings.database_url, settings, folder, apart, own)
    except psycopg.OperationalError as error:
        raise BackupError(f"The database does not answer, so there is no backup: {str(error).strip()}") from error


@contextmanager
def _locked(folder: Path, *, dry_run: bool) -> Generator[str]:
    """Hold the folder, and give what it calls itself: a name that moves with it, and that no other folder gets."""
    if dry_run:
        yield ""
        return
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BackupError(f"{folder} can't be written to ({error.strerror}): choose another folder.") from error
    with os.fdopen(descriptor, "r+", encoding="ascii", errors="replace") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BackupError(f"Another backup into {folder} is running: wait for it to end.") from error
        own = lock.read()
        if not _ID.fullmatch(own):
            own = secrets.token_hex(_ID_BYTES)
            lock.seek(0)
            lock.truncate()
            lock.write(own)
            lock.flush()
            # Keys that are named after it must not outlast it.
            os.fsync(descriptor)
        yield own
