"""`.ci/install` on machines that lack something: one sentence each, with the way out."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What of a fresh clone the installer reads."""
    for name in ("pyproject.toml", "requirements.lock", "requirements-dev.lock"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "install", tmp_path / ".ci")
    return tmp_path


def install(clone: Path, python: str) -> subprocess.CompletedProcess[str]:
    """Run the installer with a program that passes for Python."""
    stand_in = clone / "python"
    stand_in.write_text(f"#!/bin/sh\n{python}\n")
    stand_in.chmod(0o755)
    return subprocess.run(
        [".ci/install", "requirements.lock"],
        cwd=clone,
        env={"PATH": "/usr/bin:/bin", "PYTHON": str(stand_in)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_old_python_is_told_which_ones_will_do(clone: Path) -> None:
    done = install(clone, 'test "$1" = --version && echo Python 3.9.2')
    assert done.returncode == 1
    assert "Python 3.11 to 3.14 is needed and Python 3.9.2 was found" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_missing_venv_module_is_told_with_the_package_that_has_it(clone: Path) -> None:
    done = install(clone, 'case "$2" in *ensurepip*) exit 1 ;; esac')
    assert done.returncode == 1
    assert "apt install python3-venv" in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_takes_its_time_is_told_before_it_begins(clone: Path) -> None:
    done = install(clone, 'case "$2" in venv) echo begun; exit 1 ;; esac')
    assert done.stdout.splitlines() == [
        "Installing what requirements.lock names into .venv, which takes about a minute the first time …",
        "begun",
    ]
