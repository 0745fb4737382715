"""One POST: over TLS or not, whatever comes back is a verdict, and a connection is kept only when that is safe."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpcore
import pytest

from adapters.activitypub.guard import GuardedStreams, GuardPolicy
from adapters.deliveries.judging import Outcome, Verdict
from adapters.deliveries.posting import Poster, PostLimits
from adapters.deliveries.streams import AsyncioDialler
from tests.adapters.activitypub.fetch_peers import (
    PUBLIC,
    Network,
    _certificate,  # pyright: ignore[reportPrivateUsage]
    network,
    response,
)

pytestmark = pytest.mark.anyio
INBOX = "https://good.test/inbox"
SEED = 20261125


class Everywhere(AsyncioDialler):
    """Dials the one server, whatever address the guard let through."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.dialled: list[str] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.dialled.append(host)
        return await super().connect_tcp("127.0.0.1", self.port, timeout)


def poster_to(net: Network, limits: PostLimits | None = None, *, trusting: bool = True) -> Poster:
    tls = ssl.create_default_context(cadata=_certificate()[0].decode() if trusting else None)
    streams = GuardedStreams(GuardPolicy(), dialler=Everywhere(net.port), resolver=net.resolve, tls=tls)
    return Poster(streams, "https://our.test", lambda: datetime.now(UTC), limits)


async def posted(poster: Poster, url: str) -> Verdict:
    return await poster.post(poster.take("x"), url, {"Host": url.split("/")[2]}, b"{}")


@asynccontextmanager
async def answering(*answers: bytes) -> AsyncIterator[tuple[Poster, list[int]]]:
    """A poster to a loopback name, and the connections made to a server that gives these answers in turn, then 202."""
    connections, left, serving = list[int](), list(answers), set[asyncio.Task[Any]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            while await reader.readuntil(b"\r\n\r\n{}"):
                answer = left.pop(0) if left else response(b"").replace(b"Connection: close\r\n", b"")
                writer.write(answer)
                if answer.endswith(b"!"):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            serving.discard(task)
            writer.transport.abort() if task.cancelling() else writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    policy = GuardPolicy(name_map={"good.test": server.sockets[0].getsockname()[:2]})
    streams = GuardedStreams(policy, dialler=AsyncioDialler())
    poster = Poster(streams, "https://our.test", lambda: datetime.now(UTC), PostLimits(total_s=2, body_s=0.2))
    try:
        yield poster, connections
    finally:
        server.close()
        for task in list(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await server.wait_closed()
        await asyncio.sleep(0)  # what was aborted closes its socket


async def test_tls_is_spoken_with_the_name_to_the_address_that_was_vetted(tmp_path: Path) -> None:
    async with network(tmp_path) as net:
        net.answers[INBOX] = response(b"", status=202)
        poster = poster_to(net)
        assert (await posted(poster, INBOX)).outcome is Outcome.DONE
        backend: Any = poster
        assert backend._streams._backend._dialler.dialled == [PUBLIC]
        assert dict(net.asked[0].headers)["host"] == "good.test"


async def test_a_certificate_that_nobody_vouches_for_is_no_connection(tmp_path: Path) -> None:
    async with network(tmp_path) as net:
        verdict = await posted(poster_to(net, trusting=False), INBOX)
        assert verdict.outcome is Outcome.UNREACHABLE and "certificate" in verdict.words.lower()
        assert net.asked == []


@pytest.mark.parametrize("address", ["10.0.0.7", "127.0.0.1", "::1", "169.254.169.254", "::ffff:192.168.0.1"])
async def test_a_name_that_leads_into_our_own_network_is_not_dialled(tmp_path: Path, address: str) -> None:
    async with network(tmp_path) as net:
        net.names["good.test"] = [[address]]
        poster = poster_to(net)
        assert (await posted(poster, INBOX)).outcome is Outcome.DROPPED
        assert (await posted(poster, "http://good.test/inbox")).outcome is Outcome.DROPPED
        assert (await posted(poster, "https://good.test:22/inbox")).outcome is Outcome.DROPPED
        assert net.asked == []


async def test_a_name_that_is_unknown_is_unreachable(tmp_path: Path) -> None:
    async with network(tmp_path) as net:
        assert (await posted(poster_to(net), "https://nobody.test/inbox")).outcome is Outcome.UNREACHABLE


KEPT: Sequence[bytes] = (
    b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 202\r\ncontent-length:0\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 202\r\nContent-Length: 0\r\n\r\n",
)
NOT_KEPT: Sequence[bytes] = (
    b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    b"HTTP/1.0 202 Accepted\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 202 Accepted\r\n\r\nuntil the end!",
    b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\nHTTP/1.1 500 Smuggled\r\n\r\n",
    b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nContent-Length: 9\r\n\r\n",
    b"HTTP/1.1 202 Accepted\r\nContent-Length: 900000\r\n\r\nsome",
    b"HTTP/1.1 202 Accepted\r\nContent-Length: 9\r\n\r\nshort!",
    b"HTTP/1.1 202 Accepted\r\nContent-Length: -1\r\n\r\n",
    b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\nnonsense!",
)


@pytest.mark.parametrize("answer", KEPT)
async def test_a_connection_whose_answer_has_a_clear_end_is_used_again(answer: bytes) -> None:
    async with answering(answer) as (poster, connections):
        lines = poster.take("good.test")
        for _ in range(2):
            verdict = await poster.post(lines, "http://good.test/inbox", {"Host": "good.test"}, b"{}")
            assert verdict.outcome is Outcome.DONE
        assert len(connections) == 1
        await lines.aclose()


@pytest.mark.parametrize("answer", NOT_KEPT)
async def test_one_whose_answer_has_none_is_not_and_the_answer_stands(answer: bytes) -> None:
    async with answering(answer) as (poster, connections):
        lines = poster.take("good.test")
        for _ in range(2):
            verdict = await poster.post(lines, "http://good.test/inbox", {"Host": "good.test"}, b"{}")
            assert verdict.outcome is Outcome.DONE
        assert len(connections) == 2
        await lines.aclose()


async def test_whatever_comes_back_is_a_verdict() -> None:
    dice = random.Random(SEED)  # noqa: S311 - to be made again
    pieces = [
        *KEPT,
        *NOT_KEPT,
        b"\r\n\r\n",
        b"HTTP/1.1 ",
        b"999 ",
        b"\xff\x00",
        b"Retry-After: ",
        b"503 x\r\n",
        b"y" * 40_000,
    ]
    for _ in range(60):
        garbage = b"".join(dice.choice(pieces)[dice.randrange(9) :] for _ in range(dice.randrange(1, 5))) + b"!"
        async with answering(garbage) as (poster, _):
            verdict = await posted(poster, "http://good.test/inbox")
            assert isinstance(verdict, Verdict), garbage
