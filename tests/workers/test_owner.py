"""Which commands need the address of the database's owner, and that the page on installing names them all."""

import re
from pathlib import Path

from tests.workers.operator import Operator
from workers.background import PARTS
from workers.commands import COMMANDS

PAGE = Path(__file__).parents[2] / "docs/installing.md"
# What is begun as a service: tests/test_deploy.py looks at what these are given.
SERVICES = {"up", "serve", "behind", *PARTS}
ASKED = {
    "migrate": (),
    "account": ("create", "alice"),
    "deliveries": ("hosts",),
    "doctor": (),
    "log": ("show",),
    "backup": (),
    "replay": ("--dry-run",),
    "repair": ("@admin", "--dry-run"),
    "generation": ("list",),
}
# Writes everything, into an empty database that DATABASE_URL names, or makes one in a data folder of its own.
RESTORE = "restore"
SAID = "only the database's owner may: set DATABASE_URL.|needs the owner's database: set DATABASE_URL."


def named() -> set[str]:
    sentence = re.search(r"only ([^;:.]*) need the owner's\s+`DATABASE_URL`", PAGE.read_text())
    assert sentence is not None
    return set(re.findall(r"`([a-z]+)`", sentence[1]))


def test_every_command_is_a_service_or_asked_here() -> None:
    assert {name for name, _, _ in COMMANDS} == {*SERVICES, *ASKED, RESTORE}


def test_the_commands_that_refuse_to_run_without_the_owners_database_are_those_that_the_page_names(
    operator: Operator, tmp_path: Path
) -> None:
    operator.project()
    del operator.environ["DATABASE_URL"]
    refused: set[str] = set()
    for command, arguments in ASKED.items():
        done = operator.run(command, *arguments, *((str(tmp_path / "backup"),) if command == "backup" else ()))
        assert "Traceback" not in done.stderr, done.stderr
        if re.search(SAID, done.stderr):
            assert done.returncode == 1
            refused.add(command)
    assert named() == {*refused, RESTORE}
