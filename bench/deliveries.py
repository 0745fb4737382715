"""Deliveries: activities in the outbox, signed and posted to twenty inboxes on as many hosts."""

import asyncio
import multiprocessing
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import NamedTuple

import msgspec
import psycopg
import uvloop
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from adapters.activitypub.signatures_sign import sign_cavage
from adapters.codec import Codec
from adapters.config import Settings
from adapters.keypairs import KeyPair, new_key_pair
from adapters.master_key import load_master_key
from adapters.postgres.outbox import enqueue
from adapters.postgres.secrets import private_key
from bench.measuring import Row, Target
from bench.services import BenchError, database
from workers.deliverer import deliver

INBOXES = 20
SENDERS = 4
ACTIVITIES = 150
BODY = (
    b'{"@context":"https://www.w3.org/ns/activitystreams","type":"Create","object":{"content":"' + b"x" * 1_500 + b'"}}'
)
ARRIVAL_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 20.0
_TICKS = os.sysconf("SC_CLK_TCK")


def run(scale: float, rounds: int) -> list[Row]:
    """The floor and the thing itself, a round at a time."""
    pair = new_key_pair()
    key = private_key(pair.private_pem)
    activities = max(2, int(ACTIVITIES * scale))
    with _receiver() as receiver, database() as made:
        names = {f"h{number}.test": ("127.0.0.1", receiver.port) for number in range(INBOXES)}
        settings = msgspec.structs.replace(made, name_map=names)
        with _outbox(settings, pair) as outbox, _deliverer(settings) as deliverer:
            _delivered(outbox, receiver, deliverer, max(2, activities // 4))
            found = [
                (_signed(key, activities * INBOXES // 4), *_delivered(outbox, receiver, deliverer, activities))
                for _ in range(rounds)
            ]
    floor, measured, cpu_ms = zip(*found, strict=True)
    return [
        Row(
            what=f"signed deliveries to {INBOXES} inboxes on {INBOXES} hosts, {SENDERS} senders, no shared inbox",
            unit="/s",
            measured=measured,
            target=Target("at least", 1_200),
            floor=floor,
            note=f"Floor: making the headers, RSA-2048 most of all, in one thread and nothing else. {activities} "
            "activities a round, from the commit that enqueues them until the last has arrived at a server of ours "
            f"that only counts; the deliverer takes {median(cpu_ms):.2f} ms of CPU for each, signing included.",
        )
    ]


class Receiver(NamedTuple):
    """Where the counting server listens; it tells when as many arrived as it was told to wait for."""

    port: int
    line: Connection


class _Counting(asyncio.Protocol):
    def __init__(self, count: "_Count") -> None:
        self._count = count
        self._received = bytearray()
        self._needs = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while True:
            if not self._needs:
                end = self._received.find(b"\r\n\r\n")
                if end < 0:
                    return
                lower = bytes(self._received[:end]).lower()
                self._needs = end + 4 + int(lower.partition(b"content-length: ")[2].split(b"\r\n")[0])
            if len(self._received) < self._needs:
                return
            del self._received[: self._needs]
            self._needs = 0
            self._transport.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")  # type: ignore[attr-defined]
            self._count.one_more()


class _Count:
    def __init__(self, line: Connection) -> None:
        self._line = line
        self._left = 0

    def wanted(self) -> None:
        self._left = self._line.recv()

    def one_more(self) -> None:
        self._left -= 1
        if not self._left:
            self._line.send(time.monotonic())


def _receive(line: Connection) -> None:
    async def serve() -> None:
        loop, count = asyncio.get_running_loop(), _Count(line)
        server = await loop.create_server(lambda: _Counting(count), "127.0.0.1", 0, backlog=1_024)
        line.send(server.sockets[0].getsockname()[1])
        loop.add_reader(line.fileno(), count.wanted)
        await asyncio.Event().wait()

    uvloop.run(serve())


@contextmanager
def _receiver() -> Generator[Receiver]:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_receive, args=[there], daemon=True)
    process.start()
    try:
        yield Receiver(here.recv(), here)
    finally:
        process.kill()
        process.join()


@contextmanager
def _deliverer(settings: Settings) -> Generator[int]:
    """Its process id."""
    spawn = multiprocessing.get_context("spawn")
    stopping = spawn.Event()
    process = spawn.Process(target=deliver, args=[settings, stopping], daemon=True)
    process.start()
    assert process.pid is not None, "just started"
    try:
        yield process.pid
    finally:
        stopping.set()
        process.join(STOP_TIMEOUT_S)


@contextmanager
def _outbox(settings: Settings, pair: KeyPair) -> Generator[psycopg.Connection]:
    codec = Codec(load_master_key(settings))
    with psycopg.connect(settings.database_app_url or "") as connection:
        for sender in range(1, SENDERS + 1):
            connection.execute(
                "INSERT INTO app.account_keys (account, key_id, public_pem, wrapped) VALUES (%s, %s, %s, %s)",
                [sender, f"http://here.test/ap/users/{sender}#main-key", "", codec.wrap_secret(pair.private_pem)],
            )
        connection.commit()
        yield connection


def _delivered(outbox: psycopg.Connection, receiver: Receiver, deliverer: int, activities: int) -> tuple[float, float]:
    """Deliveries a second, and the deliverer's own milliseconds of CPU for each. Raises BenchError."""
    receiver.line.send(activities * INBOXES)
    began = time.monotonic_ns()
    for number in range(activities):
        uri = f"http://here.test/activities/{began}/{number}"
        inboxes = [f"http://h{host}.test/users/{number}/inbox" for host in range(INBOXES)]
        enqueue(outbox, activity_uri=uri, sender=1 + number % SENDERS, body=BODY, inboxes=inboxes)
    cpu_s = _cpu_s(deliverer)
    started = time.monotonic()
    outbox.commit()
    if not receiver.line.poll(ARRIVAL_TIMEOUT_S):
        raise BenchError("not all deliveries arrived")
    took_s = receiver.line.recv() - started
    total = activities * INBOXES
    return total / took_s, max(1_000 * (_cpu_s(deliverer) - cpu_s) / total, 0.001)


def _cpu_s(process: int) -> float:
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / _TICKS


def _signed(key: RSAPrivateKey, wanted: int) -> float:
    """Headers a second."""
    started = time.perf_counter()
    for number in range(wanted):
        url, key_id = f"http://h{number}.test/inbox", "http://here.test/ap/users/1#main-key"
        sign_cavage("POST", url, BODY, key_id, key, datetime.now(UTC))
    return wanted / (time.perf_counter() - started)
