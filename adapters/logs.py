"""What the processes say, one line an event: JSON where programs read it, words where a person does. Without secrets.

Nothing here is logged that somebody could log in with or be written to at: call sites name ids, hosts and reasons, and
what slips into a message or a traceback all the same is masked by its form, or because the environment holds it.
"""

import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, TextIO
from urllib.parse import unquote, urlsplit

import msgspec

from adapters.config import JSON, TEXT, log_form, log_level
from adapters.terse_log import SaidOnce

MASK: Final = "[secret]"
ADDRESS_MASK: Final = "[address]"
# What is shorter would be found in words that have nothing to do with it.
SECRET_LENGTH_MIN: Final = 6
OURS: Final = ("daybook", "adapters", "api", "workers", "domain", "projections")
SECRET_SETTINGS: Final = ("DAYBOOK_MASTER_KEY", "DAYBOOK_METRICS_TOKEN")
URL_SETTINGS: Final = ("DATABASE_URL", "DAYBOOK_DATABASE_APP_URL", "REDIS_URL")

REQUEST: Final[ContextVar[str | None]] = ContextVar("request", default=None)
"""The id of the request that is being answered; whatever is said meanwhile carries it."""

_PATTERNS: Final = (
    # The credentials of a URL, and of a connection string in words.
    (re.compile(r"(?<=://)[^/\s@]*:[^\s@]*(?=@)"), MASK),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+"), rf"\1 {MASK}"),
    (
        re.compile(
            r"(?i)(\b(?:access_token|refresh_token|token|password|passwd|client_secret|secret|code|code_verifier"
            r"|signature|authorization|cookie)\b[\"']?\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|[^\s&,;)}\]]+)"
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL), MASK),
)
# Handles are written with an @ before them; what has none may be somebody's e-mail address.
_ADDRESS: Final = re.compile(r"(?<![@\w.+%-])[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


class Masker:
    """Masks what must not be read: these values wherever they stand, and what looks like a secret or an address.

    Without `addresses`, what looks like one stays: for those who asked about somebody by name.
    """

    def __init__(self, secrets: Iterable[str] = (), *, addresses: bool = True) -> None:
        self._addresses = addresses
        known = sorted({secret for secret in secrets if len(secret) >= SECRET_LENGTH_MIN}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        """The text without them."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        return _ADDRESS.sub(ADDRESS_MASK, text) if self._addresses else text


def secrets_of(environ: Mapping[str, str]) -> list[str]:
    """Every value of the environment that opens something: keys, tokens, and the passwords in URLs, quoted or not."""
    found = [environ[name] for name in SECRET_SETTINGS if environ.get(name)]
    for name in URL_SETTINGS:
        try:
            password = urlsplit(environ.get(name, "")).password
        except ValueError:
            continue  # no URL; whoever reads the settings says so
        if password:
            found += [password, unquote(password)]
    return found


class JsonLines(logging.Formatter):
    """One JSON object a line: `at`, `level`, `logger`, `message`; `request_id`, `error`, `trace` if any."""

    def __init__(self, mask: Masker) -> None:
        super().__init__()
        self._mask = mask

    def format(self, record: logging.LogRecord) -> str:
        """Never raises for what is in a record that logging itself would take."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._mask(record.getMessage()),
        }
        if (request := REQUEST.get()) is not None:
            line["request_id"] = request
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["trace"] = self._mask("".join(traceback.format_exception(*record.exc_info)))
        return msgspec.json.encode(line, enc_hook=str).decode()


class TextLines(logging.Formatter):
    """A line for people: time, level, who says it, what; a traceback below."""

    def __init__(self, mask: Masker) -> None:
        super().__init__()
        self._mask = mask

    def format(self, record: logging.LogRecord) -> str:
        """What others have sent can't begin a line of its own."""
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        message = _CONTROL.sub(lambda found: repr(found[0])[1:-1], record.getMessage())
        request = REQUEST.get()
        about = "" if request is None else f" [{request}]"
        text = f"{at} {record.levelname} {record.name}: {message}{about}"
        if record.exc_info and record.exc_info[0] is not None:
            text += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
        return self._mask(text)


def set_up(environ: Mapping[str, str] = os.environ, stream: TextIO | None = None) -> None:
    """Let everything in this process that is logged, warned of or raised to the end go to `stream` in this form.

    Raises SettingsError.
    """
    out: TextIO = sys.stderr if stream is None else stream
    mask = Masker(secrets_of(environ))
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonLines(mask) if form_of(environ, out) == JSON else TextLines(mask))
    level = log_level(environ)
    # What libraries say of their own (each request of a client, with its query) is never asked for.
    handler.addFilter(SaidOnce())
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    # What it says of each single connection its users say once, and what it means.
    logging.getLogger("psycopg.pool").setLevel(max(level, logging.ERROR))
    logging.captureWarnings(True)
    sys.excepthook = _raised
    threading.excepthook = _raised_in_thread


def form_of(environ: Mapping[str, str], stream: TextIO) -> str:
    """What was asked for; else words on a terminal, and JSON everywhere else. Raises SettingsError."""
    return log_form(environ) or (TEXT if stream.isatty() else JSON)


def _raised(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logging.getLogger("daybook").critical("ended by %s", kind.__name__, exc_info=(kind, error, trace))


def _raised_in_thread(raised: threading.ExceptHookArgs) -> None:
    if raised.exc_value is not None:
        name = raised.thread.name if raised.thread is not None else "a thread"
        logging.getLogger("daybook").critical(
            "%s ended by %s",
            name,
            raised.exc_type.__name__,
            exc_info=(raised.exc_type, raised.exc_value, raised.exc_traceback),
        )
