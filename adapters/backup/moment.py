"""The database as of one moment: what a backup reads of it, and writes into the folder."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from adapters.backup import tables
from adapters.backup.manifest import BackupError, Manifest, ReadModels, Segment, Table
from adapters.backup.parts import write_part
from adapters.backup.pictures import FOLDER as PICTURES
from adapters.backup.pictures import found_in
from adapters.backup.tables import EVENT_KEYS, EVENTS, Found
from adapters.postgres import generations

SEGMENT_EVENTS_MAX = 20_000
CONNECT_TIMEOUT_S = 10
_PICTURES = "SELECT file FROM app.media UNION SELECT preview FROM app.media ORDER BY 1"
_HEAD = "SELECT position, epoch FROM log.head"
_MIGRATIONS = "SELECT name, checksum FROM public.daybook_migrations ORDER BY name"

Tell = Callable[[str, int, int], None]


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


class Moment:
    """What a snapshot's connection sees; full segments that `prior`, the folder's last backup, has are kept.

    Raises BackupError when that one is not of this log.
    """

    def __init__(self, connection: psycopg.Connection, folder: Path, prior: Manifest | None) -> None:
        self._connection = connection
        self._folder = folder
        self._prior = prior
        head = connection.execute(_HEAD).fetchone()
        assert head is not None, "the migrations make the head"
        self.position: int = head[0]
        self.epoch: str = head[1]
        self._tables = tables.tables(connection)
        self.event_columns = self._tables[EVENTS].columns
        segments = prior.segments if prior is not None and prior.event_columns == self.event_columns else ()
        self._prior_segments = {(one.first, one.last): one for one in segments}
        self._check_prior()

    def events_kept(self) -> int:
        """How many events are in full segments that are there already."""
        return sum(last - first + 1 for first, last in self._bounds() if self._kept(first, last) is not None)

    def bytes_max(self) -> int:
        """What the rest of the database will take in the folder at most: as much as it takes where it is."""
        left = self.position - self.events_kept()
        events = self._tables[EVENTS].disk_bytes * left // max(self.position, 1)
        return events + self._tables[EVENT_KEYS].disk_bytes + sum(one.disk_bytes for one in self._copied())

    def lost_pictures(self, data: Path) -> int:
        """How many pictures the database names that are not in `data`. Raises BackupError when none is."""
        named = [name for (name,) in self._connection.execute(_PICTURES).fetchall()]
        there = {name.rpartition("/")[2] for name in found_in(data)}
        lost = sum(name not in there for name in named)
        if lost and lost == len(named):
            raise BackupError(
                f"None of the {lost:,} pictures that the database names is in {data / PICTURES}: "
                "run this where they are, or set DAYBOOK_DATA to where that is."
            )
        return lost

    def segments(self, tell: Tell) -> tuple[Segment, ...]:
        """The log, of which only what is new is written."""
        made: list[Segment] = []
        for first, last in self._bounds():
            made.append(self._kept(first, last) or self._segment(first, last))
            tell("events", last, self.position)
        return tuple(made)

    def keys(self, folder: Path, own: str) -> Table:
        """The events' keys, into a folder of their own; `own` tells them from those of other backups there."""
        return self._table(folder, "", self._tables[EVENT_KEYS], f"-{own}")

    def app_tables(self, tell: Tell) -> tuple[Table, ...]:
        """Everything that is neither replayed nor switched."""
        copied, written = self._copied(), list[Table]()
        for number, table in enumerate(copied, start=1):
            written.append(self._table(self._folder, "app/", table))
            tell("tables", number, len(copied))
        return tuple(written)

    def migrations(self) -> dict[str, str]:
        """Name and checksum of those that made the schema."""
        return dict(self._connection.execute(_MIGRATIONS).fetchall())

    def read_models(self) -> ReadModels | None:
        """The digests of the live read models; None while there are none by this code."""
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

    def _check_prior(self) -> None:
        prior = self._prior
        if prior is None:
            return
        if prior.epoch != self.epoch or prior.position > self.position:
            raise BackupError(
                f"{self._folder} holds a backup of {prior.origin} in another life (epoch {prior.epoch[:8]}, "
                f"{prior.position:,} events): this log is of epoch {self.epoch[:8]} and has {self.position:,}. "
                "Choose another folder, and keep that one as it is."
            )
        for segment in prior.segments[-1:]:
            content = tables.content_of(self._connection, self.event_columns, segment.first, segment.last)
            if content != segment.content:
                raise BackupError(
                    f"{self._folder} holds another log: events {segment.first:,} to {segment.last:,} are not the same. "
                    "Choose another folder, and find out which of the two was changed."
                )

    def _bounds(self) -> list[tuple[int, int]]:
        firsts = range(1, self.position + 1, SEGMENT_EVENTS_MAX)
        return [(first, min(first + SEGMENT_EVENTS_MAX - 1, self.position)) for first in firsts]

    def _kept(self, first: int, last: int) -> Segment | None:
        """The segment as the last backup wrote it, if its file is still there."""
        segment = self._prior_segments.get((first, last))
        path = self._folder / segment.file if segment is not None else None
        whole = path is not None and segment is not None and path.exists() and path.stat().st_size == segment.bytes
        return segment if whole else None

    def _segment(self, first: int, last: int) -> Segment:
        copying = tables.copy_events(self._connection, self.event_columns, first, last)
        part, content = write_part(self._folder, f"log/events-{first:012}-{last:012}", ".zst", copying.blocks())
        if copying.rows != last - first + 1:
            raise BackupError(f"The log lacks events between {first:,} and {last:,}: it can't be backed up as it is.")
        return Segment(file=part.file, sha256=part.sha256, bytes=part.bytes, first=first, last=last, content=content)

    def _copied(self) -> list[Found]:
        return tables.copied(self._connection)

    def _table(self, root: Path, folder: str, table: Found, suffix: str = "") -> Table:
        copying = tables.copy_table(self._connection, table)
        part = write_part(root, folder + table.table.partition(".")[2] + suffix, ".zst", copying.blocks()).part
        return Table(
            file=part.file,
            sha256=part.sha256,
            bytes=part.bytes,
            table=table.table,
            columns=table.columns,
            rows=copying.rows,
        )
