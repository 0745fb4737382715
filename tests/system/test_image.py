"""The image is made by the very steps of `make up`, and those steps make something that runs in a plain folder."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dockerfile import Instruction, instructions, only
from tests.system.instance import Instance, free_port

ROOT = Path(__file__).parent.parent.parent
DOCKERFILE = instructions(ROOT / "Dockerfile")
INSTALL_TIMEOUT_S = 280
# Steps that the image needs besides: compiling ahead, a user and a folder for data.
COMPILING, MAKING_A_USER = ".venv/bin/python -m compileall ", "useradd "


def steps_of_make_up() -> list[str]:
    """What `make up` runs, as make says itself."""
    done = subprocess.run(["make", "--dry-run", "up"], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def run_steps(*without: str) -> list[Instruction]:
    return [one for one in DOCKERFILE if one.name == "RUN" and not one.rest.startswith(without)]


def test_the_image_installs_and_starts_by_what_make_up_runs() -> None:
    *installing, starting = steps_of_make_up()
    assert [one.rest for one in run_steps(COMPILING, MAKING_A_USER)] == installing == [".ci/install requirements.lock"]
    command = re.sub(r"^exec setpriv --pdeathsig \w+ ", "", starting)
    assert only(DOCKERFILE, "CMD").words == shlex.split(command)


def health(port: int) -> int:
    """How the image's health check ends."""
    _, *arguments = json.loads(only(DOCKERFILE, "HEALTHCHECK").rest.removeprefix("CMD "))
    environ = {**os.environ, "DAYBOOK_PORT": str(port)}
    return subprocess.run([sys.executable, *arguments], env=environ, capture_output=True, check=False).returncode


def index_answers(place: Path) -> bool:
    """Whether anything can be had from where packages come from."""
    asking = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "--dest", str(place)]
    return subprocess.run([*asking, "editables"], capture_output=True, check=False).returncode == 0


def copied(folder: Path) -> None:
    """Do what COPY does, with what git would have here."""
    for instruction in DOCKERFILE:
        if instruction.name == "COPY":
            *sources, target = instruction.words
            for source in sources:
                if (ROOT / source).is_dir():
                    ignored = shutil.ignore_patterns("__pycache__")
                    shutil.copytree(ROOT / source, folder / target, dirs_exist_ok=True, ignore=ignored)
                else:
                    (folder / target).mkdir(parents=True, exist_ok=True)
                    shutil.copy(ROOT / source, folder / target)


@pytest.mark.timeout(INSTALL_TIMEOUT_S + 120)
def test_the_images_steps_make_an_instance_that_answers_in_a_plain_folder(tmp_path: Path) -> None:
    folder = tmp_path / "daybook"
    folder.mkdir()
    copied(folder)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DAYBOOK", "PYTHON", "VIRTUAL"))}
    for step in run_steps(MAKING_A_USER):
        done = subprocess.run(
            ["sh", "-c", step.rest],
            cwd=folder,
            env=kept,
            capture_output=True,
            text=True,
            check=False,
            timeout=INSTALL_TIMEOUT_S,
        )
        if done.returncode != 0 and not index_answers(tmp_path):
            pytest.skip("where packages come from does not answer")
        assert done.returncode == 0, done.stdout + done.stderr
    command, data = only(DOCKERFILE, "CMD").words, tmp_path / "data"
    instance = Instance(data, free_port(), command=command, place=folder, PYTHONPATH="")
    try:
        assert instance.ready().status() == 200
        assert health(instance.port) == 0
        assert str(folder / ".venv") in instance.family()[instance.member("workers.cli serve")]
    finally:
        instance.end()
    assert health(instance.port) == 1
