"""`daybook backup` and `daybook restore` at the command line: what they say, what they refuse, and the way out."""

import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psycopg
import pytest

from adapters.backup.manifest import read, write
from tests.database import MASTER_KEY
from tests.workers.operator import TIMEOUT_S, Operator

WAITING = "SELECT FROM pg_stat_activity WHERE application_name = 'daybook backup' AND wait_event_type = 'Lock'"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backup"


@contextmanager
def held_up_in_the_middle(operator: Operator, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A backup that waits for a table for as long as this lasts."""
    owner, pause = str(operator.settings.database_url), threading.Event()
    with psycopg.connect(owner) as connection, psycopg.connect(owner, autocommit=True) as watching:
        connection.execute("LOCK TABLE app.users IN ACCESS EXCLUSIVE MODE")
        process = subprocess.Popen(
            operator.command("backup", str(folder)),
            env=operator.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(int(TIMEOUT_S / 0.05)):
            if watching.execute(WAITING).fetchone() is not None:
                break
            pause.wait(0.05)
        else:
            raise AssertionError("it never came so far")
        yield process


def test_a_dry_run_says_what_would_be_written_and_writes_nothing(operator: Operator, folder: Path) -> None:
    said = operator.says("backup", str(folder), "--dry-run")
    assert "Backing up 3 events (0 are there already)" in said
    assert "Nothing is written" in said
    assert not folder.exists()


def test_the_master_key_is_left_out_and_where_it_is_is_told(operator: Operator, folder: Path) -> None:
    said = operator.says("backup", str(folder))
    assert "The master key is NOT in it: it is in DAYBOOK_MASTER_KEY." in said
    content = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert MASTER_KEY.hex().encode() not in content
    assert MASTER_KEY not in content


def test_the_master_key_is_put_in_when_asked_for_and_leaves_again_when_not(operator: Operator, folder: Path) -> None:
    assert "The master key IS in it" in operator.says("backup", str(folder), "--with-master-key")
    (key,) = folder.glob("master-*.key")
    assert key.read_text().strip() == MASTER_KEY.hex()
    assert key.stat().st_mode & 0o077 == 0
    del operator.environ["DAYBOOK_MASTER_KEY"]
    assert "Proved" in operator.says("backup", "verify", str(folder))
    operator.environ["DAYBOOK_MASTER_KEY"] = MASTER_KEY.hex()
    operator.says("backup", str(folder))
    assert not list(folder.glob("master-*"))


def test_nobody_else_may_read_a_backup(operator: Operator, folder: Path) -> None:
    operator.says("backup", str(folder))
    assert [path for path in [folder, *folder.rglob("*")] if path.stat().st_mode & 0o077] == []


def test_without_a_master_key_nothing_is_proved_and_that_is_said(operator: Operator, folder: Path) -> None:
    operator.says("backup", str(folder))
    del operator.environ["DAYBOOK_MASTER_KEY"]
    assert "whether it can be read is not proved" in operator.refused("backup", "verify", str(folder))
    assert not (operator.settings.data / "master.key").exists()


def test_a_live_log_that_is_not_the_one_that_was_backed_up_is_told(operator: Operator, folder: Path) -> None:
    operator.says("backup", str(folder))
    with psycopg.connect(str(operator.settings.database_url)) as owner:
        owner.execute("ALTER TABLE log.events DISABLE TRIGGER USER")
        owner.execute("UPDATE log.events SET digest = sha256('x') WHERE notification_id = 2")
    done = operator.run("backup", "verify", str(folder))
    assert done.returncode == 3, done.stdout
    assert "Not the same: the live instance's log does not begin with these events." in done.stdout


def test_read_models_of_another_version_are_compared_with_nothing_and_that_is_said(
    operator: Operator, folder: Path
) -> None:
    operator.project()
    operator.says("backup", str(folder))
    manifest = read(folder)
    assert manifest.read_models is not None
    others = msgspec.structs.replace(manifest.read_models, code_hash="0" * 32, digests={"statuses": ""})
    write(folder, msgspec.structs.replace(manifest, read_models=others))
    del operator.environ["DATABASE_URL"]
    said = operator.says("backup", "verify", str(folder))
    assert "These could be compared with nothing: it was made by another version of Daybook" in said
    assert "live" not in said


def test_a_database_in_use_is_refused_with_the_way_out(operator: Operator, folder: Path) -> None:
    operator.says("backup", str(folder))
    assert "make a new database and name it in DATABASE_URL" in operator.refused("restore", str(folder))


def test_a_dry_run_of_a_restore_leaves_nothing(operator: Operator, folder: Path, tmp_path: Path) -> None:
    operator.says("backup", str(folder))
    for name in ("DATABASE_URL", "DAYBOOK_DATABASE_APP_URL"):
        del operator.environ[name]
    operator.environ["DAYBOOK_DATA"] = str(tmp_path / "new")
    assert "It could be restored." in operator.says("restore", str(folder), "--dry-run")
    assert not (tmp_path / "new").exists()


def test_a_folder_that_is_no_backup_is_refused(operator: Operator, folder: Path) -> None:
    for command in (["backup", "verify"], ["restore"]):
        assert "holds no backup (there is no such folder)" in operator.refused(*command, str(folder))


def test_two_backups_into_one_folder_at_once_are_refused_in_a_sentence(operator: Operator, folder: Path) -> None:
    with held_up_in_the_middle(operator, folder) as process:
        assert "Another backup into" in operator.refused("backup", str(folder))
    said, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, said


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_backup_that_is_ended_in_the_middle_is_none_and_the_next_one_is_whole(
    operator: Operator, folder: Path, how: signal.Signals
) -> None:
    with held_up_in_the_middle(operator, folder) as process:
        process.send_signal(how)
        if how is signal.SIGKILL:
            process.wait(TIMEOUT_S)
    said, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == (-signal.SIGKILL if how is signal.SIGKILL else 130), said
    assert "a backup that was begun there never ended" in operator.refused("restore", str(folder))
    operator.says("backup", str(folder))
    assert not list(folder.rglob("*.new"))
