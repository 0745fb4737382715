"""As much of HTTP/1.1 (RFC 9112) as a POST takes whose answer nobody reads: the status, and Retry-After.

The rest of an answer is read only so that the connection can be used again, and only while it is small; what is
framed oddly ends the connection, never the delivery.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpcore

HEAD_BYTES_MAX: Final = 32 * 1024
INTERIM_ANSWERS_MAX: Final = 5
BODY_BYTES_MAX: Final = 64 * 1024
_READ_BYTES: Final = 64 * 1024
_STATUS: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [^\r\n]*)?")
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,6})[ \t]*(?:;[^\r\n]*)?\r\n")
_NO_BODY: Final = frozenset({204, 304})
_INTERIM_MAX: Final = 199


class BrokenAnswer(Exception):
    """What came back is no HTTP; or nothing came back, and the other side hung up."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered; `kept` when another request may follow once the body is skipped."""

    status: int
    retry_after: str
    kept: bool
    length: int | None
    """Of the body in bytes, None when it comes in chunks."""


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
        self._unread = bytearray()

    @property
    def quiet(self) -> bool:
        """Whether the other side has neither ended nor said anything that nobody asked for."""
        return not self._unread and not self._stream.get_extra_info("is_readable")

    async def ask(self, request: bytes) -> Answer:
        """Send a request and read the head of its answer. Raises BrokenAnswer and httpcore.NetworkError."""
        await self._stream.write(request)
        for _ in range(INTERIM_ANSWERS_MAX):
            answer = _answer_of(await self._head())
            if answer.status > _INTERIM_MAX:
                return answer
        raise BrokenAnswer("the answer never came to its end")

    async def skip(self, answer: Answer) -> bool:
        """Read the answer's body; whether the line can be used again. Raises as `ask` does."""
        if not answer.kept:
            return False
        while (end := _end_of_chunks(self._unread) if answer.length is None else answer.length) > len(self._unread):
            if len(self._unread) > BODY_BYTES_MAX or not await self._read():
                return False
        del self._unread[:end]
        return self.quiet

    async def aclose(self) -> None:
        """Hang up."""
        await self._stream.aclose()

    async def _head(self) -> bytes:
        while (end := self._unread.find(b"\r\n\r\n")) < 0:
            if len(self._unread) > HEAD_BYTES_MAX:
                raise BrokenAnswer("the answer's head is too long")
            if not await self._read():
                raise BrokenAnswer("the connection ended without an answer")
        head = bytes(self._unread[:end])
        del self._unread[: end + 4]
        return head

    async def _read(self) -> bool:
        data = await self._stream.read(_READ_BYTES)
        self._unread += data
        return bool(data)


def _answer_of(head: bytes) -> Answer:
    first, *lines = head.split(b"\r\n")
    found = _STATUS.fullmatch(first)
    if found is None:
        raise BrokenAnswer("the answer is no HTTP/1.1")
    fields: dict[bytes, bytes] = {}
    twice: set[bytes] = set()
    for line in lines:
        name, _, value = line.partition(b":")
        name, value = name.lower(), value.strip(b" \t")
        if fields.setdefault(name, value) != value:
            twice.add(name)
    status = int(found[2])
    length = None if b"transfer-encoding" in fields else _length_of(fields.get(b"content-length", b""), status)
    framed = fields.get(b"transfer-encoding", b"chunked").lower() == b"chunked" and length != -1
    return Answer(
        status,
        fields.get(b"retry-after", b"").decode("latin-1"),
        kept=framed
        and found[1] == b"1"
        and fields.get(b"connection", b"").lower() in (b"", b"keep-alive")
        and not twice & {b"content-length", b"transfer-encoding", b"connection"}
        and (length or 0) <= BODY_BYTES_MAX,
        length=length,
    )


def _length_of(text: bytes, status: int) -> int:
    """-1 when the body ends with the connection, or who knows where."""
    if status in _NO_BODY:
        return 0
    return int(text) if text.isdigit() and len(text) < 10 else -1  # noqa: PLR2004 - beyond a gigabyte


def _end_of_chunks(data: bytearray) -> int:
    """Where a chunked body ends in `data`; beyond its end when more must come, or what came is no chunk."""
    more, at = BODY_BYTES_MAX * 2, 0
    while (found := _CHUNK.match(data, at)) is not None:
        size = int(found[1], 16)
        if size == 0:
            end = data.find(b"\r\n", found.end())
            # Trailers are allowed and used by nobody: with one the line just isn't kept.
            return end + 2 if end == found.end() else more
        at = found.end() + size + 2
        if at > len(data):
            break
    return more
