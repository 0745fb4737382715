"""Connections on asyncio's own transports, in the shape that the guard hands to whoever dials (httpcore's).

A third of the cost of httpcore's own, which go through anyio: no task group, no scope a read.
"""

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any, cast

import httpcore

UNREAD_BYTES_MAX = 256 * 1024


class AsyncioDialler(httpcore.AsyncNetworkBackend):
    """Dials addresses. Raises httpcore's ConnectError and ConnectTimeout."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to an address."""
        try:
            async with asyncio.timeout(timeout):
                _, received = await asyncio.get_running_loop().create_connection(_Received, host, port)
        except TimeoutError as problem:
            raise httpcore.ConnectTimeout(f"{host} did not answer.") from problem
        except OSError as problem:
            raise httpcore.ConnectError(str(problem)) from problem
        return _Stream(received)


class _Received(asyncio.Protocol):
    """What came in and was not read yet."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.unread = bytearray()
        self.ended = False
        self.error: Exception | None = None
        self._waiting: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by class

    def data_received(self, data: bytes) -> None:
        self.unread += data
        if len(self.unread) > UNREAD_BYTES_MAX and self.transport is not None:
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self.ended = True
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended, self.error = True, exc
        self._wake()

    async def more(self) -> None:
        """Until there is something to read, or nothing will come any more."""
        if not (self.unread or self.ended):
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, received: _Received) -> None:
        self._received = received

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's own
        """What came in; nothing when the other side has ended. Raises httpcore's ReadError and ReadTimeout."""
        received = self._received
        if not received.unread:
            try:
                async with asyncio.timeout(timeout):
                    await received.more()
            except TimeoutError as problem:
                raise httpcore.ReadTimeout("Nothing came.") from problem
        if received.error is not None and not received.unread:
            raise httpcore.ReadError(str(received.error)) from received.error
        data = bytes(received.unread[:max_bytes])
        del received.unread[:max_bytes]
        if received.transport is not None and not received.transport.is_reading() and not received.ended:
            received.transport.resume_reading()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's own
        """Hand it to the transport, which sends it as fast as the other side takes it. Raises httpcore.WriteError."""
        transport = self._received.transport
        if self._received.ended or transport is None or transport.is_closing():
            raise httpcore.WriteError("The connection is closed.")
        transport.write(buffer)

    async def aclose(self) -> None:
        """Hang up at once."""
        if self._received.transport is not None:
            self._received.transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own signature
    ) -> httpcore.AsyncNetworkStream:
        """Go on over TLS. Raises httpcore's ConnectError and ConnectTimeout, and hangs up."""
        received = self._received
        assert received.transport is not None, "connected before"
        try:
            async with asyncio.timeout(timeout):
                transport = await asyncio.get_running_loop().start_tls(
                    received.transport, received, ssl_context, server_hostname=server_hostname
                )
        except TimeoutError as problem:
            await self.aclose()
            raise httpcore.ConnectTimeout("The peer did not answer for TLS.") from problem
        except (OSError, ssl.SSLError) as problem:
            await self.aclose()
            raise httpcore.ConnectError(str(problem)) from problem
        assert transport is not None, "the connection was there a moment ago"
        received.transport = transport
        return self

    def get_extra_info(self, info: str) -> bool | None:
        """`is_readable`: whether there is something to read, an end too."""
        return bool(self._received.unread) or self._received.ended if info == "is_readable" else None
