"""`daybook serve`: the API under granian, in one process, its event loop uvloop's."""

import asyncio
import os
import signal

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server as Granian

from adapters.config import Settings, load_settings
from adapters.first_start import attached
from adapters.wiring import Server
from api.app import create_app

# Granian's back-pressure caps connections, not requests: open streams must not starve the rest.
CONNECTIONS_MAX = 8_192


def serve() -> None:
    """Answer HTTP: the client API, the inbox and the public pages, until SIGTERM or SIGINT."""
    uvloop.run(_serve(attached(load_settings(os.environ))))


async def _serve(settings: Settings) -> None:
    granian = Granian(
        create_app(Server(settings)),
        address=settings.bind,
        port=settings.port,
        interface=Interfaces.ASGI,
        backlog=CONNECTIONS_MAX,
        backpressure=CONNECTIONS_MAX,
        websockets=True,
        log_enabled=False,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, granian.stop)
    await granian.serve()
