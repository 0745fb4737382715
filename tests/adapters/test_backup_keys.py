"""Keys that are kept apart may lie beside those of other backups: each lets go of its own, and of no other's."""

from pathlib import Path

import pytest

from adapters.backup.checking import damages
from adapters.backup.making import backing_up
from adapters.backup.manifest import Manifest, read
from tests.adapters.test_backup import Kept
from tests.database import Database


@pytest.fixture
def apart(tmp_path: Path) -> Path:
    return tmp_path / "keys of all"


@pytest.fixture
def kept(database: Database, tmp_path: Path) -> Kept:
    made = Kept(database, tmp_path)
    made.append(5)
    return made


def whole(folder: Path, apart: Path) -> bool:
    return damages(folder, apart, read(folder), lambda done, goal: None) == []


def back_up_into(kept: Kept, folder: Path, apart: Path) -> Manifest:
    kept.folder = folder
    return kept.back_up(apart)


def test_backups_that_keep_their_keys_in_one_folder_leave_each_other_s_alone(
    kept: Kept, tmp_path: Path, apart: Path
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    # The same keys in both: whose they are is not told by what they are.
    same = {back_up_into(kept, folder, apart).keys.sha256 for folder in (one, other)}
    assert len(same) == 1 and len(list(apart.iterdir())) == 2
    kept.append(1)
    back_up_into(kept, one, apart)
    assert whole(one, apart) and whole(other, apart)
    back_up_into(kept, other, apart)
    assert whole(one, apart) and whole(other, apart)
    assert len(list(apart.iterdir())) == 2


def test_a_folder_that_was_moved_keeps_its_keys_when_another_takes_its_place(
    kept: Kept, tmp_path: Path, apart: Path
) -> None:
    back_up_into(kept, tmp_path / "backup", apart)
    (tmp_path / "backup").rename(tmp_path / "last year's")
    kept.append(1)
    back_up_into(kept, tmp_path / "backup", apart)
    assert whole(tmp_path / "last year's", apart) and whole(tmp_path / "backup", apart)


def test_a_backup_that_is_broken_off_leaves_no_keys_of_its_own_and_takes_no_other_s(
    kept: Kept, tmp_path: Path, apart: Path
) -> None:
    def interrupt(step: str, done: int, goal: int) -> None:
        if step == "tables":
            raise KeyboardInterrupt

    back_up_into(kept, tmp_path / "other", apart)
    stranger = apart / "event_keys-of somebody's"
    stranger.touch()
    before = set(apart.iterdir())
    with pytest.raises(KeyboardInterrupt), backing_up(kept.settings, tmp_path / "backup", apart) as run:
        run.run(interrupt, with_master_key=False)
    assert set(apart.iterdir()) == before


def test_destroyed_keys_leave_the_folder_apart_with_the_next_backup_also_those_that_no_manifest_came_to_name(
    kept: Kept, apart: Path
) -> None:
    first = kept.back_up(apart)
    # As a backup leaves it that lost its power between its keys and its manifest.
    unnamed = apart / f"{first.keys.file.rpartition('-')[0]}-{'0' * 16}.zst"
    draft = apart / f"{first.keys.file.rpartition('-')[0]}.new"
    for path in (unnamed, draft):
        path.write_bytes(b"destroyed since")
    kept.execute("DELETE FROM keys.event_keys WHERE position = 2")
    second = kept.back_up(apart)
    assert second.keys.rows == 4
    assert [path.name for path in apart.iterdir()] == [second.keys.file]
