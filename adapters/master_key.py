"""The key that wraps every event's own key: from the environment or from `data/master.key`, never in a database."""

import base64
from pathlib import Path

from adapters.config import Settings, SettingsError, kept_from_us
from adapters.embedded.places import read_or_make_secret

KEY_BYTES = 32
NAME = "master.key"


def load_master_key(settings: Settings) -> bytes:
    """The master key, 32 bytes: `DAYBOOK_MASTER_KEY` (hexadecimal or base64), else `data/master.key`.

    The file is made (mode 600) at the first start. Raises SettingsError for a key of another length or form, for a file
    that is another user's, and when the file is gone while the embedded database is there: a new key could read nothing
    of what is in it.
    """
    if settings.master_key is not None:
        return decoded(settings.master_key, "DAYBOOK_MASTER_KEY")
    path = settings.data / NAME
    try:
        if not path.exists() and (settings.data / "postgres" / "PG_VERSION").exists():
            raise SettingsError(f"{path} is gone, and without it the log can't be read: put it back from your copy.")
        return decoded(read_or_make_secret(path), str(path))
    except UnicodeDecodeError as error:
        raise _misshapen(str(path)) from error
    except PermissionError as error:
        raise kept_from_us(error) from error


def master_key_if_any(settings: Settings) -> bytes | None:
    """The master key that is there; None where `load_master_key` would make one or miss one. Raises SettingsError."""
    if settings.master_key is None and not (settings.data / NAME).exists():
        return None
    return load_master_key(settings)


def key_in(file: Path) -> bytes:
    """The key that a file holds. Raises SettingsError when it can't be read, or holds none."""
    try:
        return decoded(file.read_text(), str(file))
    except UnicodeDecodeError as error:
        raise _misshapen(str(file)) from error
    except OSError as error:
        raise SettingsError(f"{file} can't be read ({error.strerror}): name your copy of {NAME}.") from error


def decoded(text: str, where: str) -> bytes:
    """The key that a text holds, in hexadecimal or base64. Raises SettingsError naming `where` it stands."""
    text = text.strip()
    try:
        key = bytes.fromhex(text) if len(text) == 2 * KEY_BYTES else base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise _misshapen(where)
    return key


def _misshapen(where: str) -> SettingsError:
    return SettingsError(f"{where} must hold {KEY_BYTES} bytes as text, in hexadecimal or base64.")
