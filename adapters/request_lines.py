"""A line for each request that was answered, put together and written without the detour of `logging`.

Thousands a second must cost next to nothing, so they are collected for a moment and written together; a kill takes the
last moment's along. A line holds nothing that a client made up: not the path, no query, no header, no body.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Mapping
from typing import BinaryIO, Final, TextIO

import msgspec

from adapters.config import JSON, log_level
from adapters.logs import form_of

COLLECTED_FOR_S: Final = 0.1
COLLECTED_MAX: Final = 500
SERVER_ERROR: Final = 500
UNAVAILABLE: Final = 503


class _Line(msgspec.Struct, frozen=True):
    at: str
    level: str
    logger: str
    message: str
    method: str
    route: str
    status: int
    ms: float
    request_id: str


class RequestLines:
    """Writes lines to `stream`, from one event loop. Those below `level` are left out.

    A server error is an error. That something is away is said once when it begins and once when it ends (outage.py), so
    what is answered 503 meanwhile is as any other request: thousands of errors would hide the one that tells why.
    """

    def __init__(self, stream: BinaryIO, *, json: bool, level: int = logging.INFO) -> None:
        self._stream = stream
        self._json = json
        self._level = level
        self._encode = msgspec.json.Encoder().encode
        self._lines: list[bytes] = []
        self._writing: asyncio.TimerHandle | None = None
        self._second = 0
        self._at = ""

    def add(self, method: str, route: str, status: int, seconds: float, request_id: str) -> None:
        """One request: `route` is the template that it matched, `seconds` how long answering took."""
        failed = status >= SERVER_ERROR and status != UNAVAILABLE
        level, name = (logging.ERROR, "error") if failed else (logging.INFO, "info")
        if level < self._level:
            return
        ms = round(seconds * 1000, 2)
        message = f"{method} {route} {status}"
        if self._json:
            line = _Line(self._now(), name, "daybook.request", message, method, route, status, ms, request_id)
            self._lines.append(self._encode(line))
        else:
            self._lines.append(
                f"{self._now()} {name.upper()} daybook.request: {message} {ms} ms [{request_id}]".encode()
            )
        if len(self._lines) >= COLLECTED_MAX:
            self.write()
        elif self._writing is None:
            self._writing = asyncio.get_running_loop().call_later(COLLECTED_FOR_S, self.write)

    def write(self) -> None:
        """Write what is collected."""
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None
        lines, self._lines = self._lines, []
        if lines:
            self._stream.write(b"\n".join(lines) + b"\n")
            self._stream.flush()

    def _now(self) -> str:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._at}.{int(now * 1000) % 1000:03d}+00:00"


def request_lines(environ: Mapping[str, str], stream: TextIO | None = None) -> RequestLines:
    """As the environment asks for: where people read, requests that went well are shown at `debug` only.

    Raises SettingsError.
    """
    out: TextIO = sys.stderr if stream is None else stream
    json, level = form_of(environ, out) == JSON, log_level(environ)
    quiet = not json and level > logging.DEBUG
    return RequestLines(out.buffer, json=json, level=max(level, logging.ERROR) if quiet else level)
