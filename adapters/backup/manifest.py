"""The manifest of a backup: what belongs to it and what it must hash to. A folder is a backup when it has one.

It is written last, and replaced whole: whatever a backup that was interrupted left in the folder is in no manifest, so
the one before it still stands, with all that it names.
"""

import hashlib
import os
from pathlib import Path

import msgspec

NAME = "manifest.json"
FORMAT = 1
KEYS_FOLDER = "keys"
BLOCK_BYTES = 1_048_576


class BackupError(Exception):
    """Why there can be no backup, or none can be read; a sentence for the operator with the way out."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A file: its path in the folder (with `/`), and the SHA-256 of its bytes as they lie there, in hexadecimal."""

    file: str
    sha256: str
    bytes: int


class Segment(Part, frozen=True, kw_only=True):
    """The events from position `first` to `last`; `content` is the SHA-256 of their COPY text, uncompressed."""

    first: int
    last: int
    content: str


class Table(Part, frozen=True, kw_only=True):
    """All rows of one table; `columns` in the order of its COPY text."""

    table: str
    columns: tuple[str, ...]
    rows: int


class ReadModels(msgspec.Struct, frozen=True, kw_only=True):
    """What the live read models were when the log's head was that of the backup: SHA-256 per table, at `position`.

    `code_hash` names the code that made them; other code may rightly make others.
    """

    code_hash: str
    position: int
    digests: dict[str, str]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a backup holds, as of one snapshot of the database.

    `position` is the log's head and `digest` that of the whole log (SHA-256 over the segments' contents); `tables` are
    in an order in which they can be filled; `sequences` maps "schema.table.column" to the last number given out;
    `keys` is apart: its path is in the keys' folder. `media` lists the pictures' files as sha256sum does. `seal` is
    the SHA-256 of all the rest.
    """

    format: int
    made_at: str
    version: str
    origin: str
    epoch: str
    position: int
    digest: str
    migrations: dict[str, str]
    event_columns: tuple[str, ...]
    segments: tuple[Segment, ...]
    keys: Table
    tables: tuple[Table, ...]
    sequences: dict[str, int]
    media: Part
    media_files: int
    media_bytes: int
    read_models: ReadModels | None
    master_key: Part | None
    seal: str = ""

    @property
    def parts(self) -> tuple[Part, ...]:
        """Every file in the folder itself but the pictures: the keys are apart."""
        key = () if self.master_key is None else (self.master_key,)
        return (*self.segments, *self.tables, self.media, *key)

    @property
    def bytes(self) -> int:
        """What it takes on disk, keys and pictures included."""
        return sum(part.bytes for part in self.parts) + self.keys.bytes + self.media_bytes


def digest_of(segments: tuple[Segment, ...]) -> str:
    """The digest of a log: SHA-256 over what its segments hash to. The same log has the same, whenever it is asked."""
    return hashlib.sha256(b"".join(bytes.fromhex(segment.content) for segment in segments)).hexdigest()


def keys_folder(folder: Path, apart: Path | None) -> Path:
    """Where the keys of a backup are."""
    return folder / KEYS_FOLDER if apart is None else apart


def read_if_any(folder: Path) -> Manifest | None:
    """The manifest in a folder, None when there is none. Raises BackupError when it can't be read."""
    try:
        text = (folder / NAME).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise BackupError(f"{folder / NAME} can't be read ({error.strerror}).") from error
    try:
        found = msgspec.json.decode(text, type=Manifest)
    except msgspec.MsgspecError as error:
        raise BackupError(
            f"{folder / NAME} is damaged, or was written by a newer Daybook ({error}): take another copy of this "
            "backup, or update the program."
        ) from error
    if found.format != FORMAT:
        raise BackupError(f"{folder} has format {found.format}, and this Daybook reads {FORMAT}: update the program.")
    if found.seal != _seal_of(found):
        raise BackupError(f"{folder / NAME} was changed: its seal is broken. Take another copy of this backup.")
    return found


def read(folder: Path) -> Manifest:
    """The manifest in a folder. Raises BackupError when there is none: a backup that did not end is none."""
    found = read_if_any(folder)
    if found is None:
        why = "a backup that was begun there never ended" if folder.is_dir() else "there is no such folder"
        raise BackupError(f"{folder} holds no backup ({why}): it needs a {NAME}.")
    return found


def write(folder: Path, manifest: Manifest) -> Manifest:
    """Seal it and make it the folder's manifest, at one stroke and for good; gives it sealed."""
    draft = folder / f"{NAME}.new"
    sealed = msgspec.structs.replace(manifest, seal=_seal_of(manifest))
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(sealed), indent=1) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / NAME)
    sync_folder(folder)
    return sealed


def _seal_of(manifest: Manifest) -> str:
    return hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(manifest, seal=""))).hexdigest()


def sync_folder(folder: Path) -> None:
    """Have a folder's entries on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    """Of a file, in hexadecimal. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
