"""Who is asking: the scope that every route declares, and the viewer that a token stands for.

A route under /api says in its `opt` what it needs, by `PUBLIC`, `needs(…)` or `may_have(…)`. A guard on the whole
application enforces it and refuses a route that says nothing, so that a forgotten line closes a route instead of
opening it (A18, O01). Only `Authorization: Bearer` counts: a token in a URL ends up in logs.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, TypeAlias

import msgspec
from litestar import Litestar, Request
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.handlers.base import BaseRouteHandler
from litestar.params import SkipValidation

from adapters.postgres.oauth import Bearer
from adapters.postgres.tokens import TokenCache
from adapters.postgres.visits import Visits
from api.auth_scopes import KNOWN, has_scope
from api.errors import NOT_FOR_APPS, OutsideScopes, Unauthorized, Unprocessable
from api.server import TheServer

TOKEN_CHARACTERS_MAX = 256

Connection = ASGIConnection[Any, Any, Any, Any]
Opt = dict[str, Any]


class Viewer(msgspec.Struct, frozen=True):
    """A person, through one client: `account` and `app` are ids, `token` the id of the access token's row."""

    account: int
    token: int
    app: int
    scopes: frozenset[str]

    def may(self, scope: str) -> bool:
        """Whether the token includes `scope`, where that only shapes the answer."""
        return has_scope(self.scopes, scope)


# How a route asks for them: the one where it `needs(…)` a person, the other where it `may_have(…)` one.
TheViewer: TypeAlias = NamedDependency[SkipValidation[Viewer]]
AnyViewer: TypeAlias = NamedDependency[SkipValidation[Viewer | None]]

# Nobody is asked who they are.
PUBLIC: Opt = {"scope": "public"}
# Any good token, an app's own included, whatever its scopes.
ANY_TOKEN: Opt = {"scope": "any"}


def needs(*scopes: str, apps: bool = False) -> Opt:
    """A person's token with one of `scopes`; with `apps`, an app's own token will do too."""
    return _declared(scopes, apps=apps, anonymous=False)


def may_have(*scopes: str) -> Opt:
    """Open to all; but a token that is shown must be good and have one of `scopes`."""
    return _declared(scopes, apps=True, anonymous=True)


def _declared(scopes: tuple[str, ...], *, apps: bool, anonymous: bool) -> Opt:
    assert scopes and set(scopes) <= KNOWN, f"no such scope: {scopes}"
    return {"scope": scopes, "apps": apps, "anonymous": anonymous}


def guard(tokens: TokenCache, visits: Visits) -> Callable[[Connection, BaseRouteHandler], Awaitable[None]]:
    """The guard of the whole application.

    It raises Unauthorized (401) without a good token, OutsideScopes (403) when the token lacks the scope,
    Unprocessable (422) for an app's token where a person's is needed, and Unavailable. Whoever comes in has been here.
    """

    async def check(connection: Connection, handler: BaseRouteHandler) -> None:
        declared = handler.opt.get("scope")
        if declared == "public" or (declared is None and not _is_api(connection.scope["path"])):
            return
        assert declared is not None, f"{handler} declares no scope"
        await _admit(connection, handler.opt)

    async def _admit(connection: Connection, opt: Mapping[str, Any]) -> None:
        token = bearer_token(connection.headers.get("authorization"))
        if token is None and opt.get("anonymous"):
            return
        bearer = await tokens.find(token) if token else None
        if bearer is None:
            raise Unauthorized
        if opt["scope"] != "any":
            if not any(has_scope(bearer.scopes, scope) for scope in opt["scope"]):
                raise OutsideScopes
            if bearer.account is None and not opt["apps"]:
                raise Unprocessable(NOT_FOR_APPS)
        if bearer.account is not None:
            await visits.note(bearer.account)
        connection.scope["state"]["bearer"] = bearer

    return check


def bearer_token(header: str | None) -> str | None:
    """The token of an Authorization header (RFC 6750 §2.1); None without the header, "" when it holds none."""
    if header is None:
        return None
    kind, _, token = header.partition(" ")
    token = token.strip()
    return token if kind.lower() == "bearer" and len(token) <= TOKEN_CHARACTERS_MAX else ""


def bearer_of(request: Request[Any, Any, Any]) -> Bearer | None:
    """Dependency `bearer`: the good token shown, None where none was."""
    return request.scope["state"].get("bearer")


def viewer_of(request: Request[Any, Any, Any], server: TheServer) -> Viewer | None:
    """Dependency `viewer`: the person asking; None for the anonymous and for apps on their own.

    On a route with `needs(…)` it is always a Viewer, and may be annotated so. `server` is named although nothing is
    asked of it: dependencies that stand side by side are run in a task group, which costs more than both.
    """
    bearer = bearer_of(request)
    if bearer is None or bearer.account is None:
        return None
    return Viewer(account=bearer.account, token=bearer.id, app=bearer.app, scopes=frozenset(bearer.scopes))


def undeclared(app: Litestar) -> Iterator[str]:
    """Every `METHOD path` under /api that declares no scope: none, or the application does not start."""
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            if _is_api(route.path) and handler.opt.get("scope") is None and not _is_options(handler):
                yield f"{'/'.join(sorted(handler.http_methods))} {route.path}"


def _is_options(handler: Any) -> bool:
    """Litestar answers OPTIONS on every path by itself."""
    return handler.http_methods == {"OPTIONS"}


def _is_api(path: str) -> bool:
    return path == "/api" or path.startswith("/api/")
