"""Inboxes for tests: one real HTTP server on loopback that is every host, told apart by the Host it is asked for."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

ARRIVAL_TIMEOUT_S = 30.0
LOOK_EVERY_S = 0.02


@dataclass(frozen=True)
class Arrived:
    """A request as it came in; `at` by time.monotonic."""

    host: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    at: float

    @property
    def url(self) -> str:
        return f"http://{self.host}{self.target}"

    def header(self, name: str) -> str:
        return dict(self.headers)[name]


@dataclass(frozen=True)
class Reply:
    """What to answer: after a while, with no end, or, with status 0, by hanging up."""

    status: int = 202
    headers: tuple[tuple[str, str], ...] = ()
    after_s: float = 0.0
    endless: bool = False


@dataclass
class Inboxes:
    """What arrived, in order, and what is answered (202 unless a test says otherwise)."""

    port: int = 0
    answer: Callable[[Arrived], Reply] = lambda _: Reply()
    got: list[Arrived] = field(default_factory=list[Arrived])
    connections: int = 0
    news: threading.Condition = field(default_factory=threading.Condition)

    def names(self, *hosts: str) -> dict[str, tuple[str, int]]:
        """The hosts for Settings.name_map."""
        return dict.fromkeys(hosts, ("127.0.0.1", self.port))

    def wait_for(self, wanted: int, timeout_s: float = ARRIVAL_TIMEOUT_S) -> list[Arrived]:
        """What arrived, once there is that much of it."""
        self.wait_until(lambda: len(self.got) >= wanted, timeout_s)
        return list(self.got)

    def wait_until(self, true: Callable[[], bool], timeout_s: float = ARRIVAL_TIMEOUT_S) -> None:
        """Looked at whenever something arrives, and between: what the deliverer writes down rings no bell here."""
        deadline = time.monotonic() + timeout_s
        with self.news:
            while not true():
                assert time.monotonic() < deadline, f"only {len(self.got)} arrived: {self.counted()}"
                self.news.wait(LOOK_EVERY_S)

    def counted(self) -> Counter[tuple[str, bytes]]:
        """How often which body came to which URL."""
        return Counter((one.url, one.body) for one in self.got)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._one(reader, writer):
                pass
        writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        _, target, _ = head[0].split(" ")
        headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in head[1:-2])]
        body = await reader.readexactly(int(dict(headers)["content-length"]))
        arrived = Arrived(dict(headers)["host"], target, headers, body, time.monotonic())
        reply = self.answer(arrived)
        with self.news:
            self.got.append(arrived)
            self.news.notify_all()
        await asyncio.sleep(reply.after_s)
        if not reply.status:
            return False
        lines = "".join(f"{name}: {value}\r\n" for name, value in reply.headers)
        length = "" if reply.endless else "Content-Length: 2\r\n"
        writer.write(f"HTTP/1.1 {reply.status} As told\r\n{lines}{length}\r\n".encode())
        while reply.endless:
            writer.write(b"x" * 65_536)
            await writer.drain()
        writer.write(b"ok")
        await writer.drain()
        return True


@contextmanager
def running_inboxes() -> Iterator[Inboxes]:
    """Inboxes that answer until the block ends."""
    inboxes, loop = Inboxes(), asyncio.new_event_loop()
    started, ending = threading.Event(), asyncio.Event()

    async def run() -> None:
        server = await asyncio.start_server(inboxes.serve, "127.0.0.1", 0)
        inboxes.port = server.sockets[0].getsockname()[1]
        started.set()
        await ending.wait()
        server.close()

    def run_to_the_end() -> None:
        loop.run_until_complete(run())
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(_ended(left))
        loop.close()

    thread = threading.Thread(target=run_to_the_end, name="inboxes")
    thread.start()
    started.wait()
    try:
        yield inboxes
    finally:
        loop.call_soon_threadsafe(ending.set)
        thread.join()


async def _ended(tasks: set[asyncio.Task[None]]) -> None:
    """Wait until all have ended, and their connections are closed."""
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)
