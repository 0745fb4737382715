"""The pictures' files: copied once, since they never change, and listed with their hashes as sha256sum lists them."""

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from adapters.backup.manifest import BLOCK_BYTES, BackupError, Part
from adapters.backup.parts import DRAFT_ENDING, read_part
from adapters.media.files import media_type_of

FOLDER = "media"
_LINE_FIELDS = 2

Progress = Callable[[int, int], None]


def found_in(root: Path) -> dict[str, int]:
    """The pictures under `<root>/media`: "media/<two characters>/<name>" → size in bytes."""
    there: dict[str, int] = {}
    for path in sorted((root / FOLDER).glob("??/*")):
        if media_type_of(path.name) is not None:
            try:
                there[path.relative_to(root).as_posix()] = path.stat().st_size
            except FileNotFoundError:  # taken away meanwhile
                continue
    return there


class Collection:
    """The pictures of a backup while it is made; `known` are the hashes of those that the last one brought."""

    def __init__(self, data: Path, folder: Path, known: Mapping[str, str]) -> None:
        self._data = data
        self._folder = folder
        self._known = known
        self.hashes: dict[str, str] = {}
        self.bytes = 0

    def lacking(self) -> dict[str, int]:
        """What is to be copied, and its size."""
        there = found_in(self._data)
        return {name: size for name, size in there.items() if name not in self.hashes and not self._is_kept(name, size)}

    def collect(self, tell: Progress) -> None:
        """Take in all that is there by now. What is removed meanwhile is passed over; what was taken in stays.

        `tell` hears (bytes copied, bytes to copy).
        """
        lacking, done = self.lacking(), 0
        for name, size in found_in(self._data).items():
            if name in self.hashes:
                continue
            if name in lacking:
                sha256 = copy(self._data / name, self._folder / name)
                done += size
                tell(done, sum(lacking.values()))
            else:
                sha256 = self._known[name]
            if sha256 is not None:
                self.hashes[name] = sha256
                self.bytes += size

    def lines(self) -> list[bytes]:
        """The list."""
        return [f"{sha256}  {name}\n".encode() for name, sha256 in sorted(self.hashes.items())]

    def _is_kept(self, name: str, size: int) -> bool:
        # Its name is 128 random bits and its content never changes: the same name and size is the same file.
        path = self._folder / name
        return name in self._known and path.exists() and path.stat().st_size == size


def copy(source: Path, target: Path) -> str | None:
    """Copy a file to where nobody sees half of it; gives its SHA-256, None when there is none any more."""
    for place in (target.parent.parent, target.parent):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = target.with_name(target.name + DRAFT_ENDING)
    digest = hashlib.sha256()
    try:
        reading = source.open("rb")
    except FileNotFoundError:
        return None
    with reading, os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as writing:
        while block := reading.read(BLOCK_BYTES):
            digest.update(block)
            writing.write(block)
        writing.flush()
        os.fsync(writing.fileno())
    draft.replace(target)
    return digest.hexdigest()


def listed(folder: Path, part: Part) -> dict[str, str]:
    """The list in a backup: "media/…/…" → SHA-256. Raises BackupError for what is no such list."""
    hashes: dict[str, str] = {}
    for line in b"".join(read_part(folder, part)).decode(errors="replace").splitlines():
        fields = line.split("  ", 1)
        if len(fields) != _LINE_FIELDS or media_type_of(fields[1]) is None or not _is_ours(fields[1]):
            raise BackupError(f"{folder / part.file} is no list of pictures: take another copy of this backup.")
        hashes[fields[1]] = fields[0]
    return hashes


def _is_ours(name: str) -> bool:
    # Restoring writes to these paths: none may lead anywhere else.
    folder, _, rest = name.partition("/")
    return folder == FOLDER and rest == f"{rest.rpartition('/')[2][:2]}/{rest.rpartition('/')[2]}"
