"""Whether the files of a backup are what its manifest says, byte for byte."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from adapters.backup.manifest import Manifest, keys_folder, sha256_of
from adapters.backup.pictures import listed

Progress = Callable[[int, int], None]


class Damage(NamedTuple):
    """A file that is not as it was written, and what is wrong with it."""

    path: Path
    why: str


def damages(folder: Path, apart: Path | None, manifest: Manifest, tell: Progress) -> list[Damage]:
    """Every file that is missing or was changed; `tell` hears (bytes looked at, bytes to look at)."""
    found: list[Damage] = []
    done = 0

    def look_at(path: Path, sha256: str) -> bool:
        nonlocal done
        damage = _damage(path, sha256)
        if damage is None:
            done += path.stat().st_size
            tell(min(done, manifest.bytes), manifest.bytes)
        else:
            found.append(damage)
        return damage is None

    look_at(keys_folder(folder, apart) / manifest.keys.file, manifest.keys.sha256)
    for part in manifest.parts:
        if look_at(folder / part.file, part.sha256) and part is manifest.media:
            for name, sha256 in listed(folder, part).items():
                look_at(folder / name, sha256)
    return found


def _damage(path: Path, sha256: str) -> Damage | None:
    try:
        actual = sha256_of(path)
    except FileNotFoundError:
        return Damage(path, "is missing")
    except OSError as error:
        return Damage(path, f"can't be read ({error.strerror})")
    return None if actual == sha256 else Damage(path, "was changed: its SHA-256 is not the one in the manifest")
