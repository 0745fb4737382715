"""Other servers on this machine: they hand out their actors, sign what they send, and take what they are sent.

They are reached by plain http through `DAYBOOK_NAME_MAP`, one port for all their names. Follows that arrive are
accepted, and local posts that arrive are among what is written about. However long it goes on, all this keeps the last
few thousand things.
"""

import asyncio
import random
import re
import socket
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from adapters.keypairs import new_key_pair
from adapters.postgres.secrets import private_key
from bench import peers
from bench.mixture import Mixture
from bench.stage import KEY_PAIRS, signed_post

AUTHORS_FIRST = 4_500
NEWCOMER_EVERY = 200
TO_ACCEPT_MAX = 10_000
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_AUTHOR = re.compile(r"/users/author(\d+)$")


class Crowd:
    """Remote people who write to the instance at `origin`, about it (`here`: local actors' URIs) and each other."""

    def __init__(self, origin: str, here: Sequence[str], seed: int = 11) -> None:
        self._origin = origin
        self._dice = random.Random(seed)  # noqa: S311 - to be made again, not to be unguessable
        self._mixture = Mixture(self._dice, here, lambda: datetime.now(UTC))
        pairs = [new_key_pair() for _ in range(KEY_PAIRS)]
        self._pems = [pair.public_pem for pair in pairs]
        self._keys: list[RSAPrivateKey] = [private_key(pair.private_pem) for pair in pairs]
        self._to_accept: deque[dict[str, Any]] = deque(maxlen=TO_ACCEPT_MAX)
        self.authors = AUTHORS_FIRST

    def hello(self, authors: int) -> Iterator[bytes]:
        """A first post by each of so many, who become known by it."""
        return (self._signed(self._mixture.activity("Create", author)) for author in range(authors))

    def activities(self) -> Iterator[bytes]:
        """Requests without end, each made and signed when it is asked for; more and more people write them."""
        while True:
            for _ in range(NEWCOMER_EVERY):
                yield self._signed(self._next())
            self.authors += 1

    def answer(self, path: str, body: bytes) -> bytes | None:
        """The answer to a GET, None where there is nothing; what is sent to us (a `body`) is answered with nothing."""
        if body:
            self._hear(msgspec.json.decode(body, type=dict[str, Any]))
            return b""
        found = _AUTHOR.search(path)
        if found is None:
            return None
        author = int(found[1])
        return _plain(peers.encoded(peers.actor(author, self._pems[author % KEY_PAIRS])))

    def _next(self) -> dict[str, Any]:
        if self._to_accept:
            follow = self._to_accept.popleft()
            return peers.small("Accept", _author_of(follow["object"]), self._mixture.next(), follow)
        # The longer somebody is here, the more they write.
        author = int(self.authors * self._dice.random() ** 2)
        return self._mixture.activity(self._mixture.kind(), author)

    def _hear(self, activity: dict[str, Any]) -> None:
        about = activity.get("object")
        if activity["type"] == "Follow":
            self._to_accept.append(activity)
        elif activity["type"] == "Create" and isinstance(about, dict):
            self._mixture.said_here(cast(dict[str, Any], about)["id"])

    def _signed(self, activity: dict[str, Any]) -> bytes:
        author = _author_of(activity["actor"])
        body, key_id = _plain(peers.encoded(activity)), _plain(peers.key_id(author).encode()).decode()
        return signed_post(self._origin, body, key_id, self._keys[author % KEY_PAIRS], datetime.now(UTC))


def author_uri(author: int) -> str:
    """The id of a remote author as it is here."""
    return _plain(peers.author_uri(author).encode()).decode()


def name_map(port: int) -> str:
    """DAYBOOK_NAME_MAP for all their names."""
    return ",".join(f"peer{number}.example=127.0.0.1:{port}" for number in range(peers.HOSTS))


@asynccontextmanager
async def listening(crowd: Crowd, at: socket.socket) -> AsyncGenerator[None]:
    """Their servers on a socket that listens already, while this is open."""
    server = await asyncio.get_running_loop().create_server(lambda: _Answering(crowd), sock=at)
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()


class _Answering(asyncio.Protocol):
    """One connection to them, kept open between requests."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by class

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._received, 0, end + 2)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._received) < whole:
                return
            path = self._received[:end].split(b" ", 2)[1].decode()
            self._send(self._crowd.answer(path, bytes(self._received[end + 4 : whole])))
            del self._received[:whole]

    def _send(self, body: bytes | None) -> None:
        status = "404 Not Found" if body is None else "200 OK" if body else "202 Accepted"
        content = body or b""
        kind = "Content-Type: application/activity+json"
        self._transport.write(
            f"HTTP/1.1 {status}\r\n{kind}\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content
        )


def _author_of(uri: str) -> int:
    found = _AUTHOR.search(uri)
    assert found is not None, uri
    return int(found[1])


def _plain(text: bytes) -> bytes:
    return text.replace(b"https://peer", b"http://peer")
