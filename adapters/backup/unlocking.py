"""The master key that a backup is to be read with: which one, and whether it is the right one, before all else.

What it is checked by is the instance's own secret, which its backup holds wrapped by it: no backup lacks that, however
old it is.
"""

from pathlib import Path
from typing import NamedTuple

from adapters.backup.manifest import BackupError, Manifest, sha256_of
from adapters.backup.parts import read_part
from adapters.codec import Codec, Unreadable
from adapters.config import Settings
from adapters.master_key import NAME, key_in, master_key_if_any
from adapters.postgres.secrets import PEPPER

SECRETS = "app.secrets"


class FoundKey(NamedTuple):
    """A master key, and in words where it was found."""

    key: bytes
    where: str


def key_at_hand(settings: Settings, file: Path | None) -> FoundKey | None:
    """The key in `file` if one is named, else the instance's own; None where there is none.

    Raises SettingsError for what can't be read or holds no key.
    """
    if file is not None:
        return FoundKey(key_in(file.expanduser()), str(file))
    own = master_key_if_any(settings)
    return None if own is None else FoundKey(own, where_kept(settings))


def key_within(folder: Path, manifest: Manifest) -> FoundKey | None:
    """The key that is in the backup, whose files must be as they were written; None unless it was put in.

    Raises BackupError when the backup can't be read with it.
    """
    if manifest.master_key is None:
        return None
    path = folder / manifest.master_key.file
    found = FoundKey(key_in(path), str(path))
    check_key(folder, manifest, found)
    return found


def where_kept(settings: Settings) -> str:
    """Where an instance looks for its master key, in words."""
    return "DAYBOOK_MASTER_KEY" if settings.master_key is not None else str(settings.data / NAME)


def check_key(folder: Path, manifest: Manifest, found: FoundKey) -> None:
    """Raise BackupError when a backup can't be read with this key; says nothing of one whose secrets are damaged."""
    part = next((table for table in manifest.tables if table.table == SECRETS), None)
    if part is None:
        return
    path = folder / part.file
    if not path.is_file() or sha256_of(path) != part.sha256:
        # The check of all files names it.
        return
    text = b"".join(read_part(folder, part)).decode()
    rows = [dict(zip(part.columns, line.split("\t"), strict=True)) for line in text.splitlines()]
    for row in rows:
        if row["name"] == PEPPER and not _unwraps(found.key, row["wrapped"]):
            raise BackupError(
                f"The master key in {found.where} is not the one of this backup, and nothing of it can be read with "
                "that: name your copy of the right one in --master-key-file."
            )


def _unwraps(key: bytes, copied: str) -> bool:
    # COPY text doubles the backslash of `\x…`.
    wrapped = bytes.fromhex(copied.removeprefix("\\\\x"))
    try:
        Codec(key).unwrap_secret(wrapped)
    except Unreadable:
        return False
    return True
