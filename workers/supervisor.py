"""Starts parts in order, starts again what dies, stops all in the opposite order.

One thread does everything: the kernel signals our children when the thread that started them ends, so it has to be
the one that lives as long as we do.
"""

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from types import FrameType
from typing import Protocol

from adapters.embedded.processes import EmbeddedError, spawn, stop

BACK_OFF_FIRST_S = 0.2
BACK_OFF_MAX_S = 10.0
STEADY_AFTER_S = 30.0
STOP_TIMEOUT_S = 10.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Say = Callable[[str], None]


class Stopped(BaseException):
    """Somebody asked us to stop; raised out of whatever was going on."""


class Part(Protocol):
    """Something that runs as a child: its name for people, and its process while there is one."""

    name: str
    process: subprocess.Popen[bytes] | None

    def start(self) -> None:
        """Start it and wait until it is of use. Raises EmbeddedError."""
        ...

    def stop(self) -> None:
        """Stop it in its own orderly way."""
        ...


class Command:
    """A child of our own code: a command line, in its own session with whatever it starts in turn."""

    def __init__(
        self, name: str, command: Sequence[str], environ: Mapping[str, str], death_signal: signal.Signals
    ) -> None:
        self.name = name
        self.command = command
        self.environ = environ
        self.death_signal = death_signal
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it is of use at once, or says later that it is."""
        self._end_group()
        self.process = spawn(self.command, death_signal=self.death_signal, environ=self.environ)

    def stop(self) -> None:
        """Ask by SIGTERM, insist by SIGKILL, and leave none of its own children."""
        if self.process is not None:
            stop(self.process, signal.SIGTERM, timeout_s=STOP_TIMEOUT_S)
            self._end_group()
            self.process = None

    def _end_group(self) -> None:
        # A web server killed outright leaves workers that still hold the port.
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)


class Supervisor:
    """Keeps `parts` running. `say` gets a sentence whenever something dies or comes back."""

    def __init__(self, parts: Sequence[Part], say: Say) -> None:
        self.parts: list[Part] = []
        self.say = say
        self.restarts: dict[str, int] = {}
        self._started_at: dict[str, float] = {}
        self._due_at: dict[str, float] = {}
        self._wake, self._woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        for part in parts:
            self.add(part)

    def add(self, part: Part) -> None:
        """Take one more part into care; it is not started yet."""
        self.parts.append(part)
        self.restarts[part.name] = 0

    def start(self, part: Part) -> None:
        """Start one part for the first time. Raises EmbeddedError."""
        self._started_at[part.name] = time.monotonic()
        part.start()

    def watch(self, timeout_s: float | None = None) -> None:
        """Wait until something dies, a restart is due or the time is up, and do what is to be done."""
        now = time.monotonic()
        waits = [due - now for due in self._due_at.values()] + ([] if timeout_s is None else [timeout_s])
        select.select([self._wake], [], [], max(0.0, min(waits)) if waits else None)
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake, 4096)
        for part in self.parts:
            self._attend(part)

    def stop(self) -> None:
        """Stop everything, last started first; asking again meanwhile changes nothing."""
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        for part in reversed(self.parts):
            part.stop()

    @contextlib.contextmanager
    def signals(self) -> Generator[None]:
        """Within, a stop signal raises Stopped and a child's death wakes `watch`; the handlers before are put back."""
        before = {number: signal.getsignal(number) for number in (*STOP_SIGNALS, signal.SIGCHLD)}
        wakeup = signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            signal.signal(number, _raise_stopped)
        signal.signal(signal.SIGCHLD, _do_nothing)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _attend(self, part: Part) -> None:
        if part.process is None or part.process.poll() is None:
            return
        now = time.monotonic()
        if part.name not in self._due_at:
            if now - self._started_at[part.name] > STEADY_AFTER_S:
                self.restarts[part.name] = 0
            wait_s = min(BACK_OFF_FIRST_S * 2 ** self.restarts[part.name], BACK_OFF_MAX_S)
            self._due_at[part.name] = now + wait_s
            if self._is_said(part):
                times = f", {number} times in a row" if (number := self.restarts[part.name]) > 1 else ""
                self.say(
                    f"{part.name} ended ({_how(part.process.returncode)}{times}); starting it again in {wait_s:.1f} s."
                )
        elif now >= self._due_at[part.name]:
            self._restart(part)

    def _is_said(self, part: Part) -> bool:
        """Whether to tell of this end or restart: more and more seldom when it goes on."""
        return self.restarts[part.name].bit_count() <= 1

    def _restart(self, part: Part) -> None:
        del self._due_at[part.name]
        self.restarts[part.name] += 1
        try:
            self.start(part)
        except EmbeddedError as error:
            if self._is_said(part):
                self.say(str(error))
        else:
            self.say(f"{part.name} is started again.")


def reap_strangers(known: Sequence[Part]) -> None:
    """Bury what was left to us as process 1 of a container: orphans of parts that were killed."""
    ours = {part.process.pid for part in known if part.process is not None}
    with contextlib.suppress(ChildProcessError):
        while True:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | os.WNOHANG)
            if ended is None or ended.si_pid in ours:
                return
            os.waitpid(ended.si_pid, 0)


def _how(returncode: int) -> str:
    return f"by {signal.Signals(-returncode).name}" if returncode < 0 else f"exit status {returncode}"


def _raise_stopped(number: int, frame: FrameType | None) -> None:
    raise Stopped(signal.Signals(number).name)


def _do_nothing(number: int, frame: FrameType | None) -> None:
    """A Python handler has to be there for the wake-up pipe to be written to."""
