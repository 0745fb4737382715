"""A real `daybook up` in its own process, as tests start, watch and kill it."""

import contextlib
import http.client
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

UP = (sys.executable, "-P", "-m", "workers.cli", "up")
START_TIMEOUT_S = 90.0
END_TIMEOUT_S = 30.0
# Below what the kernel hands out for outgoing connections, so that nobody takes one between choosing and using it.
PORTS = range(21_000, 32_000)
# Each run begins elsewhere: of two that run at once neither may answer the other's clients.
_begin = os.getpid() * 997 % len(PORTS)
_next_port = iter([*PORTS[_begin:], *PORTS[:_begin]])


def free_port() -> int:
    """A port that nobody listens on, another one each time."""
    for port in _next_port:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("every port is taken")


class Instance:
    """One life of an instance at `data`; `said` is what it printed so far.

    `command` starts it, in the folder `place`, where it is not this environment's own.
    """

    def __init__(
        self, data: Path, port: int, *, command: Sequence[str] = UP, place: Path | None = None, **environ: str
    ) -> None:
        own = {"DAYBOOK_DATA": str(data), "DAYBOOK_PORT": str(port), **environ}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}
        kept = {name: value for name, value in kept.items() if name not in ("DATABASE_URL", "REDIS_URL")}
        self.port = port
        self.said: list[str] = []
        self._news = threading.Condition()
        self.process = subprocess.Popen(
            command,
            cwd=place,
            env={**kept, **own, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, text: str, *, times: int = 1, since: int = 0, timeout_s: float = START_TIMEOUT_S) -> str:
        """Wait until so many lines with `text` were printed, behind the first `since`; gives the last of them."""

        def found() -> list[str]:
            return [line for line in self.said[since:] if text in line]

        with self._news:
            done = self._news.wait_for(lambda: len(found()) >= times or not self._reader.is_alive(), timeout_s)
        assert done and len(found()) >= times, f"{text!r} was not said:\n" + "".join(self.said)
        return found()[-1]

    def ready(self) -> "Instance":
        """Wait for the banner."""
        self.wait_for("Daybook runs at")
        return self

    def status(self, path: str = "/") -> int:
        """What a GET is answered with."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().status

    def end(self, how: signal.Signals = signal.SIGINT) -> int:
        """Signal the supervisor alone and wait for it; gives its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        status = self.process.wait(END_TIMEOUT_S)
        self._reader.join(END_TIMEOUT_S)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return status

    def refused(self) -> str:
        """Wait until it has ended by itself; gives the one sentence that it said."""
        assert self.process.wait(END_TIMEOUT_S) == 1, "".join(self.said)
        self.end()
        (sentence,) = self.said
        return sentence

    def family(self) -> dict[int, str]:
        """All that it started, and what those started: pid → command line."""
        parents = dict(_parent_of(entry) for entry in Path("/proc").glob("[0-9]*"))
        found = {self.process.pid}
        while more := {pid for pid, parent in parents.items() if parent in found and pid not in found}:
            found |= more
        return {pid: _command_line(pid) for pid in found - {self.process.pid}}

    def member(self, text: str) -> int:
        """The oldest child whose command line holds `text`."""
        return min(pid for pid, line in self.family().items() if text in line)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.said.append(line)
                self._news.notify_all()
        with self._news:
            self._news.notify_all()


class Watch:
    """Holds processes by file descriptor, so that a reused pid can't deceive."""

    def __init__(self, family: dict[int, str]) -> None:
        self.running: dict[int, str] = {}
        for pid, line in family.items():
            with contextlib.suppress(ProcessLookupError):
                self.running[os.pidfd_open(pid)] = line

    def left_after(self, timeout_s: float) -> list[str]:
        """Wait until all have ended, at most so long; gives the command lines of those that have not."""
        deadline = time.monotonic() + timeout_s
        while self.running and (remaining := deadline - time.monotonic()) > 0:
            ended, _, _ = select.select(list(self.running), [], [], remaining)
            for descriptor in ended:
                os.close(descriptor)
                del self.running[descriptor]
        return list(self.running.values())


def _parent_of(entry: Path) -> tuple[int, int]:
    with contextlib.suppress(OSError):
        return int(entry.name), int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    return int(entry.name), 0


def _command_line(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""
