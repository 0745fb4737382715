"""Answers that were made already, handed out before anything is routed (docs/adr/0019-pages-are-kept.md).

A page is kept under what it was asked by and for whom: the path, the query and, where a document is meant, the Accept
header as they came; the account and the scopes of the token, which the route's guard admitted when it was made. It is
handed out to whoever shows a token of the same account and scopes that is good now, once what that token wrote can be
read. All else goes the long way: what has a body, whose parameters count too; a token that nobody remembers; what is
signed, where that may show more (`activitypub/signed_again.py` looks at some of it).
"""

import hashlib
from collections.abc import Hashable
from typing import Any, NamedTuple

from litestar import Request
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from adapters.pages import Headers, Making, Page
from adapters.postgres.oauth import Bearer
from api.auth import bearer_token
from api.server import Book

OK, NOT_MODIFIED = 200, 304
ACCEPT_BYTES_MAX = 256
QUERY_BYTES_MAX = 1_024

_API = "/api/"
# Where pages are kept, so that nothing else is looked at; which routes keep them they say themselves.
_PATHS = ("/api/v1/timelines/", "/api/v1/accounts/", "/api/v1/statuses/", "/ap/users/", "/.well-known/webfinger")
_BODIES = (b"content-length", b"transfer-encoding")
_SIGNATURES = (b"signature", b"signature-input")
# "/ap/users/1": everybody gets the same actor, signed or not.
_SLASHES_OF_ACTOR = 3
_OF_CONTENT = (b"content-type", b"content-length")


class Asked(NamedTuple):
    """What of a request decides on a page: where and what for, the token, and the ETags that the client has."""

    name: Hashable
    token: str | None
    held: bytes


def making(request: Request[Any, Any, Any]) -> Making:
    """Where the maker of a page notes what it is made from."""
    found = request.scope["state"].get("page")
    return Making(0) if found is None else found


class AskedAgain:
    """The ASGI application around the routes."""

    def __init__(self, app: ASGIApp, server: Book) -> None:
        self._app = app
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers what it has, and keeps what it may."""
        asked = _asked(scope) if scope["type"] == "http" else None
        if asked is None:
            await self._app(scope, receive, send)
            return
        page = self._kept(asked)
        if page is not None:
            # Whoever counts requests does so by their routes.
            scope["path_template"] = page.route
            await _answer(send, page.headers, page.body, page.etag, asked)
            return
        made = self._server.pages.begin()
        state: dict[str, Any] = scope.get("state", {})  # pyright: ignore[reportUnknownMemberType]
        scope["state"] = {**state, "page": made}
        await self._app(scope, receive, _Keeping(self._server, scope, asked, made, send).send)

    def _kept(self, asked: Asked) -> Page | None:
        if asked.token is None:
            return self._server.pages.answer((asked.name, None))
        bearer = self._server.tokens.known(asked.token)
        if bearer is None or not self._server.reads_what_it_wrote(bearer.id):
            return None
        return self._server.pages.answer((asked.name, _who(bearer)))


class _Keeping:
    """An answer on its way out: if it is a page, it gets its ETag, and is kept."""

    def __init__(self, server: Book, scope: Scope, asked: Asked, made: Making, send: Send) -> None:
        self._server = server
        self._scope = scope
        self._asked = asked
        self._made = made
        self._send = send
        self._headers: Headers | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == OK and self._made.all:
            # Its body comes next, and says what it is called.
            self._headers = list(message["headers"])
            return
        if self._headers is None:
            await self._send(message)
            return
        assert message["type"] == "http.response.body" and not message.get("more_body"), "pages come in one piece"
        body = message["body"]
        etag = b'"%b"' % hashlib.sha1(body, usedforsecurity=False).hexdigest().encode()
        headers = [*self._headers, (b"etag", b"W/" + etag)]
        key = self._key()
        # Who reads less than they wrote is told so, and nobody else.
        if key is not None and not any(name == b"daybook-behind" for name, _ in headers):
            self._server.pages.keep(key, self._made, headers, body, etag, self._scope["path_template"])
        await _answer(self._send, headers, body, etag, self._asked)

    def _key(self) -> Hashable:
        if self._asked.token is None:
            return self._asked.name, None
        # Whom the guard let in; where it did not look, nobody knows whose page it is.
        bearer: Bearer | None = self._scope["state"].get("bearer")
        return None if bearer is None else (self._asked.name, _who(bearer))


def _who(bearer: Bearer) -> Hashable:
    return bearer.account, tuple(bearer.scopes)


def _asked(scope: HTTPScope) -> Asked | None:
    """What a request asks for; None when no page can be meant."""
    path, query = scope["path"], scope["query_string"]
    if scope["method"] != "GET" or not path.startswith(_PATHS) or len(query) > QUERY_BYTES_MAX:
        return None
    authorization: bytes | None = None
    accept: bytes | None = None
    held, of_api = b"", path.startswith(_API)
    for name, value in scope["headers"]:
        if name in _BODIES or (name in _SIGNATURES and path.count("/") > _SLASHES_OF_ACTOR):
            return None
        if name == b"authorization":
            if authorization is not None or not of_api:
                return None
            authorization = value
        elif name == b"accept" and not of_api:
            if accept is not None or len(value) > ACCEPT_BYTES_MAX:
                return None
            accept = value
        elif name == b"if-none-match":
            held = value
    if authorization is None:
        return Asked((path, query, accept), None, held)
    token = bearer_token(authorization.decode("latin-1"))
    return Asked((path, query, accept), token, held) if token else None


async def _answer(send: Send, headers: Headers, body: bytes, etag: bytes, asked: Asked) -> None:
    """A page; of one that the client has already (RFC 9110 §13.1.2) only what changed about it, which is nothing."""
    status = OK
    if asked.held and (etag in asked.held or asked.held == b"*"):
        status, body = NOT_MODIFIED, b""
        headers = [(name, value) for name, value in headers if name not in _OF_CONTENT]
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body, "more_body": False})
