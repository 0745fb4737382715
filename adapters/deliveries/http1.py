"""A POST and its answer over a connection that the guard dialled: HTTP/1.1 as llhttp reads it (the library httptools).

Of an answer the status and Retry-After count. Its body is skipped, and only while it is small, so that the connection
can be used again; where llhttp does not say for certain that it can, it is not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpcore
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

HEAD_BYTES_MAX: Final = 32 * 1024
BODY_BYTES_MAX: Final = 64 * 1024
_READ_BYTES: Final = 16 * 1024
_INTERIM_MAX: Final = 199


class BrokenAnswer(Exception):
    """What came back is no HTTP; or nothing came back, and the other side hung up."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered."""

    status: int
    retry_after: str


def request_of(url: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """A POST as it goes over the wire; `url` is canonical, `headers` hold the Host."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {target} HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode("ascii") + body


class Line:
    """One connection, for one request after the other."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._reading = _Reading()

    @property
    def quiet(self) -> bool:
        """Whether the other side has neither ended nor said anything that nobody asked for."""
        return not self._stream.get_extra_info("is_readable")

    async def ask(self, request: bytes) -> Answer:
        """Send a request and read the head of its answer. Raises BrokenAnswer and httpcore.NetworkError."""
        self._reading = reading = _Reading()
        await self._stream.write(request)
        received = 0
        while reading.answer is None:
            if received > HEAD_BYTES_MAX:
                raise BrokenAnswer("the answer's head is too long")
            data = await self._stream.read(_READ_BYTES)
            if not data:
                raise BrokenAnswer("the connection ended without an answer")
            received += len(data)
            reading.take(data)
        return reading.answer

    async def skip(self) -> bool:
        """Read the answer's body; whether the line can be used again. Raises httpcore.NetworkError."""
        reading, received = self._reading, 0
        while not (reading.ended or reading.odd):
            data = await self._stream.read(_READ_BYTES)
            received += len(data)
            if not data or received > BODY_BYTES_MAX:
                return False
            reading.take(data)
        return reading.reusable and not reading.odd and self.quiet

    async def aclose(self) -> None:
        """Hang up."""
        await self._stream.aclose()


class _Reading:
    """What llhttp tells of one answer; interim ones (1xx) are passed over."""

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self._retry_after = ""
        self.answer: Answer | None = None
        self.ended = False
        self.odd = False
        self.reusable = False

    def take(self, data: bytes) -> None:
        """Read on. Raises BrokenAnswer for what is no HTTP; oddly framed, what was answered stands all the same."""
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as problem:
            self.odd = True
            self.on_headers_complete()
            if self.answer is None:
                raise BrokenAnswer(f"the answer is no HTTP/1.1: {problem}") from problem

    def on_message_begin(self) -> None:
        """Something begins; behind the answer nothing may."""
        self.odd = self.odd or self.ended
        self._retry_after = ""

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header line."""
        if name.lower() == b"retry-after":
            self._retry_after = value.decode("latin-1").strip()

    def on_headers_complete(self) -> None:
        """The head is read, or as much of it as can be."""
        status = self._parser.get_status_code()
        if status > _INTERIM_MAX and self.answer is None:
            self.answer = Answer(status, self._retry_after)

    def on_message_complete(self) -> None:
        """Its body, too."""
        if self.answer is not None and not self.ended:
            self.ended = True
            self.reusable = self._parser.should_keep_alive()
