"""The master key of a backup at the command line: a wrong one is told before anything else is done."""

from pathlib import Path

import pytest

from tests.database import MASTER_KEY
from tests.workers.operator import Operator

WRONG = bytes(32).hex()
COMMANDS = (["restore"], ["restore", "--dry-run"], ["backup", "verify"])


@pytest.fixture
def folder(operator: Operator, tmp_path: Path) -> Path:
    """A backup; the operator is on a new machine then, with neither key nor database."""
    made = tmp_path / "backup"
    operator.says("backup", str(made))
    for name in ("DATABASE_URL", "DAYBOOK_DATABASE_APP_URL", "DAYBOOK_MASTER_KEY"):
        del operator.environ[name]
    operator.environ["DAYBOOK_DATA"] = str(tmp_path / "new")
    return made


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Somebody's copy of the right key."""
    made = tmp_path / "my-copy"
    made.write_text(MASTER_KEY.hex())
    return made


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_master_key_is_told_before_a_file_is_looked_at_or_anything_is_made(
    operator: Operator, folder: Path, tmp_path: Path, command: list[str]
) -> None:
    next(folder.glob("log/events-*")).unlink()
    (tmp_path / "wrong").write_text(WRONG)
    said = operator.refused(*command, str(folder), "--master-key-file", str(tmp_path / "wrong"))
    assert f"The master key in {tmp_path / 'wrong'} is not the one of this backup" in said
    operator.environ["DAYBOOK_MASTER_KEY"] = WRONG
    assert "The master key in DAYBOOK_MASTER_KEY is not the one" in operator.refused(*command, str(folder))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_damaged_secrets_are_told_as_damage_and_not_as_a_wrong_key(
    operator: Operator, folder: Path, copy: Path, command: list[str]
) -> None:
    (secrets,) = folder.glob("app/secrets-*")
    content = bytearray(secrets.read_bytes())
    content[len(content) // 2] ^= 1
    secrets.write_bytes(content)
    done = operator.run(*command, str(folder), "--master-key-file", str(copy))
    assert (done.returncode, f"Damaged: {secrets} was changed" in done.stdout) == (3, True), done.stdout + done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_without_a_key_is_refused_in_a_sentence(
    operator: Operator, folder: Path, tmp_path: Path, command: list[str]
) -> None:
    assert "can't be read (No such file or directory)" in operator.refused(
        *command, str(folder), "--master-key-file", str(tmp_path / "nowhere")
    )
    (tmp_path / "binary").write_bytes(b"\xff" * 32)
    assert "must hold 32 bytes as text" in operator.refused(
        *command, str(folder), "--master-key-file", str(tmp_path / "binary")
    )


def test_a_backup_is_proved_with_a_copy_of_the_key(operator: Operator, folder: Path, copy: Path) -> None:
    assert "Proved" in operator.says("backup", "verify", str(folder), "--master-key-file", str(copy))


def test_a_dry_run_with_the_right_copy_says_that_it_could_be_restored(
    operator: Operator, folder: Path, copy: Path, tmp_path: Path
) -> None:
    said = operator.says("restore", str(folder), "--dry-run", "--master-key-file", str(copy))
    assert "It could be restored." in said
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("command", COMMANDS[:2])
def test_what_is_restored_must_start_with_the_key_that_is_there(
    operator: Operator, folder: Path, copy: Path, tmp_path: Path, command: list[str]
) -> None:
    operator.environ["DAYBOOK_MASTER_KEY"] = WRONG
    said = operator.refused(*command, str(folder), "--master-key-file", str(copy))
    assert "DAYBOOK_MASTER_KEY holds another master key than the one of this backup" in said
    assert not (tmp_path / "new").exists()
