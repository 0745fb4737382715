"""Proving that a backup can be restored: on a server of its own, replayed, and compared with what it must give.

What it must give is what the live read models were at the moment of the backup, which the manifest keeps as digests;
and, where the instance that it is of can be reached, its log as it is now, byte for byte.
"""

import shutil
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psycopg
from psycopg import sql

from adapters.backup import pictures, tables
from adapters.backup.manifest import Manifest
from adapters.backup.moment import snapshot
from adapters.backup.restoring import restore_database
from adapters.config import Settings
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.first_start import migrate
from adapters.founded import as_founded
from adapters.pacing import FAST_BATCH
from adapters.postgres import generations
from adapters.postgres.generations import Generation
from adapters.wiring import make_projector
from projections.catalogue import KEYS

# What is thrown away at the end need not survive a crash.
_FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
# Rows, their indexes and the read models, by what the compressed rows take.
ROOM_FACTOR = 5
_MISSING = """
    SELECT f.name FROM (SELECT file AS name FROM app.media UNION SELECT preview FROM app.media) f
    WHERE NOT f.name = ANY(%s) ORDER BY 1
"""

Tell = Callable[[str, int, int], None]


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `tables` maps each read model to its rows.

    `compared_with` says in words what the read models' digests were compared with, at `position`; None with the reason
    in `not_compared`. `different` names the tables that were not the same. `live_log` is True where the live instance's
    log begins with these very events, False where it does not, None where it could not be asked.
    """

    events: int
    position: int
    tables: dict[str, int]
    compared_with: tuple[str, ...]
    not_compared: str | None
    different: tuple[str, ...]
    live_log: bool | None
    missing_pictures: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against the backup; pictures that went while it was made don't."""
        return not self.different and self.live_log is not False


class Live(msgspec.Struct, frozen=True):
    """The instance that a backup is of, as it is now: whether its log begins with the backup's events, byte for byte,
    and the digests of its read models where they stand at the very position asked about and are by this code."""

    same_log: bool
    digests: dict[str, str] | None


def room_for(manifest: Manifest) -> int:
    """About how many bytes the proof takes for a while."""
    return ROOM_FACTOR * (manifest.bytes - manifest.media_bytes)


@contextmanager
def restored(
    settings: Settings, folder: Path, apart: Path | None, manifest: Manifest, key: bytes, work: Path | None, tell: Tell
) -> Generator[Settings]:
    """The backup on a server of its own, which is gone afterwards; gives the settings to reach it by.

    `work` is where its data lie meanwhile. Raises what restoring raises, and EmbeddedError.
    """
    place = Path(tempfile.mkdtemp(prefix="daybook-verify-", dir=work))
    server = EmbeddedPostgres(place, settings=_FORGETFUL)
    try:
        server.start()
        restore_database(server.dsn(), folder, apart, manifest, key, tell)
        alone = msgspec.structs.replace(
            settings,
            data=place,
            database_url=server.dsn(),
            database_app_url=None,
            redis_url=None,
            master_key=key.hex(),
        )
        yield as_founded(migrate(alone))
    finally:
        server.stop()
        shutil.rmtree(place, ignore_errors=True)


def prove(settings: Settings, folder: Path, manifest: Manifest, live_url: str | None, tell: Tell) -> Proof:
    """Replay what was restored (`settings` are those of `restored`), and compare."""
    assert settings.database_url is not None, "restored before"
    with psycopg.connect(settings.database_url, autocommit=True) as owner:
        made = generations.create(owner, owner.info.user)
        at_backup, compared, different = manifest.read_models, list[str](), set[str]()
        comparable = at_backup is not None and at_backup.code_hash == generations.code_hash()
        if at_backup is not None and comparable:
            _replay(settings, made, at_backup.position, tell)
            different |= _differing(generations.digests(owner, made), at_backup.digests)
            compared.append(f"what they were when it was made, at event {at_backup.position:,}")
        _replay(settings, made, manifest.position, tell)
        live = look_at_live(live_url, manifest, tell)
        if live is not None and live.digests is not None:
            different |= _differing(generations.digests(owner, made), live.digests)
            compared.append(f"what they are in the live instance, at event {manifest.position:,}")
        rows = {table: _count(owner, made, table) for table in KEYS}
        there = [name.rpartition("/")[2] for name in pictures.listed(folder, manifest.media)]
        missing = tuple(name for (name,) in owner.execute(_MISSING, [there]).fetchall())
    return Proof(
        events=manifest.position,
        position=manifest.position,
        tables=rows,
        compared_with=tuple(compared),
        not_compared=None if compared else _why_not(manifest),
        different=tuple(sorted(different)),
        live_log=None if live is None else live.same_log,
        missing_pictures=missing,
    )


def look_at_live(url: str | None, manifest: Manifest, tell: Tell) -> Live | None:
    """The instance at this URL; None if nobody answers there, or its log lives another life than the one backed up."""
    if url is None:
        return None
    try:
        with snapshot(url) as connection:
            head = connection.execute("SELECT position, epoch FROM log.head").fetchone()
            if head is None or head[1] != manifest.epoch:
                return None
            same = head[0] >= manifest.position and _same_log(connection, manifest, tell)
            return Live(same, _digests_at(connection, manifest.position))
    except (psycopg.OperationalError, psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return None


def _same_log(connection: psycopg.Connection, manifest: Manifest, tell: Tell) -> bool:
    for segment in manifest.segments:
        content = tables.content_of(connection, manifest.event_columns, segment.first, segment.last)
        if content != segment.content:
            return False
        tell("compared with the live log", segment.last, manifest.position)
    return True


def _digests_at(connection: psycopg.Connection, position: int) -> dict[str, str] | None:
    live = generations.live(connection)
    if live is None or live.code_hash != generations.code_hash():
        return None
    if generations.position_of(connection, live) != position:
        return None
    return generations.digests(connection, live)


def _replay(settings: Settings, made: Generation, to: int, tell: Tell) -> None:
    assert settings.database_url is not None, "restored before"
    projector = make_projector(settings, settings.database_url, made)
    try:
        while projector.position() < to:
            projector.step(FAST_BATCH, to)
            tell("replayed", projector.position(), to)
    finally:
        projector.close()


def _differing(found: Mapping[str, str], wanted: Mapping[str, str]) -> set[str]:
    return {table for table in {*found, *wanted} if found.get(table) != wanted.get(table)}


def _count(owner: psycopg.Connection, made: Generation, table: str) -> int:
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(made.schema, table))
    row = owner.execute(query).fetchone()
    return row[0] if row else 0


def _why_not(manifest: Manifest) -> str:
    if manifest.read_models is None:
        return "when it was made, the live read models were being built, or were another version's"
    return "it was made by another version of Daybook, whose read models may rightly be others"
