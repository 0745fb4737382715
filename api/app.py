"""The one list of routes, and the application around them."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from litestar import Litestar
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp

from api.auth import bearer_of, guard, undeclared, viewer_of
from api.auth_limits import LogInLimit
from api.cors import Edge
from api.errors import handlers
from api.mastodon.instance import instance_v1, instance_v2
from api.oauth import authorization_server, revoke, token
from api.oauth_clients import register_app, verify_app
from api.server import Server
from api.web.authorize import authorize, decide
from api.web.landing import assets, landing
from api.web.pages import Pages

ROUTES: Sequence[HTTPRouteHandler] = (
    landing,
    instance_v1,
    instance_v2,
    register_app,
    verify_app,
    authorize,
    decide,
    token,
    revoke,
    authorization_server,
)


def create_app(server: Server) -> ASGIApp:
    """The ASGI application that granian runs; `server` is entered at start-up and left at shutdown."""
    return Edge(create_routes(server))


def create_routes(server: Server, more: Sequence[HTTPRouteHandler] = ()) -> Litestar:
    """The application without its edge. `more` is for tests that need a route of their own.

    Raises AssertionError when a route under /api declares no scope.
    """
    pages, log_ins = Pages(server.settings.domain), LogInLimit()

    @asynccontextmanager
    async def running(_: Litestar) -> AsyncGenerator[None]:
        async with server.running():
            yield

    app = Litestar(
        [*ROUTES, *assets(), *more],
        dependencies={
            "server": Provide(lambda: server, sync_to_thread=False),
            "pages": Provide(lambda: pages, sync_to_thread=False),
            "log_ins": Provide(lambda: log_ins, sync_to_thread=False),
            "viewer": Provide(viewer_of, sync_to_thread=False),
            "bearer": Provide(bearer_of, sync_to_thread=False),
        },
        exception_handlers=handlers(pages),
        guards=[guard(server.tokens)],
        lifespan=[running],
        # What requests hold is read by `api/params.py`, which has a limit of its own.
        request_max_body_size=None,
        openapi_config=None,
        logging_config=None,
    )
    open_routes = list(undeclared(app))
    assert not open_routes, f"no scope declared for {open_routes}"
    return app
