"""Generations: which code makes read models anew, and when an old one may be dropped."""

import re
import shutil
from pathlib import Path

import pytest

from adapters.postgres.generations import HASHED, code_hash, hash_of

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
