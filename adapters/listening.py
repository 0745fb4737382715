"""Where the web server of an instance listens: noted by it in the data folder, for who asks there without its settings.

It is what it was told at its last start, also once it is stopped.
"""

import os
import re

import msgspec

from adapters.config import Settings

NAME = "listening"
_NOTED = re.compile(r"(?P<bind>[0-9A-Fa-f.:]+) (?P<port>[0-9]{1,5})\n")


def note(settings: Settings) -> None:
    """Note it, at one stroke. Raises OSError where the data folder can't be written to."""
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = settings.data / f"{NAME}.{os.getpid()}"
    try:
        draft.write_text(f"{settings.bind} {settings.port}\n")
        draft.replace(settings.data / NAME)
    finally:
        draft.unlink(missing_ok=True)


def as_listening(settings: Settings) -> Settings | None:
    """The settings with the address and port that were noted; None where nothing was."""
    try:
        noted = _NOTED.fullmatch((settings.data / NAME).read_text())
    except (OSError, UnicodeDecodeError):
        return None
    return noted and msgspec.structs.replace(settings, bind=noted["bind"], port=int(noted["port"]))
