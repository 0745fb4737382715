"""What every answer carries, wherever it comes from: CORS, a request id, a date, a charset; and HEAD for every GET.
And what is noted of every request: how long it took, and what it was answered.

It stands outside the framework, so that its errors and those it never sees get the headers too: without them a
browser reports a 404 as "network error" (Fetch standard, CORS protocol).
"""

import logging
import secrets
import time
from collections.abc import Callable, Iterable
from email.utils import formatdate

from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from adapters.logs import REQUEST

log = logging.getLogger(__name__)

# What a web client on another origin may read. Pages with a session are not among it, and no cookie is ever allowed.
OPEN_PATHS = (
    "/api/",
    "/oauth/token",
    "/oauth/revoke",
    "/oauth/userinfo",
    "/.well-known/",
    "/nodeinfo/",
    "/ap/",
    "/@",
    "/users/",
    "/avatars/",
    "/headers/",
    # Web clients draw pictures on a canvas, which needs leave.
    "/media/",
)

EXPOSED = (
    b"Link, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-Id, Mastodon-Async-Refresh, "
    b"Deprecation, Idempotency-Key, Daybook-Behind, ETag, Retry-After"
)

CORS = [(b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", EXPOSED)]
FOR_ONE_VIEWER = [(b"cache-control", b"private, no-store"), (b"vary", b"Authorization, Origin")]
JSON_BARE = (b"content-type", b"application/json")
JSON_UTF8 = (b"content-type", b"application/json; charset=utf-8")
NO_SNIFFING = (b"x-content-type-options", b"nosniff")

PREFLIGHT_AGE_S = 7_200
NO_ROUTE = "none"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# As others count clients that went away before there was an answer.
BROKEN_OFF = 499
INTERNAL = b'{"error":"Something went wrong on our side. It has been logged."}'


Seen = Callable[[str, str, int, float, str], None]
"""Is told of a request: method, template of the route, status, seconds, request id."""


class Edge:
    """The ASGI application around the application; `seen` is told of each request once it is answered."""

    def __init__(self, app: ASGIApp, seen: Iterable[Seen] = ()) -> None:
        self._app = app
        self._seen = tuple(seen)
        self._date = _Date()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything on; what is HTTP is answered with the headers, whatever goes wrong inside."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, method = time.perf_counter(), scope["method"]
        answer = _Answer(scope, send, self._date, secrets.token_hex(8))
        named = REQUEST.set(answer.request_id)
        try:
            await self._answer(scope, receive, answer)
        finally:
            REQUEST.reset(named)
            took_s = time.perf_counter() - begun
            for seen in self._seen:
                seen(known_method(method), route_of(scope), answer.status, took_s, answer.request_id)

    async def _answer(self, scope: HTTPScope, receive: Receive, answer: "_Answer") -> None:
        if _is_preflight(scope):
            await answer.preflight()
            return
        if scope["method"] == "HEAD":
            scope["method"] = "GET"  # pyright: ignore[reportGeneralTypeIssues]
        try:
            await self._app(scope, receive, answer.send)
        except Exception as error:
            # The server process would answer text/plain, on which clients throw.
            log.error("unexpected: %s %s", known_method(scope["method"]), route_of(scope), exc_info=error)
            if answer.started:
                raise
            await answer.internal_error()


def route_of(scope: Scope) -> str:
    """The template of the route that a request matched: unlike a path it holds nothing of anybody's."""
    # Nothing matched: then the framework has not written it there.
    return (scope["path_template"] or NO_ROUTE) if "path_template" in scope else NO_ROUTE


def known_method(method: str) -> str:
    """The method, if it is one; whatever else clients may send there is one and the same."""
    return method if method in METHODS else "other"


class _Answer:
    """One response on its way out."""

    def __init__(self, scope: HTTPScope, send: Send, date: "_Date", request_id: str) -> None:
        self._send = send
        self._date = date
        self.request_id = request_id
        self.status = BROKEN_OFF
        self._path = scope["path"]
        self._headless = scope["method"] == "HEAD"
        self.started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            self.status = message["status"]
            message["headers"] = _dressed(self._path, message["headers"], self._date.now(), self.request_id)
        elif message["type"] == "http.response.body" and self._headless:
            if message.get("more_body", False):
                return
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    async def preflight(self) -> None:
        headers = [
            (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE, OPTIONS"),
            (b"access-control-allow-headers", b"Authorization, Content-Type, Idempotency-Key, *"),
            (b"access-control-max-age", str(PREFLIGHT_AGE_S).encode()),
        ]
        await self.send({"type": "http.response.start", "status": 204, "headers": headers})
        await self.send({"type": "http.response.body", "body": b"", "more_body": False})

    async def internal_error(self) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(INTERNAL)).encode())]
        await self.send({"type": "http.response.start", "status": 500, "headers": headers})
        await self.send({"type": "http.response.body", "body": INTERNAL, "more_body": False})


class _Date:
    """The Date header, written once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._text = b""

    def now(self) -> bytes:
        second = int(time.time())
        if second != self._second:
            self._second, self._text = second, formatdate(second, usegmt=True).encode()
        return self._text


def _dressed(
    path: str, headers: Iterable[tuple[bytes, bytes]], date: bytes, request_id: str
) -> list[tuple[bytes, bytes]]:
    """The headers of a response, completed. Lists of bytes, because this runs for every single answer."""
    dressed = [JSON_UTF8 if header == JSON_BARE else header for header in headers]
    given = {name for name, _ in dressed}
    if b"date" not in given:
        dressed.append((b"date", date))
    dressed.append((b"x-request-id", request_id.encode()))
    dressed.append(NO_SNIFFING)
    if _is_open(path):
        dressed += CORS
    if path.startswith("/api/"):
        dressed += [header for header in FOR_ONE_VIEWER if header[0] not in given]
    return dressed


def _is_open(path: str) -> bool:
    return path.startswith(OPEN_PATHS)


def _is_preflight(scope: HTTPScope) -> bool:
    return (
        scope["method"] == "OPTIONS"
        and _is_open(scope["path"])
        and any(name == b"access-control-request-method" for name, _ in scope["headers"])
    )
