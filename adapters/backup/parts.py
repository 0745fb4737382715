"""Files of a backup, under a name that their content gives: none is ever changed.

So the same content is the same file, what a manifest names stays as it was while the next backup is made, and what is
cut off by a crash has no name that any manifest knows.
"""

import hashlib
import os
from collections.abc import Generator, Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO, NamedTuple

import zstandard

from adapters.backup.manifest import BLOCK_BYTES, BackupError, Part

LEVEL = 3
NAME_DIGITS = 16
DRAFT_ENDING = ".new"


class Written(NamedTuple):
    """A part, and the SHA-256 of what was written into it before compressing."""

    part: Part
    content: str


class _Hashing:
    """A file that notes what is written to it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.bytes = 0

    def write(self, block: bytes | bytearray | memoryview) -> int:
        """Write a block."""
        self.digest.update(block)
        self.bytes += len(block)
        return self._file.write(block)


def write_part(root: Path, stem: str, ending: str, blocks: Iterable[bytes | bytearray | memoryview]) -> Written:
    """Write blocks into `<root>/<stem>-<hash><ending>`, compressed where `ending` is `.zst`; safely on the disk."""
    target = root / stem
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = target.with_name(target.name + DRAFT_ENDING)
    content = hashlib.sha256()
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            hashing = _Hashing(file)
            with _packing(hashing) if ending == ".zst" else nullcontext(hashing) as target_file:
                for block in blocks:
                    content.update(block)
                    target_file.write(block)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sha256 = hashing.digest.hexdigest()
    name = f"{stem}-{sha256[:NAME_DIGITS]}{ending}"
    draft.replace(root / name)
    return Written(Part(file=name, sha256=sha256, bytes=hashing.bytes), content.hexdigest())


def _packing(hashing: _Hashing) -> zstandard.ZstdCompressionWriter:
    # It needs nothing of a file but `write`.
    compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
    return compressor.stream_writer(hashing, closefd=False)  # pyright: ignore[reportArgumentType]


def read_part(root: Path, part: Part) -> Generator[bytes]:
    """What was written into a part, block by block. Raises BackupError when it can't be had whole."""
    path = root / part.file
    try:
        with path.open("rb") as file:
            if not part.file.endswith(".zst"):
                yield from iter(lambda: file.read(BLOCK_BYTES), b"")
                return
            with zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as reader:
                yield from iter(lambda: reader.read(BLOCK_BYTES), b"")
    except (OSError, zstandard.ZstdError) as error:
        raise BackupError(f"{path} can't be read ({error}): take another copy of this backup.") from error
