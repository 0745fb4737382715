"""A cheap load generator: requests as prebuilt bytes over keep-alive sockets, answers hardly looked at."""

import asyncio
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, islice, repeat
from typing import cast

from bench.measuring import percentile
from bench.services import BenchError

ANSWER_TIMEOUT_S = 30.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_WRK_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


@dataclass
class Driven:
    """What came of a run: seconds, statuses, and per request (in order) how long it took, in seconds."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter[int])
    latencies_s: list[float] = field(default_factory=list[float])
    sent_at: list[float] = field(default_factory=list[float])

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return len(self.latencies_s) / self.seconds

    def only(self, *wanted: int) -> "Driven":
        """Itself. Raises BenchError when any other status was answered."""
        if set(self.statuses) - set(wanted):
            raise BenchError(f"answered {dict(self.statuses)}, wanted {wanted}")
        return self


class Connection(asyncio.Protocol):
    """One keep-alive connection: a request out, its whole answer in, then the next."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._answer: asyncio.Future[int] | None = None
        self._transport: asyncio.Transport | None = None
        self._needs = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by class

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(BenchError("the server hung up"))

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._needs:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return
            length = _LENGTH.search(self._received, 0, end + 2)
            self._needs = end + 4 + (int(length[1]) if length else 0)
        # Whoever asked may have gone meanwhile.
        if len(self._received) >= self._needs and self._answer is not None and not self._answer.done():
            status = int(self._received[9:12])
            del self._received[: self._needs]
            self._needs = 0
            self._answer.set_result(status)

    def ask(self, request: bytes) -> asyncio.Future[int]:
        """The status that the request is answered with."""
        assert self._transport is not None, "connect first"
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


async def connect(port: int, connections: int) -> list[Connection]:
    """So many connections to this machine."""
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(Connection, "127.0.0.1", port) for _ in range(connections)]
    return [connection for _, connection in made]


async def flat_out(port: int, requests: Iterable[bytes], connections: int) -> Driven:
    """Each connection sends its next request when the last is answered."""
    driven, source = Driven(), iter(requests)
    lines = await connect(port, connections)

    async def run(line: Connection) -> None:
        for request in source:
            sent = time.perf_counter()
            driven.statuses[await line.ask(request)] += 1
            driven.latencies_s.append(time.perf_counter() - sent)

    started = time.perf_counter()
    await asyncio.gather(*map(run, lines))
    driven.seconds = time.perf_counter() - started
    for line in lines:
        line.close()
    return driven


async def paced(port: int, requests: Sequence[bytes], per_second: float, connections: int) -> Driven:
    """Requests at fixed times, whether or not earlier ones are answered; `sent_at` holds when each was due."""
    driven = Driven()
    free: asyncio.Queue[Connection] = asyncio.Queue()
    lines = await connect(port, connections)
    for line in lines:
        free.put_nowait(line)
    started = time.perf_counter()

    async def send(due: float, request: bytes) -> None:
        line = await free.get()
        driven.statuses[await line.ask(request)] += 1
        free.put_nowait(line)
        driven.latencies_s.append(time.perf_counter() - due)

    async with asyncio.TaskGroup() as sending:
        for number, request in enumerate(requests):
            due = started + number / per_second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            driven.sent_at.append(due)
            sending.create_task(send(due, request))
    driven.seconds = time.perf_counter() - started
    for line in lines:
        line.close()
    return driven


def get(port: int, path: str, token: str | None = None, headers: Mapping[str, str] | None = None) -> bytes:
    """A GET as bytes."""
    given = {"Host": f"localhost:{port}", **(headers or {})}
    if token:
        given["Authorization"] = f"Bearer {token}"
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode()


def post_json(port: int, path: str, token: str, body: bytes) -> bytes:
    """A POST of JSON as bytes."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost:{port}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def gets(port: int, path: str, token: str | None, connections: int, seconds: float) -> tuple[float, float]:
    """GETs a second and their 99th percentile in seconds: by wrk where it is installed, else by ourselves.

    Raises BenchError when anything but 200 is answered.
    """
    if shutil.which("wrk"):
        return await asyncio.to_thread(_wrk, port, path, token, connections, seconds)
    return await gets_of(port, get(port, path, token), connections, seconds)


async def fresh_gets(port: int, path: str, token: str | None, connections: int, seconds: float) -> tuple[float, float]:
    """The same, no two alike: each has a parameter that means nothing, so that no page is there already."""
    requests = (get(port, f"{path}?fresh={number}", token) for number in count(time.time_ns()))
    return await driven(port, requests, connections, seconds)


async def gets_of(port: int, request: bytes, connections: int, seconds: float) -> tuple[float, float]:
    """One request again and again: how often a second, and the 99th percentile in seconds. Raises BenchError."""
    return await driven(port, repeat(request), connections, seconds)


async def driven(port: int, requests: Iterator[bytes], connections: int, seconds: float) -> tuple[float, float]:
    """These requests for some seconds: how many a second, and their 99th percentile in seconds. Raises BenchError."""
    found, until = Driven(), time.perf_counter() + seconds
    while time.perf_counter() < until:
        part = (await flat_out(port, list(islice(requests, connections * 20)), connections)).only(200)
        found.seconds += part.seconds
        found.latencies_s += part.latencies_s
    return found.per_second, percentile(found.latencies_s, 0.99)


def _wrk(port: int, path: str, token: str | None, connections: int, seconds: float) -> tuple[float, float]:
    bearer = ["-H", f"Authorization: Bearer {token}"] if token else []
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency", *bearer]
    said = subprocess.run(
        [*command, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True
    ).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise BenchError(f"wrk met errors at {path}:\n{said}")
    rate = re.search(r"Requests/sec: +([\d.]+)", said)
    slow = re.search(r"99% +([\d.]+)(us|ms|s|m)", said)
    assert rate is not None and slow is not None, said
    return float(rate[1]), float(slow[1]) * _WRK_UNITS[slow[2]]
