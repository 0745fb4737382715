"""A backup of a database and its pictures: whole, of one moment, added to, and never taken for one when it is not."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from adapters.backup import tables
from adapters.backup.checking import damages
from adapters.backup.making import backing_up
from adapters.backup.manifest import BackupError, Manifest, read
from adapters.backup.moment import SEGMENT_EVENTS_MAX
from adapters.backup.pictures import listed
from adapters.backup.restoring import restore_database, restore_pictures
from adapters.codec import Codec, Sealed
from adapters.config import Settings
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.postgres import generations
from adapters.postgres.migrate import MigrationError, apply_migrations, lay_out, migrations
from adapters.postgres.secrets import PEPPER
from adapters.postgres.writer import GroupWriter, NewEvent
from tests.adapters.postgres.test_migrate import SCHEMA, WRITTEN_DOWN
from tests.database import APP_PASSWORD, APP_ROLE, MASTER_KEY, Database, clone

TIMEOUT_S = 60
SHOWN = "SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_schema = 'public'"
SOMETHING = r"""
    INSERT INTO app.users (account, username, password_hash, role, created_at)
    VALUES (1, E'tab\there', 'x', 'user', '2026-11-26 12:00:00.123456+01'),
        (2, 'b', E'back\\slash\n', 'owner', now());
    INSERT INTO app.apps (name, redirect_uris, scopes, client_id, secret_hash, created_at)
    VALUES ('a', '{"x y",NULL,"\"{"}', '{}', 'c', '\x00ff', now());
    INSERT INTO app.access_tokens (token_hash, app, account, scopes, created_at) VALUES ('\x01', 1, 1, '{}', now());
    INSERT INTO app.jobs (kind, subject, payload, lane, due_at) VALUES ('k', 's', '{"a": "é"}', 'l', 'infinity');
    UPDATE app.reactor SET position = 3;
"""
TAMPER = "ALTER TABLE log.events DISABLE TRIGGER USER;"
NEW_TOKEN = """
    INSERT INTO app.access_tokens (token_hash, app, scopes, created_at) VALUES ('', 1, '{}', now()) RETURNING id
"""
SCHEMAS = "SELECT nspname::text FROM pg_namespace WHERE nspname !~ '^(pg_|read_)' AND nspname <> 'information_schema'"


def say_nothing(step: str, done: int, goal: int) -> None:
    """For whom progress is no matter."""


class Kept:
    """An instance's database and data folder, and a folder for its backups."""

    def __init__(self, database: Database, place: Path) -> None:
        self.url = database.owner
        self.settings = Settings(
            data=place / "data", database_url=database.owner, database_app_url=database.app, master_key=MASTER_KEY.hex()
        )
        self.folder = place / "backup"
        with psycopg.connect(self.url) as owner:
            owner.execute(
                "INSERT INTO app.secrets VALUES (%s, %s) ON CONFLICT DO NOTHING",
                [PEPPER, Codec(MASTER_KEY).wrap_secret(bytes(32))],
            )

    def append(self, count: int, stream: str = "s") -> None:
        """Events that nobody opens."""
        writer = GroupWriter(self.url)
        try:
            new = [NewEvent(stream, None, Sealed("t", f"{n}".encode(), bytes(60))) for n in range(count)]
            writer.submit(new).result(TIMEOUT_S)
        finally:
            writer.close()

    def add_picture(self, name: str, content: bytes) -> None:
        place = self.settings.data / "media" / name[:2] / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url) as owner:
            owner.execute(statement.encode())

    def back_up(self, apart: Path | None = None) -> Manifest:
        with backing_up(self.settings, self.folder, apart) as run:
            return run.run(say_nothing, with_master_key=False)

    def files(self) -> dict[str, int]:
        """What lies in the folder, and which file it is to the file system."""
        paths = [path for path in self.folder.rglob("*") if path.is_file()]
        return {path.relative_to(self.folder).as_posix(): path.stat().st_ino for path in paths}


@pytest.fixture
def kept(database: Database, tmp_path: Path) -> Kept:
    """Something of everything: events, two accounts with an app and a token, a picture."""
    made = Kept(database, tmp_path)
    made.append(5)
    made.execute(SOMETHING)
    made.add_picture(f"{'ab' * 16}.png", b"picture")
    return made


@pytest.fixture
def empty(postgres_server: EmbeddedPostgres) -> Iterator[Database]:
    """An empty database to restore into."""
    made = clone(postgres_server.dsn, "template0")
    yield made
    made.drop()


def rows_of(url: str) -> dict[str, bytes]:
    """Every table that a backup takes, as text."""
    with psycopg.connect(url, options=tables.SETTINGS) as connection:
        found = [one for name, one in tables.tables(connection).items() if name not in tables.NOT_COPIED]
        return {one.table: b"".join(tables.copy_table(connection, one).blocks()) for one in found}


def restore(kept: Kept, into: Database) -> str:
    return restore_database(into.owner, kept.folder, None, read(kept.folder), MASTER_KEY, say_nothing)


def test_every_row_of_every_table_is_there_again(kept: Kept, empty: Database) -> None:
    kept.back_up()
    epoch = restore(kept, empty)
    assert rows_of(empty.owner) == rows_of(kept.url)
    with psycopg.connect(empty.owner) as owner:
        assert owner.execute("SELECT position, epoch FROM log.head").fetchall() == [(5, epoch)]
    assert epoch != read(kept.folder).epoch


def test_nothing_of_a_database_is_outside_of_what_is_backed_up(kept: Kept) -> None:
    with psycopg.connect(kept.url) as owner:
        assert {name for (name,) in owner.execute(SCHEMAS)} == {"log", "keys", "app", "public"}
        assert [name for (name,) in owner.execute(SHOWN)] == ["public.daybook_migrations"]
        assert owner.execute("SELECT count(*) FROM pg_sequences WHERE schemaname <> 'app'").fetchone() == (0,)


def test_ids_that_were_given_out_are_not_given_out_again_after_a_restore(kept: Kept, empty: Database) -> None:
    kept.execute("DELETE FROM app.access_tokens")
    kept.back_up()
    restore(kept, empty)
    with psycopg.connect(empty.owner) as owner:
        assert owner.execute(NEW_TOKEN).fetchone() == (2,)


def test_a_backup_is_of_one_moment_whatever_is_written_meanwhile(kept: Kept, empty: Database) -> None:
    before = rows_of(kept.url)

    def go_on(step: str, done: int, goal: int) -> None:
        if step == "events":
            kept.append(3)
            kept.execute("DELETE FROM app.access_tokens; DELETE FROM keys.event_keys")

    with backing_up(kept.settings, kept.folder, None) as run:
        assert run.run(go_on, with_master_key=False).position == 5
    assert rows_of(kept.url) != before
    restore(kept, empty)
    assert rows_of(empty.owner) == before


def test_a_picture_that_comes_or_goes_while_a_backup_begins_is_in_it(kept: Kept) -> None:
    pictures = [f"{two * 16}.png" for two in ("ab", "cd")]

    def go_on(step: str, done: int, goal: int) -> None:
        if step == "pictures" and not (kept.settings.data / "media/cd").exists():
            (kept.settings.data / f"media/ab/{pictures[0]}").unlink()
            kept.add_picture(pictures[1], b"another")

    with backing_up(kept.settings, kept.folder, None) as run:
        manifest = run.run(go_on, with_master_key=False)
    assert [name.rpartition("/")[2] for name in listed(kept.folder, manifest.media)] == pictures
    assert damages(kept.folder, None, manifest, lambda done, goal: None) == []


def test_full_segments_and_pictures_are_written_once_and_the_log_grows(kept: Kept, empty: Database) -> None:
    kept.append(SEGMENT_EVENTS_MAX)
    first = kept.back_up()
    before = kept.files()
    kept.append(5)
    with backing_up(kept.settings, kept.folder, None) as run:
        assert run.plan().events_kept == SEGMENT_EVENTS_MAX
    second = kept.back_up()
    after = kept.files()
    assert second.segments[0] == first.segments[0]
    assert after[first.segments[0].file] == before[first.segments[0].file]
    assert after[f"media/ab/{'ab' * 16}.png"] == before[f"media/ab/{'ab' * 16}.png"]
    assert first.segments[1].file not in after
    assert damages(kept.folder, None, second, lambda done, goal: None) == []
    restore(kept, empty)
    assert rows_of(empty.owner) == rows_of(kept.url)


def test_the_same_log_has_the_same_digest_in_another_backup(kept: Kept, tmp_path: Path) -> None:
    first = kept.back_up()
    kept.folder = tmp_path / "other"
    assert kept.back_up().digest == first.digest
    kept.append(1)
    assert kept.back_up().digest != first.digest


def test_what_was_destroyed_leaves_the_backup_with_the_next_one(kept: Kept) -> None:
    before = kept.back_up()
    kept.execute("DELETE FROM keys.event_keys WHERE position = 2")
    (kept.settings.data / f"media/ab/{'ab' * 16}.png").unlink()
    after = kept.back_up()
    assert (before.keys.rows, after.keys.rows) == (5, 4)
    keys = [name for name in kept.files() if name.startswith("keys/")]
    assert keys == [f"keys/{after.keys.file}"]
    assert not [name for name in kept.files() if name.startswith("media/")]


def test_keys_that_are_kept_apart_are_nowhere_else(kept: Kept, empty: Database, tmp_path: Path) -> None:
    kept.back_up()
    apart = tmp_path / "keys elsewhere"
    manifest = kept.back_up(apart)
    assert [path.name for path in apart.iterdir()] == [manifest.keys.file]
    assert not [name for name in kept.files() if name.startswith("keys/")]
    assert [damage.why for damage in damages(kept.folder, None, manifest, lambda done, goal: None)] == ["is missing"]
    restore_database(empty.owner, kept.folder, apart, manifest, MASTER_KEY, say_nothing)
    assert rows_of(empty.owner) == rows_of(kept.url)


@pytest.mark.parametrize("which", ["log/events-*", "keys/event_keys-*", "app/users-*", "media/ab/*", "media-*"])
def test_a_flipped_bit_in_any_file_is_found_and_the_file_named(kept: Kept, which: str) -> None:
    manifest = kept.back_up()
    (path,) = kept.folder.glob(which)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    (damage,) = damages(kept.folder, None, manifest, lambda done, goal: None)
    assert damage.path == path
    assert "was changed" in damage.why


@pytest.mark.parametrize("which", ["log/events-*", "keys/event_keys-*", "app/users-*", "media/ab/*", "media-*"])
def test_a_missing_file_is_found_and_named(kept: Kept, which: str) -> None:
    manifest = kept.back_up()
    (path,) = kept.folder.glob(which)
    path.unlink()
    (damage,) = damages(kept.folder, None, manifest, lambda done, goal: None)
    assert (damage.path, damage.why) == (path, "is missing")


def test_a_changed_manifest_is_refused(kept: Kept) -> None:
    kept.back_up()
    path = kept.folder / "manifest.json"
    path.write_text(path.read_text().replace('"rows": 5', '"rows": 4', 1))
    with pytest.raises(BackupError, match="its seal is broken"):
        read(kept.folder)


def test_what_was_removed_or_damaged_is_written_anew_by_the_next_backup(kept: Kept, empty: Database) -> None:
    manifest = kept.back_up()
    for path in [kept.folder / manifest.segments[0].file, *kept.folder.glob("media/ab/*")]:
        path.unlink()
    assert damages(kept.folder, None, kept.back_up(), lambda done, goal: None) == []
    restore(kept, empty)


def test_a_folder_without_a_manifest_is_no_backup(kept: Kept, tmp_path: Path) -> None:
    kept.back_up()
    (kept.folder / "manifest.json").unlink()
    with pytest.raises(BackupError, match="a backup that was begun there never ended"):
        read(kept.folder)
    with pytest.raises(BackupError, match="there is no such folder"):
        read(tmp_path / "nowhere")


def test_a_backup_that_is_broken_off_leaves_the_one_before_it_whole(kept: Kept, empty: Database) -> None:
    before = kept.back_up()
    expected = rows_of(kept.url)
    files = kept.files()
    kept.append(2)
    kept.execute("DELETE FROM app.access_tokens")
    kept.add_picture(f"{'cd' * 16}.png", b"another")

    def interrupt_at(step: str, done: int, goal: int) -> None:
        if (step, done) == ("tables", goal):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), backing_up(kept.settings, kept.folder, None) as run:
        run.run(interrupt_at, with_master_key=False)
    assert read(kept.folder) == before
    assert kept.files().keys() == files.keys()
    assert damages(kept.folder, None, before, lambda done, goal: None) == []
    restore(kept, empty)
    assert rows_of(empty.owner) == expected


def test_keys_that_were_beside_the_log_leave_it_once_they_are_kept_apart_and_not_before(
    kept: Kept, tmp_path: Path
) -> None:
    before = kept.back_up()

    def interrupt(step: str, done: int, goal: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), backing_up(kept.settings, kept.folder, tmp_path / "apart") as run:
        run.run(interrupt, with_master_key=False)
    assert damages(kept.folder, None, before, lambda done, goal: None) == []
    kept.back_up(tmp_path / "apart")
    assert not list(kept.folder.glob("keys/*"))


def test_read_models_that_a_replay_drops_meanwhile_cost_no_more_than_their_digests(kept: Kept) -> None:
    with psycopg.connect(kept.url, autocommit=True) as owner:
        made = generations.create(owner, APP_ROLE)
        generations.switch(owner, made)
        assert kept.back_up().read_models is not None
        with backing_up(kept.settings, kept.folder, None) as run:
            owner.execute(f"DROP SCHEMA {made.schema} CASCADE")
            manifest = run.run(say_nothing, with_master_key=False)
    assert manifest.read_models is None
    assert damages(kept.folder, None, manifest, lambda done, goal: None) == []


def test_another_life_of_the_log_is_not_mixed_into_a_backup(kept: Kept, empty: Database, tmp_path: Path) -> None:
    kept.back_up()
    restore(kept, empty)
    other = Kept(empty, tmp_path)
    with pytest.raises(BackupError, match="in another life"):
        other.back_up()


def test_a_log_that_was_changed_is_not_mixed_into_a_backup(kept: Kept) -> None:
    kept.back_up()
    kept.execute(
        "ALTER TABLE log.events DISABLE TRIGGER USER; UPDATE log.events SET topic = 'u' WHERE notification_id = 5"
    )
    with pytest.raises(BackupError, match="holds another log"):
        kept.back_up()


def test_a_log_that_lacks_an_event_can_not_be_backed_up(kept: Kept) -> None:
    kept.execute(f"{TAMPER} DELETE FROM log.events WHERE notification_id = 2")
    with pytest.raises(BackupError, match="The log lacks events between 1 and 5"):
        kept.back_up()


def test_an_event_that_is_not_what_was_appended_is_not_restored(kept: Kept, empty: Database) -> None:
    kept.execute(
        "ALTER TABLE log.events DISABLE TRIGGER USER; UPDATE log.events SET state = 'x' WHERE notification_id = 2"
    )
    kept.back_up()
    with pytest.raises(BackupError, match="1 of them other than they were appended"):
        restore(kept, empty)
    with psycopg.connect(empty.owner) as owner:
        assert {name for (name,) in owner.execute(SCHEMAS)} == {"public"}


def test_a_database_that_is_not_empty_is_not_written_to(kept: Kept) -> None:
    kept.back_up()
    before = rows_of(kept.url)
    with pytest.raises(BackupError, match="is not empty"):
        restore_database(kept.url, kept.folder, None, read(kept.folder), MASTER_KEY, say_nothing)
    assert rows_of(kept.url) == before


def test_nothing_is_restored_with_another_master_key(kept: Kept, empty: Database) -> None:
    kept.back_up()
    with pytest.raises(BackupError, match="is not the one of this backup"):
        restore_database(empty.owner, kept.folder, None, read(kept.folder), bytes(32), say_nothing)
    with psycopg.connect(empty.owner) as owner:
        assert {name for (name,) in owner.execute(SCHEMAS)} == {"public"}


def test_pictures_are_restored_and_one_that_is_damaged_is_not(kept: Kept, tmp_path: Path) -> None:
    manifest = kept.back_up()
    names = listed(kept.folder, manifest.media)
    restore_pictures(tmp_path / "new", kept.folder, names, say_nothing)
    (name,) = names
    assert (tmp_path / "new" / name).read_bytes() == b"picture"
    (kept.folder / name).write_bytes(b"other")
    with pytest.raises(BackupError, match="is damaged or missing"):
        restore_pictures(tmp_path / "newer", kept.folder, names, say_nothing)
    assert not (tmp_path / "newer" / name).exists()


def test_a_list_of_pictures_that_leads_elsewhere_is_refused(kept: Kept) -> None:
    manifest = kept.back_up()
    path = kept.folder / manifest.media.file
    path.write_text(f"{'0' * 64}  media/../../{'ab' * 16}.png\n")
    with pytest.raises(BackupError, match="is no list of pictures"):
        listed(kept.folder, manifest.media)


def test_pictures_that_lie_somewhere_else_are_missed_before_anything_is_written(kept: Kept) -> None:
    kept.execute(
        """
        INSERT INTO app.media (id, account, file, preview, media_type, width, height, preview_width, preview_height,
            blurhash, created_at, unattached_at) VALUES (1, 1, 'f', 'p', 't', 1, 1, 1, 1, 'b', now(), now())
        """
    )
    with (
        pytest.raises(BackupError, match="None of the 2 pictures that the database names"),
        backing_up(kept.settings, kept.folder, None, dry_run=True) as run,
    ):
        run.plan()
    assert not kept.folder.exists()


def test_an_older_schema_is_laid_out_as_it_was_and_can_be_brought_up_to_date(empty: Database) -> None:
    older = dict(list(applied_to(empty).items())[:4])
    with psycopg.connect(empty.owner) as owner:
        lay_out(owner, older)
        assert owner.execute("SELECT to_regclass('app.media')").fetchone() == (None,)
        assert apply_migrations(owner, APP_ROLE, APP_PASSWORD) == list(migrations())[4:]
        found = sorted(row[0] for row in owner.execute(SCHEMA.replace("%s", "%%s"), {"role": APP_ROLE}))
    assert "\n".join(found) + "\n" == WRITTEN_DOWN.read_text()


def test_a_backup_of_a_newer_daybook_is_told_to_update_the_program(empty: Database) -> None:
    with psycopg.connect(empty.owner) as owner, pytest.raises(MigrationError, match="update the program"):
        lay_out(owner, {**applied_to(empty), "9999_later.sql": "0"})


def applied_to(empty: Database) -> dict[str, str]:
    """The migrations that there are, with their checksums."""
    with psycopg.connect(empty.owner) as owner, owner.transaction(force_rollback=True):
        apply_migrations(owner, APP_ROLE, APP_PASSWORD)
        return dict(owner.execute("SELECT name, checksum FROM public.daybook_migrations ORDER BY name").fetchall())
