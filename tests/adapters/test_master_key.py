"""The master key: made once, never replaced by another."""

import base64
from pathlib import Path

import pytest

from adapters.config import Settings, SettingsError
from adapters.master_key import KEY_BYTES, load_master_key

KEY = bytes(range(KEY_BYTES))


def test_the_first_start_makes_a_key_that_later_starts_find(tmp_path: Path) -> None:
    made = load_master_key(Settings(data=tmp_path))
    assert len(made) == KEY_BYTES
    assert load_master_key(Settings(data=tmp_path)) == made
    assert (tmp_path / "master.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", [KEY.hex(), base64.b64encode(KEY).decode(), f" {KEY.hex().upper()}\n"])
def test_a_key_in_the_environment_is_hexadecimal_or_base64_and_leaves_no_file(text: str, tmp_path: Path) -> None:
    assert load_master_key(Settings(data=tmp_path, master_key=text)) == KEY
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["short", KEY.hex()[:-2], "zz" * KEY_BYTES, "é" * KEY_BYTES])
def test_a_key_of_another_length_is_refused_without_repeating_it(text: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="DAYBOOK_MASTER_KEY must hold 32 bytes") as caught:
        load_master_key(Settings(data=tmp_path, master_key=text))
    assert text not in str(caught.value)


def test_a_file_that_holds_no_text_is_told_what_it_must_hold(tmp_path: Path) -> None:
    (tmp_path / "master.key").write_bytes(b"\xff" * KEY_BYTES)
    with pytest.raises(SettingsError, match=r"master\.key must hold 32 bytes as text"):
        load_master_key(Settings(data=tmp_path))


def test_a_key_that_is_gone_while_its_database_is_there_is_not_made_anew(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("18\n")
    with pytest.raises(SettingsError, match="put it back"):
        load_master_key(Settings(data=tmp_path))
    assert not (tmp_path / "master.key").exists()
