"""Peers for tests: one real TLS server on loopback that is every host, behind addresses that look public.

The fetcher's guard resolves names by `Network.names` and hands each vetted address to `Network`, which notes it and
connects to the server instead. Nothing of ours is replaced: guard, transport, TLS and HTTP are the real ones.
"""

import asyncio
import contextlib
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpcore
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from adapters.activitypub.fetch import Fetcher, FetchLimits
from adapters.activitypub.guard import GuardedTransport, GuardPolicy
from adapters.activitypub.signatures_sign import SigningKey

PUBLIC = "93.184.215.14"
HOSTS = ("good.test", "evil.test", "slow.test", "our.test")
NOW = dt.datetime(2026, 10, 14, 19, 6, 5, tzinfo=dt.UTC)
AS2 = "https://www.w3.org/ns/activitystreams"
ACTIVITY_JSON = "application/activity+json"

Script = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Clock:
    """A clock that a test turns by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> dt.datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += dt.timedelta(**by)


@dataclass
class Asked:
    """A request as it reached the server."""

    url: str
    target: str
    headers: list[tuple[str, str]]


@dataclass
class Network(httpcore.AsyncNetworkBackend):
    """Names, what was dialled, and what the one server behind it all answers, by URL."""

    port: int = 0
    scheme: str = "https"
    names: dict[str, list[list[str]]] = field(default_factory=lambda: {host: [[PUBLIC]] for host in HOSTS})
    answers: dict[str, bytes | Script] = field(default_factory=dict[str, bytes | Script])
    dialled: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    asked: list[Asked] = field(default_factory=list[Asked])
    dead: set[str] = field(default_factory=set[str])
    swallowing: set[str] = field(default_factory=set[str])
    scripts: set[asyncio.Task[Any]] = field(default_factory=set[asyncio.Task[Any]])

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """The next answer for a name; the last one stays."""
        if host not in self.names:
            raise OSError(f"{host} is unknown")
        answers = self.names[host]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.dialled.append((host, port))
        if host in self.dead:
            raise httpcore.ConnectError("nobody there")
        if host in self.swallowing:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), timeout)
            raise httpcore.ConnectTimeout("nothing came back")
        backend: Any = httpcore.AnyIOBackend()
        return await backend.connect_tcp("127.0.0.1", self.port, timeout)

    def urls(self) -> list[str]:
        return [asked.url for asked in self.asked]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close."""
        task = asyncio.current_task()
        assert task is not None
        self.scripts.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = [(n.lower(), v.strip()) for n, _, v in (line.partition(":") for line in head[1:-2])]
                target = head[0].split(" ")[1]
                url = f"{self.scheme}://{dict(headers)['host']}{target}"
                self.asked.append(Asked(url, target, headers))
                answer = self.answers.get(url, response(b"", status=404))
                if isinstance(answer, bytes):
                    writer.write(answer)
                    await writer.drain()
                else:
                    await answer(writer)
        finally:
            self.scripts.discard(task)
            writer.transport.abort() if task.cancelling() else writer.close()


def response(body: bytes, content_type: str = ACTIVITY_JSON, *, status: int = 200, **headers: str) -> bytes:
    """An HTTP/1.1 response; underscores in further headers' names stand for dashes."""
    fields = {"Content-Type": content_type, "Content-Length": str(len(body)), "Connection": "close"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode("latin-1") + body


def document(id_: object, **more: Any) -> bytes:
    """A response with an ActivityPub document of that id."""
    return response(msgspec.json.encode({"@context": AS2, "id": id_, "type": "Note", **more}))


def redirect(to: str, status: int = 302) -> bytes:
    return response(b"", status=status, Location=to)


@contextlib.asynccontextmanager
async def network(tmp_path: Path, *, scheme: str = "https") -> AsyncIterator[Network]:
    """A running server and what stands before it."""
    made = Network(scheme=scheme)
    certificate, key = _certificate()
    file = tmp_path / "server.pem"
    file.write_bytes(certificate + key)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(file)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=tls if scheme == "https" else None)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for script in list(made.scripts):
            script.cancel()
        await asyncio.gather(*made.scripts, return_exceptions=True)
        await server.wait_closed()


@contextlib.asynccontextmanager
async def fetching(
    net: Network, *, clock: Clock | None = None, signer: SigningKey | None = None, limits: FetchLimits | None = None
) -> AsyncIterator[Fetcher]:
    """A Fetcher whose peers are `net`."""
    tls = ssl.create_default_context(cadata=_certificate()[0].decode())
    transport = GuardedTransport(GuardPolicy(), resolver=net.resolve, dialler=net, tls=tls)
    try:
        yield Fetcher(transport, own_origin="https://our.test", clock=clock or Clock(), signer=signer, limits=limits)
    finally:
        await transport.aclose()


@cache
def _certificate() -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "peers")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in HOSTS]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return made.public_bytes(pem), private
