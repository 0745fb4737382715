"""`daybook serve`: the API under granian, in one process, its event loop uvloop's."""

import asyncio
import logging
import os
import signal
import socket

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server as Granian

from adapters.config import Settings, SettingsError, load_settings
from adapters.first_start import attached
from adapters.listening import note
from adapters.request_lines import RequestLines, request_lines
from adapters.wiring import Server
from api.app import create_app

# Granian's back-pressure caps connections, not requests: open streams must not starve the rest.
CONNECTIONS_MAX = 8_192

log = logging.getLogger("daybook.serve")


def serve() -> None:
    """Answer HTTP: the client API, the inbox and the public pages, until SIGTERM or SIGINT.

    Raises SettingsError when the port can't be listened on, SystemExit (1) when the web server ends unasked.
    """
    settings = attached(load_settings(os.environ))
    check_port(settings)
    uvloop.run(_serve(settings, request_lines(os.environ)))


def check_port(settings: Settings) -> None:
    """Raise SettingsError when the port can't be listened on.

    Granian lets several processes share a port, and says nothing when it can't have one.
    """
    address = (settings.bind, settings.port)
    with socket.socket(socket.AF_INET6 if ":" in settings.bind else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            raise SettingsError(
                f"Port {settings.port} on {settings.bind} can't be listened on ({error.strerror}): "
                "free it, or set another DAYBOOK_PORT."
            ) from error


async def _serve(settings: Settings, lines: RequestLines) -> None:
    server = Server(settings)
    granian = Granian(
        create_app(server, [lines.add, server.vitals.metrics.seen]),
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
    where = f"[{settings.bind}]" if ":" in settings.bind else settings.bind
    log.info("listening on %s:%d", where, settings.port)
    try:
        note(settings)
    except OSError as error:
        log.warning("where that is can't be noted for `daybook doctor` (%s)", error.strerror)
    try:
        await granian.serve()
    finally:
        lines.write()
    if not granian.interrupt_signal:
        raise SystemExit("daybook: The web server ended before it was told to.")
