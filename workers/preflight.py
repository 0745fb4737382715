"""What has to hold before anything is started; each failing gets one sentence with the way out."""

import contextlib
import fcntl
import os
import platform
import socket
import sys
import time
from collections.abc import Generator
from pathlib import Path

from adapters.config import Settings

POLL_S = 0.1
PREDECESSOR_TIMEOUT_S = 10.0
SPARE_PORTS = (3001, 3002)


class NotReady(Exception):
    """Why the instance can't be started here and now; one sentence for the operator."""


def check_platform() -> None:
    """Raise NotReady where our way of keeping children does not exist."""
    if sys.platform != "linux":
        raise NotReady(
            f"`daybook up` keeps its services by means that only Linux has, not {platform.system()}: "
            "run it in a Linux machine or container."
        )


@contextlib.contextmanager
def only_one(data: Path) -> Generator[bool]:
    """Hold the lock of a data directory; yields whether the last holder ended without letting go.

    Raises NotReady when another process has it, or the directory can't be written to.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(data / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise NotReady(f"{data} can't be used ({error.strerror}): set DAYBOOK_DATA to a directory of yours.") from error
    with os.fdopen(descriptor, "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = lock.read().strip() or "unknown"
            raise NotReady(
                f"Another `daybook up` (pid {holder}) already runs on {data}: "
                "stop it first, or set DAYBOOK_DATA to another directory."
            ) from error
        left_behind = bool(lock.read().strip())
        _write(lock.fileno(), str(os.getpid()))
        yield left_behind
        _write(lock.fileno(), "")


def check_port(settings: Settings, *, patient: bool) -> None:
    """Raise NotReady when the port can't be listened on; with `patient`, an earlier life may still be letting go."""
    deadline = time.monotonic() + (PREDECESSOR_TIMEOUT_S if patient else 0.0)
    while (error := _listening_fails(settings)) is not None:
        if time.monotonic() >= deadline:
            other = next(port for port in SPARE_PORTS if port != settings.port)
            # Whatever is founded keeps its domain, which would follow the port.
            founded = settings.database_url is not None or (settings.data / "postgres" / "PG_VERSION").exists()
            kept = f"DAYBOOK_DOMAIN={settings.domain} " if founded else ""
            raise NotReady(
                f"Port {settings.port} on {settings.bind} can't be used ({error.strerror}): "
                f"free it, or choose another, as in `{kept}DAYBOOK_PORT={other} make up`."
            ) from error
        time.sleep(POLL_S)


def _listening_fails(settings: Settings) -> OSError | None:
    family = socket.AF_INET6 if ":" in settings.bind else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.bind, settings.port))
        except OSError as error:
            return error
    return None


def _write(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)
