"""What is measured: a database as `daybook up` starts it, or a whole `daybook up`, on data of its own."""

import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from adapters.config import Settings, load_settings
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.first_account import prepare_database
from adapters.first_start import attached, migrate
from adapters.master_key import load_master_key

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 90.0
# Below what the kernel hands out for outgoing connections.
PORTS = range(20_000, 21_000)
LINES_SHOWN = 12
LINES_KEPT = 1_000
BANNER = "Daybook runs at"


class BenchError(Exception):
    """A measurement that could not be made, and why."""


@contextmanager
def database(kept: Path | None = None) -> Generator[Settings]:
    """PostgreSQL alone, durable, migrated, with one live generation: on data of its own, or on what was `kept`."""
    with _folder(kept) as folder:
        settings = load_settings({"DAYBOOK_DATA": folder, "DAYBOOK_PORT": "3000"})
        load_master_key(settings)  # made before the database that depends on it
        postgres = EmbeddedPostgres(settings.data)
        postgres.start()
        try:
            settings = migrate(msgspec.structs.replace(settings, database_url=postgres.dsn()))
            prepare_database(settings)
            yield settings
        finally:
            postgres.stop()


@contextmanager
def instance(kept: Path | None = None, more: Mapping[str, str] | None = None) -> Generator[Settings]:
    """A whole `daybook up`, as an operator gets it, on data of its own or on what was `kept`; `more` are settings."""
    with _folder(kept) as folder:
        own = {"DAYBOOK_DATA": folder, "DAYBOOK_PORT": str(free_port()), **(more or {})}
        others = {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}
        others = {name: value for name, value in others.items() if name not in ("DATABASE_URL", "REDIS_URL")}
        process = subprocess.Popen(
            # A bench that is killed takes its instance along.
            ["setpriv", "--pdeathsig", "TERM", sys.executable, "-P", "-m", "workers.cli", "up"],
            env={**others, **own, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        said = _Said(process)
        try:
            said.wait_for(BANNER)
            yield attached(load_settings(own))
        finally:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
            process.wait(STOP_TIMEOUT_S)
            said.close()


@contextmanager
def _folder(kept: Path | None) -> Generator[str]:
    if kept is not None:
        yield str(kept)
        return
    with tempfile.TemporaryDirectory(prefix="daybook-bench-") as folder:
        yield folder


class _Said:
    """What a process prints, read so that it never blocks on us."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        # A line a request: whoever sends a million of them must not keep all.
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, text: str) -> None:
        """Raises BenchError with all that was said when the text does not come."""
        with self._news:
            self._news.wait_for(lambda: self._has(text) or not self._reader.is_alive(), START_TIMEOUT_S)
            if not self._has(text):
                raise BenchError("the instance did not start:\n" + "".join(list(self._lines)[-LINES_SHOWN:]))

    def close(self) -> None:
        self._reader.join(STOP_TIMEOUT_S)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _has(self, text: str) -> bool:
        return any(text in line for line in self._lines)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self._lines.append(line)
                self._news.notify_all()
        with self._news:
            self._news.notify_all()


def free_port() -> int:
    """A port that nothing listens on now. Raises BenchError when there is none."""
    # Not the first: another bench that starts at this moment would take the same one.
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise BenchError("every port is taken")


def data_filesystem() -> str:
    """The kind of file system that temporary data lie on, for the conditions."""
    place = Path(tempfile.gettempdir()).resolve()
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    held = [(len(at), kind) for _, at, kind, *_ in mounts if place == Path(at) or Path(at) in place.parents]
    return max(held)[1] if held else "unknown"
