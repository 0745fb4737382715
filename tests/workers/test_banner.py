"""What `daybook up` tells an operator: where the instance is, how to log in, and commands that work as written."""

import io
import shlex
import socket
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from adapters.config import Settings
from workers.preflight import NotReady, check_port
from workers.up import FirstAccount, show_banner

ACCOUNT = FirstAccount(username="admin", email="admin@localhost")


def banner(settings: Settings) -> str:
    """What is printed once everything runs."""
    console = Console(file=io.StringIO(), width=80)
    show_banner(console, settings, ACCOUNT)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("settings", "listens"),
    [
        (Settings(), None),
        (Settings(domain="[::1]:3000", bind="::1"), None),
        (Settings(domain="localhost:3000", port=3130), "127.0.0.1:3130"),
        (Settings(domain="localhost:3000", bind="0.0.0.0"), "0.0.0.0:3000"),  # noqa: S104 (named, not bound)
        (Settings(domain="social.example", bind="::1"), "[::1]:3000"),
    ],
)
def test_where_it_listens_is_told_when_its_address_does_not_say(settings: Settings, listens: str | None) -> None:
    told = [line.split()[1] for line in banner(settings).splitlines() if line.startswith("  Listens ")]
    assert told == ([] if listens is None else [listens])


def test_the_hint_about_a_lost_password_works_as_written(tmp_path: Path) -> None:
    line = next(line for line in banner(Settings(data=tmp_path / "a b")).splitlines() if "Password" in line)
    data, _, *arguments = shlex.split(line.split("`")[1])
    assert data == f"DAYBOOK_DATA={tmp_path / 'a b'}"
    assert arguments == ["account", "password", "admin"]


def test_a_taken_port_is_told_with_the_domain_that_a_founded_instance_keeps(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        fresh = Settings(domain=f"localhost:{port}", port=port, data=tmp_path)
        with pytest.raises(NotReady, match="as in `DAYBOOK_PORT=3001 make up`"):
            check_port(fresh, patient=False)
        founded = msgspec.structs.replace(fresh, database_url="postgresql:///daybook")
        with pytest.raises(NotReady, match=f"`DAYBOOK_DOMAIN=localhost:{port} DAYBOOK_PORT=3001 make up`"):
            check_port(founded, patient=False)
