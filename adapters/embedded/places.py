"""Where an instance keeps its things: sockets in a directory that is ours alone, secrets in files of mode 600."""

import hashlib
import os
import secrets
import stat
import tempfile
from pathlib import Path

from adapters.embedded.processes import EmbeddedError

# A socket's path is limited to 108 bytes with its NUL (unix(7)); the file's own name needs some of them.
SOCKET_DIRECTORY_BYTES_MAX = 80
SOCKET_BASE_BYTES_MAX = 40
SECRET_BYTES = 32


def socket_directory(data: Path) -> Path:
    """The directory of an instance's sockets, made with mode 700: `data/run`.

    Where that path is too long, `data/run` is a link to a short one under $XDG_RUNTIME_DIR or a temporary directory, so
    that every process finds the same one, whatever its environment. Raises EmbeddedError when somebody else owns it.
    """
    place = data / "run"
    if len(os.fsencode(place)) > SOCKET_DIRECTORY_BYTES_MAX:
        place = _linked(place)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise EmbeddedError(f"{place} belongs to somebody else: remove it, or set DAYBOOK_DATA to a shorter path.")
    place.chmod(0o700)
    return place


def _linked(link: Path) -> Path:
    if link.is_symlink():
        target = link.readlink()
        if os.access(target.parent, os.W_OK | os.X_OK):
            return target
        link.unlink()
    digest = hashlib.sha256(os.fsencode(link)).hexdigest()[:16]
    target = _short_base() / f"daybook-{os.geteuid()}-{digest}"
    link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    link.symlink_to(target)
    return target


def _short_base() -> Path:
    for base in (os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp", "/dev/shm"):  # noqa: S108
        short = 0 < len(os.fsencode(base)) <= SOCKET_BASE_BYTES_MAX
        if short and os.access(base, os.W_OK | os.X_OK):
            return Path(base)
    raise EmbeddedError("No directory for sockets has a path short enough: set DAYBOOK_DATA to a shorter path.")


def read_or_make_secret(path: Path) -> str:
    """The secret in `path`; 32 random bytes in hexadecimal are written there (mode 600) the first time."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        # Written aside and linked, so that nobody ever reads half a secret and the first of two makers wins.
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_hex(SECRET_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
