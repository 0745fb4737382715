"""Where pictures lie: `data/media/<first two characters>/<name>`, written once and never changed.

A name is 128 random bits and an ending, so that nobody finds a picture whose address they were not given; whatever
else is asked for is no name, and touches no file.
"""

import os
import re
import secrets
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from adapters.media.pictures import Picture

MEDIA_TYPES = {"jpg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp"}
_NAME = re.compile(r"[0-9a-f]{32}(?:-small)?\.(?P<ending>jpg|png|gif|webp)", re.ASCII)


def media_type_of(name: str) -> str | None:
    """The media type of a file of ours by its name or URL; None for what is no name of ours."""
    found = _NAME.fullmatch(name.rpartition("/")[2])
    return None if found is None else MEDIA_TYPES[found["ending"]]


class Files:
    """The files under `data/media`. Everything here blocks: call it from a thread."""

    def __init__(self, data: Path) -> None:
        self._kept = data / "media"
        self._coming = self._kept / "incoming"

    def new_name(self) -> str:
        """A name without ending, that nobody can guess."""
        return secrets.token_hex(16)

    def room(self) -> BinaryIO:
        """A file without a name to receive an upload in; it is gone once it is closed, whatever happens."""
        self._coming.mkdir(mode=0o700, parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=self._coming)

    def workplace(self) -> Path:
        """A directory of one's own to make files in, on the same file system as where they are kept."""
        self._coming.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=self._coming))

    def keep(self, workplace: Path, picture: Picture) -> None:
        """Move what was made to where it is kept, once it is safely on the disk."""
        for name in filter(None, (picture.file, picture.preview)):
            target = self._path(name)
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sync(workplace / name)
            (workplace / name).rename(target)
            _sync(target.parent)

    def clear(self, workplace: Path) -> None:
        """Remove a workplace with all that is still in it."""
        shutil.rmtree(workplace, ignore_errors=True)

    def clear_abandoned(self, before_s: float) -> None:
        """Remove workplaces that a crash left behind before this moment, in seconds since 1970."""
        for workplace in self._coming.glob("*"):
            # An upload that ends meanwhile takes its workplace with it.
            with suppress(FileNotFoundError):
                if workplace.stat().st_mtime < before_s:
                    self.clear(workplace)

    def remove(self, *names: str) -> None:
        """Remove files; already gone is fine."""
        for name in names:
            self._path(name).unlink(missing_ok=True)

    def open(self, name: str) -> BinaryIO | None:
        """The file of this name, for reading; None for what is not there and for what is no name."""
        if _NAME.fullmatch(name) is None:
            return None
        try:
            return self._path(name).open("rb")
        except FileNotFoundError:
            return None

    def _path(self, name: str) -> Path:
        assert _NAME.fullmatch(name), "only names of ours lead to files"
        return self._kept / name[:2] / name


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
