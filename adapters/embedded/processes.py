"""Children that die with their parent, however it dies.

`setpriv --pdeathsig` asks the kernel to signal a child when the thread that started it ends, so even `kill -9` of
the supervisor leaves nothing behind. A change of credentials clears that wish, so it is made after `unshare`.
Every child has its own session: Ctrl-C at the terminal reaches the supervisor alone, which then stops things in order.
"""

import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

LOG_BYTES_MAX = 10_000_000
LOG_TAIL_LINES = 12
POLL_S = 0.02

# The parent may have died before the kernel was asked; then nobody will ever signal this child.
_UNLESS_ORPHANED = 'test "$PPID" = "$0" || exit 1; exec "$@"'


class EmbeddedError(Exception):
    """An embedded service that can't run; its message is one sentence with the way out."""


def spawn(
    command: Sequence[str],
    *,
    death_signal: signal.Signals,
    log: Path | None = None,
    environ: Mapping[str, str] | None = None,
    plain_user: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a child that gets `death_signal` when the calling thread ends; the pid is the command's own.

    With `plain_user`, root is mapped to an ordinary user id for the child. Output goes to `log`, else to ours.
    """
    chain = _chain(command, death_signal, plain_user=plain_user)
    if log is None:
        return subprocess.Popen(chain, stdin=subprocess.DEVNULL, env=environ, start_new_session=True)  # noqa: S603
    _rotate(log)
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603
            chain,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environ,
            start_new_session=True,
        )


def run_to_end(command: Sequence[str], *, plain_user: bool = False) -> None:
    """Run a command that must succeed, and that is killed when we are; raises EmbeddedError with what it said."""
    chain = _chain(command, signal.SIGKILL, plain_user=plain_user)
    done = subprocess.run(chain, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode == 0:
        return
    said = (done.stderr or done.stdout).strip()
    if plain_user and os.geteuid() == 0 and "unshare" in said:
        raise EmbeddedError(
            "PostgreSQL won't run as root and this machine refuses user namespaces: "
            f"start Daybook as an ordinary user, or name a server in DATABASE_URL ({said})."
        )
    raise EmbeddedError(f"{Path(command[0]).name} failed with {done.returncode}: {said}")


def stop(process: subprocess.Popen[bytes], ask: signal.Signals, *, timeout_s: float) -> int:
    """Ask a child to end, insist after `timeout_s`; returns its exit status."""
    if process.poll() is None:
        process.send_signal(ask)
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def working_in(directory: Path, program: str) -> list[int]:
    """The pids of the running `program`s whose working directory is `directory`.

    Both servers change into their data directory, so this finds orphans that no pid file tells of.
    """
    wanted = str(directory.resolve())
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _works_in(entry, wanted, program)]


def wait_until_left(directory: Path, program: str, *, timeout_s: float) -> None:
    """Wait for an earlier life's servers to be gone; raises EmbeddedError naming their pids."""
    deadline = time.monotonic() + timeout_s
    while pids := working_in(directory, program):
        if time.monotonic() > deadline:
            listed = ", ".join(map(str, pids))
            raise EmbeddedError(f"An earlier {program} still runs in {directory} (pid {listed}): stop it first.")
        time.sleep(POLL_S)


def check_reachable(*places: Path) -> None:
    """Raise EmbeddedError when root, once it is a plain user, could not enter the way to one of `places`.

    Without its powers root is an owner like others: somebody else's private folder is closed to it.
    """
    if os.geteuid() != 0:
        return
    for place in places:
        for folder in place.resolve().parents:
            found = folder.stat()
            if found.st_uid != 0 and not found.st_mode & stat.S_IXOTH:
                raise EmbeddedError(
                    f"{folder} is another user's private folder, which PostgreSQL can't enter when root starts it: "
                    "start Daybook as that user, or put it and DAYBOOK_DATA elsewhere."
                )


def tail(log: Path) -> str:
    """The last lines of a log, for a message about why its writer ended."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])


def _works_in(entry: Path, wanted: str, program: str) -> bool:
    try:
        running = (entry / "exe").readlink().name.removesuffix(" (deleted)")
        return running == program and str((entry / "cwd").readlink()) == wanted
    except OSError:  # it ended meanwhile, or is another user's
        return False


def _chain(command: Sequence[str], death_signal: signal.Signals, *, plain_user: bool) -> list[str]:
    bound = [_tool("setpriv"), "--pdeathsig", death_signal.name.removeprefix("SIG")]
    return [*_as_plain_user(plain_user), *bound, "sh", "-c", _UNLESS_ORPHANED, str(os.getpid()), *command]


def _as_plain_user(plain_user: bool) -> list[str]:
    if not plain_user or os.geteuid() != 0:
        return []
    return [_tool("unshare"), "--user", "--map-user=1000", "--map-group=1000"]


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise EmbeddedError(
            f"The embedded services need `{name}` (util-linux, on any Linux): install it, "
            "or name servers in DATABASE_URL and REDIS_URL."
        )
    return found


def _rotate(log: Path) -> None:
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
        log.replace(log.with_suffix(".log.1"))
