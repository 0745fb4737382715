"""Generations: which code makes read models anew, and when an old one may be dropped."""

import re
import shutil
from pathlib import Path

import psycopg
import pytest

from adapters.config import Settings
from adapters.first_account import prepare_database
from adapters.first_start import migrate
from adapters.postgres.generations import HASHED, Generation, all_of_them, code_hash, hash_of, is_whole
from tests.database import MASTER_KEY, Database

ROOT = Path(__file__).parents[3]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The packages that read models are made by, to be changed."""
    for package in ("domain", "projections", "adapters"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def hashed_files() -> list[Path]:
    return [
        file for name in HASHED for file in ([ROOT / name] if name.endswith(".py") else (ROOT / name).rglob("*.py"))
    ]


def wait_for_the_end_of(owner: psycopg.Connection, name: str) -> None:
    """A backend ends a little later than its connection was closed."""
    owner.execute(
        "SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = %s",
        [name],
    )


def test_the_same_code_elsewhere_has_the_same_hash(copy: Path) -> None:
    assert hash_of(copy) == code_hash()


@pytest.mark.parametrize(
    "name",
    ["domain/post.py", "projections/home.py", "adapters/interpreter/settle.py", "adapters/html.py"]
    + [f"adapters/activitypub/{name}.py" for name in ("incoming", "notes", "actors", "shapes", "unfit", "urls")],
)
def test_a_change_to_what_makes_read_models_makes_them_anew(copy: Path, name: str) -> None:
    with (copy / name).open("a") as file:
        file.write("# changed")
    assert hash_of(copy) != code_hash()


@pytest.mark.parametrize("name", ["signatures", "guard", "fetch", "remote_keys", "discovery"])
def test_a_change_to_what_only_talks_to_others_does_not(copy: Path, name: str) -> None:
    with (copy / f"adapters/activitypub/{name}.py").open("a") as file:
        file.write("# changed")
    assert hash_of(copy) == code_hash()


def test_whatever_a_hashed_file_imports_is_hashed_too() -> None:
    hashed = hashed_files()
    assert hashed
    for file in hashed:
        for module in re.findall(r"^\s*from ((?:domain|projections|adapters)[\w.]*) import", file.read_text(), re.M):
            path = ROOT / module.replace(".", "/")
            assert path.is_dir() or path.with_suffix(".py") in hashed, f"{file.name} imports {module}"


@pytest.mark.parametrize("status", ["kept", "building"])
@pytest.mark.parametrize("by", ["daybook read_1", "daybook project read_1"])
def test_a_start_drops_what_is_over_only_once_nobody_uses_it_any_more(
    database: Database, tmp_path: Path, status: str, by: str
) -> None:
    settings = Settings(
        data=tmp_path, database_url=database.owner, database_app_url=database.app, master_key=MASTER_KEY.hex()
    )
    prepare_database(settings)
    with psycopg.connect(database.owner, autocommit=True) as owner:
        owner.execute("UPDATE app.generations SET status = %s, code_hash = 'of before'", [status])
        with psycopg.connect(database.app, application_name=by) as using:
            prepare_database(settings)
            assert Generation(1, "of before", status) in all_of_them(owner)
            using.execute("SELECT FROM read_1.home")
        wait_for_the_end_of(owner, by)
        prepare_database(settings)
        assert [one.n for one in all_of_them(owner)] == [2]


@pytest.mark.parametrize("status", ["live", "kept"])
def test_a_start_goes_on_though_somebody_threw_the_tables_of_a_generation_away(
    database: Database, tmp_path: Path, status: str
) -> None:
    settings = Settings(
        data=tmp_path, database_url=database.owner, database_app_url=database.app, master_key=MASTER_KEY.hex()
    )
    prepare_database(settings)
    with psycopg.connect(database.owner, autocommit=True) as owner:
        owner.execute("DROP SCHEMA read_1 CASCADE")
        owner.execute("UPDATE app.generations SET status = %s", [status])
        prepare_database(migrate(settings))
        (made,) = all_of_them(owner)
        assert is_whole(owner, made)
