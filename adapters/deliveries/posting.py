"""One POST to one inbox, through the guard; whatever comes of it is a verdict, never an exception."""

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import httpx

from adapters.activitypub.fetch import USER_AGENT
from adapters.activitypub.guard import GuardedTransport, GuardPolicy, UrlRefused
from adapters.deliveries.judging import Outcome, Verdict, judged

CONNECTIONS_PER_HOST_MAX: Final = 4
IDLE_HOSTS_MAX: Final = 100
ANSWER_BYTES_MAX: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class PostLimits:
    """How long a host may take, in seconds: to connect, for everything together, and for a body that nobody reads."""

    connect_s: float = 5.0
    total_s: float = 30.0
    body_s: float = 2.0


MakeTransport = Callable[[], GuardedTransport]


def guarded(policy: GuardPolicy) -> MakeTransport:
    """Makes a small pool for one host; what is costly to make is shared."""
    tls: ssl.SSLContext = httpx.create_ssl_context(trust_env=False)
    return lambda: GuardedTransport(policy, tls=tls, connections=CONNECTIONS_PER_HOST_MAX)


class Poster:
    """Posts to inboxes. A pool a host, because a pool slows down with the connections in it; some are kept for a while.

    `own_origin` names us to peers.
    """

    def __init__(
        self, make: MakeTransport, own_origin: str, clock: Callable[[], datetime], limits: PostLimits | None = None
    ) -> None:
        self._make = make
        self._agent = f"{USER_AGENT} (+{own_origin}/)"
        self._clock = clock
        self._limits = limits or PostLimits()
        self._idle: OrderedDict[str, GuardedTransport] = OrderedDict()
        timeout = httpx.Timeout(self._limits.total_s, connect=self._limits.connect_s)
        self._extensions = {"timeout": timeout.as_dict()}

    def take(self, host: str) -> GuardedTransport:
        """A host's pool, which nobody else has meanwhile."""
        return self._idle.pop(host, None) or self._make()

    async def give_back(self, host: str, transport: GuardedTransport) -> None:
        """Keep it for the next time, instead of the one that was not wanted for the longest."""
        self._idle[host] = transport
        if len(self._idle) > IDLE_HOSTS_MAX:
            _, oldest = self._idle.popitem(last=False)
            await _close(oldest)

    async def aclose(self) -> None:
        """Close all pools that were given back."""
        while self._idle:
            await _close(self._idle.popitem()[1])

    async def post(self, transport: GuardedTransport, url: str, headers: dict[str, str], body: bytes) -> Verdict:
        """Send it, once more at once if the connection broke: peers close kept ones just when they are used again."""
        try:
            async with asyncio.timeout(self._limits.total_s):
                try:
                    return await self._sent(transport, url, headers, body)
                except (httpx.NetworkError, httpx.ProtocolError) as problem:
                    if isinstance(problem, httpx.ConnectError):
                        raise
                    return await self._sent(transport, url, headers, body)
        except UrlRefused as problem:
            return Verdict(Outcome.DROPPED, problem.reason)
        except httpx.ConnectError as problem:
            return Verdict(Outcome.UNREACHABLE, f"cannot be reached: {problem}")
        except httpx.TransportError as problem:
            return Verdict(Outcome.TROUBLE, f"the connection failed: {problem}")
        except TimeoutError:
            return Verdict(Outcome.TROUBLE, f"did not answer within {self._limits.total_s:g} s")

    async def _sent(self, transport: GuardedTransport, url: str, headers: dict[str, str], body: bytes) -> Verdict:
        request = httpx.Request(
            "POST", url, headers={**headers, "User-Agent": self._agent}, content=body, extensions=self._extensions
        )
        response = await transport.handle_async_request(request)
        verdict = judged(response.status_code, response.headers.get("retry-after", ""), self._clock())
        # Read so that the connection can be used again, but not for ever; the answer stands already.
        with suppress(httpx.TransportError, TimeoutError):
            try:
                async with asyncio.timeout(self._limits.body_s):
                    await _skim(response)
            finally:
                await response.aclose()
        return verdict


async def _skim(response: httpx.Response) -> None:
    received = 0
    async for part in response.aiter_raw():
        received += len(part)
        if received > ANSWER_BYTES_MAX:
            return


async def _close(transport: GuardedTransport) -> None:
    with suppress(httpx.TransportError, OSError):
        await transport.aclose()
