"""One POST to one inbox, through the guard; whatever comes of it is a verdict, never an exception."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import httpcore

from adapters.activitypub.fetch import USER_AGENT
from adapters.activitypub.guard import GuardedStreams, UrlRefused
from adapters.activitypub.urls import origin_of
from adapters.deliveries.http1 import BrokenAnswer, Line, request_of
from adapters.deliveries.judging import Outcome, Verdict, judged

IDLE_HOSTS_MAX: Final = 100
IDLE_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class PostLimits:
    """How long a host may take, in seconds: to connect, for everything together, and for a body that nobody reads."""

    connect_s: float = 5.0
    total_s: float = 30.0
    body_s: float = 2.0


@dataclass(slots=True)
class HostLines:
    """A host's connections that are free to be used, by origin, the last used last; with the time since they are."""

    free: list[tuple[str, Line, float]] = field(default_factory=list[tuple[str, Line, float]])

    async def aclose(self) -> None:
        """Hang up."""
        while self.free:
            await self.free.pop()[1].aclose()


class Poster:
    """Posts to inboxes. A host has as many connections as are used at once; some are kept for a while.

    `own_origin` names us to peers.
    """

    def __init__(
        self, streams: GuardedStreams, own_origin: str, clock: Callable[[], datetime], limits: PostLimits | None = None
    ) -> None:
        self._streams = streams
        self._agent = {"User-Agent": f"{USER_AGENT} (+{own_origin}/)"}
        self._clock = clock
        self._limits = limits or PostLimits()
        self._idle: OrderedDict[str, HostLines] = OrderedDict()

    def take(self, host: str) -> HostLines:
        """A host's lines, which nobody else has meanwhile."""
        return self._idle.pop(host, None) or HostLines()

    async def give_back(self, host: str, lines: HostLines) -> None:
        """Keep them for the next time, instead of those that were not wanted for the longest."""
        if lines.free:
            self._idle[host] = lines
        if len(self._idle) > IDLE_HOSTS_MAX:
            await self._idle.popitem(last=False)[1].aclose()

    async def aclose(self) -> None:
        """Hang up on all that were given back."""
        while self._idle:
            await self._idle.popitem()[1].aclose()

    async def post(self, lines: HostLines, url: str, headers: Mapping[str, str], body: bytes) -> Verdict:
        """Send it; anew at once if a kept connection broke: peers close those just when they are used again."""
        request = request_of(url, {**headers, **self._agent}, body)
        try:
            async with asyncio.timeout(self._limits.total_s):
                kept = await self._kept(lines, url)
                if kept is not None:
                    with suppress(httpcore.NetworkError, BrokenAnswer):
                        return await self._asked(lines, url, kept, request)
                line = Line(await self._streams.open(url, self._limits.connect_s))
                return await self._asked(lines, url, line, request)
        except UrlRefused as problem:
            return Verdict(Outcome.DROPPED, problem.reason)
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as problem:
            return Verdict(Outcome.UNREACHABLE, f"cannot be reached: {problem}")
        except (httpcore.NetworkError, BrokenAnswer) as problem:
            return Verdict(Outcome.TROUBLE, f"the connection failed: {problem}")
        except TimeoutError:
            return Verdict(Outcome.TROUBLE, f"did not answer within {self._limits.total_s:g} s")

    async def _kept(self, lines: HostLines, url: str) -> Line | None:
        """A free connection to where the URL leads; what has been free for too long or was ended goes."""
        origin, since = origin_of(url), asyncio.get_running_loop().time() - IDLE_S
        while lines.free:
            held, line, at = lines.free.pop()
            if held == origin and at >= since and line.quiet:
                return line
            await line.aclose()
        return None

    async def _asked(self, lines: HostLines, url: str, line: Line, request: bytes) -> Verdict:
        reusable = False
        try:
            answer = await line.ask(request)
            reusable = await self._skipped(line)
        finally:
            if reusable:
                lines.free.append((origin_of(url) or "", line, asyncio.get_running_loop().time()))
            else:
                await line.aclose()
        return judged(answer.status, answer.retry_after, self._clock())

    async def _skipped(self, line: Line) -> bool:
        # The answer stands already, however its body ends.
        with suppress(httpcore.NetworkError, TimeoutError):
            async with asyncio.timeout(self._limits.body_s):
                return await line.skip()
        return False
