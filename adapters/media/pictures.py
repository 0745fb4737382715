"""Runs `reencode.py`, a process for each picture and two at once: how an upload becomes files that are safe to show."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import msgspec

from adapters.unavailable import Unavailable
from domain.events import Refused

AT_ONCE_MAX = 2
WAITING_MAX = 32
TIMEOUT_S = 60.0
FULL_RETRY_S = 60

# In order of preference, as clients choose what to convert to.
MEDIA_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp", "image/avif")
PIXELS_MAX = 33_177_600

_ENVIRONMENT = ("LD_LIBRARY_PATH",)
_PROGRAM = Path(__file__).with_name("reencode.py")


class Picture(msgspec.Struct, frozen=True):
    """What was written: names of files in the folder that was given, and sizes in pixels."""

    file: str
    media_type: str
    width: int
    height: int
    preview: str | None = None
    preview_width: int | None = None
    preview_height: int | None = None
    blurhash: str | None = None


class Pictures:
    """Makes pictures safe. A few wait their turn; beyond that Unavailable is raised."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE_MAX)
        self._waiting = 0

    async def made_safe(self, source: BinaryIO, folder: Path, name: str, cut: tuple[int, int] | None = None) -> Picture:
        """Write what `source` shows to `folder`, as `name` with an ending; with `cut`, in just this size.

        `source` is a file with a descriptor, read from its start. Raises Refused with a sentence when it is no picture,
        is damaged, or costs too much to decode; Unavailable when too many wait already or the disk is full.
        """
        if self._waiting >= WAITING_MAX:
            raise Unavailable("too many pictures are being processed")
        self._waiting += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(run, source, folder, name, cut)
        finally:
            self._waiting -= 1


def run(source: BinaryIO, folder: Path, name: str, cut: tuple[int, int] | None = None) -> Picture:
    """As `made_safe`, in this thread."""
    order = json.dumps({"folder": str(folder), "name": name, "cut": cut, "pixels_max": PIXELS_MAX})
    source.seek(0)
    try:
        done = subprocess.run(  # noqa: S603 - our own program, and no shell
            [sys.executable, "-I", str(_PROGRAM), order],
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Neither keys nor addresses of databases: a decoder that is taken over must not find them here.
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Refused("File takes too long to read") from error
    if done.returncode != 0:
        # Killed by one of its limits, or by its own decoder.
        raise Refused("File takes more to read than a picture may")
    said = json.loads(done.stdout)
    if "full" in said:
        raise Unavailable("the disk that pictures are kept on is full", retry_after_s=FULL_RETRY_S)
    if "refused" in said:
        raise Refused(said["refused"])
    return msgspec.convert(said, Picture)
