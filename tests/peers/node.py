"""Node with what tests/peers/package-lock.json names, and scripts there that answer JSON lines with JSON lines."""

import contextlib
import fcntl
import json
import queue
import re
import shutil
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import IO, Any

HERE = Path(__file__).parent
NODE_MAJOR_MIN = 20
INSTALL_TIMEOUT_S = 240
ANSWER_TIMEOUT_S = 30.0
END_TIMEOUT_S = 10.0


def why_not() -> str | None:
    """What keeps the peers from running here, in a sentence; None when nothing does."""
    said = ""
    if shutil.which("node") and shutil.which("npm"):
        said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    found = re.match(r"v(\d+)\.", said)
    if found and int(found[1]) >= NODE_MAJOR_MIN:
        return None
    return (
        f"Node {NODE_MAJOR_MIN} or newer with npm is needed for the peers that others wrote; {said or 'none'} is here."
    )


def install() -> str | None:
    """Install what the lock file names, unless that is done; gives what went wrong, or None."""
    locked = HERE / "package-lock.json"
    with locked.open() as held:
        # Several processes share the tests: the first one installs, and the others wait for it.
        fcntl.flock(held, fcntl.LOCK_EX)
        return _install(locked)


def _install(locked: Path) -> str | None:
    mark = HERE / "node_modules" / "installed"
    if mark.exists() and mark.read_text() == locked.read_text():
        return None
    done = subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=INSTALL_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        return f"npm ci failed in tests/peers: {done.stderr.strip()}"
    mark.write_text(locked.read_text())
    return None


class Script:
    """A running script: `ask` sends it an object and waits for the answer; `said` is its standard error."""

    def __init__(self, name: str, *arguments: str) -> None:
        self.said: list[str] = []
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._asking = threading.Lock()
        self._process = subprocess.Popen(
            ["node", str(HERE / name), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._stdin = self._process.stdin
        self._readers = [
            threading.Thread(target=self._read, args=(self._process.stdout, self._answers.put), daemon=True),
            threading.Thread(target=self._read, args=(self._process.stderr, self.said.append), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def ask(self, **question: Any) -> Any:
        """The script's answer to one question."""
        with self._asking:
            with contextlib.suppress(BrokenPipeError):
                self._stdin.write(json.dumps(question) + "\n")
                self._stdin.flush()
            return self.heard()

    def heard(self) -> Any:
        """The next object that it writes."""
        try:
            return json.loads(self._answers.get(timeout=ANSWER_TIMEOUT_S))
        except queue.Empty:
            raise AssertionError("the script says nothing:\n" + "".join(self.said)) from None

    def end(self) -> None:
        """Close its standard input, upon which it ends."""
        with contextlib.suppress(BrokenPipeError):
            self._stdin.close()
        try:
            self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for reader in self._readers:
            reader.join()

    def __enter__(self) -> "Script":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    @staticmethod
    def _read(stream: IO[str], put: Any) -> None:
        with stream:
            for line in stream:
                put(line)
