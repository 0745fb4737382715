"""Whether memory stays flat: a mixture of activities through the inbox of a whole instance, and what each process has.

By hand, as it takes half an hour and some 10 GB at a million activities:
`python -m bench.flood --activities 1_000_000 --data FOLDER`. Some clients read meanwhile, so that what is kept for them
turns over. It writes FOLDER/flood.json.
"""

import argparse
import asyncio
import random
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import count, islice
from pathlib import Path
from statistics import median
from typing import Final

import msgspec
import uvloop

from adapters.config import Settings
from adapters.tasks import end
from adapters.wiring import Server
from bench import crowd
from bench.crowd import Crowd
from bench.load import Connection, connect, flat_out, get, post_json
from bench.memory import Memory, by_part
from bench.peers import text
from bench.services import BenchError, instance
from bench.stage import token_for

LOCALS: Final = 10
FOLLOWED: Final = 50
CONNECTIONS: Final = 32
NOTES_MAX: Final = 200
NOTE_EVERY_MIN: Final = 50
# One page read, and one post written here, for so many activities: however fast they come, it is the same work.
READ_EVERY: Final = 50
WELL_KNOWN_SHARE: Final = 0.5
POST_EVERY: Final = 1_000
# Small, so that it is full when the memory is first looked at, and then turns over.
PAGES_MB: Final = 16
FLAT: Final = 0.1
UNAVAILABLE: Final = 503
TRIES_MAX: Final = 20
IDLE_TIMEOUT_S: Final = 600.0
# As the table names them.
POSTGRES: Final = "postgres"
PARTS: Final = ("serve", "behind", "up", "valkey", POSTGRES)


class Noted(msgspec.Struct, frozen=True):
    """What was seen after so many activities: seconds since the first, how long the slowest since the last note took,
    events not projected yet, memory by part.
    """

    activities: int
    seconds: float
    slowest_s: float
    behind: int
    parts: dict[str, Memory]


class Flood(msgspec.Struct):
    """All that was seen, in FOLDER/flood.json after every step; `inbox` and `clients` count statuses of answers."""

    notes: list[Noted] = []
    inbox: dict[int, int] = {}
    clients: dict[int, int] = {}
    projected_after_s: float = 0.0


def main() -> None:
    """Flood an instance and say what came of its memory."""
    parser = argparse.ArgumentParser(prog="python -m bench.flood", description=__doc__)
    parser.add_argument("--activities", type=int, default=1_000_000)
    parser.add_argument("--data", type=Path, required=True, help="a folder of its own, to be deleted by hand")
    asked = parser.parse_args()
    asked.data.mkdir(parents=True, exist_ok=True)
    try:
        with socket.create_server(("127.0.0.1", 0)) as at:
            more = {"DAYBOOK_NAME_MAP": crowd.name_map(at.getsockname()[1]), "DAYBOOK_PAGES_MB": str(PAGES_MB)}
            with instance(asked.data / "instance", more) as settings:
                flood = uvloop.run(_flooded(settings, at, asked.activities, asked.data / "flood.json"))
    except BenchError as error:
        sys.exit(f"bench flood: {error}")
    last = flood.notes[-1]
    print(
        f"\n{last.activities:,} activities in {last.seconds:,.0f} s, answered {flood.inbox}, all projected "
        f"{flood.projected_after_s:,.0f} s later; clients were answered {flood.clients}\n\n{table(flood.notes)}"
    )


def table(notes: Sequence[Noted]) -> str:
    """Markdown: a line a process, its MB in the second tenth, which is after warm-up, and in the last, in medians."""
    lines = ["| process | after warm-up, MB | last tenth, MB | highest, MB | ratio | verdict |", "|" + "---|" * 6]
    tenth = max(1, len(notes) // 10)
    for part in notes[-1].parts:
        found = [_judged(part, note.parts[part]) for note in notes if part in note.parts]
        warm, last = median(found[tenth : 2 * tenth] or found), median(found[-tenth:])
        verdict = "flat" if abs(last / warm - 1) <= FLAT else "grew" if last > warm else "shrank"
        # PostgreSQL's processes come and go; of any other a new one began small, whatever the old one had come to.
        if part != POSTGRES and len({note.parts[part].pids for note in notes if part in note.parts}) > 1:
            verdict = "started anew"
        lines.append(f"| {part} | {warm:.1f} | {last:.1f} | {max(found):.1f} | {last / warm:.2f} | {verdict} |")
    return "\n".join(lines)


def _judged(part: str, memory: Memory) -> float:
    """MB as they count: a part's share of its libraries moves with whoever else on the machine has loaded them, so it
    is taken whole; PostgreSQL's processes share the buffers, which must not be counted once for each.
    """
    return memory.pss_mb if part == POSTGRES else memory.rss_mb


async def _flooded(settings: Settings, at: socket.socket, activities: int, into: Path) -> Flood:
    server = Server(settings)
    async with server.running():
        accounts = [await server.accounts.create(f"local{n}", None, "a password for benches") for n in range(LOCALS)]
        tokens = [await token_for(server, account) for account in accounts]
        people = Crowd(settings.origin, [f"{settings.origin}/ap/users/{account}" for account in accounts])
        async with crowd.listening(people, at):
            followed = await _follow(server, people, tokens)
            flood = Flood()
            async with _clients(settings.port, tokens, [*accounts, *followed]) as clients:
                async for note in _pour(server, people, activities, flood, clients):
                    flood.notes.append(note)
                    _write(flood, into)
                flood.projected_after_s = await _projected(server)
        _write(flood, into)
    return flood


async def _follow(server: Server, people: Crowd, tokens: Sequence[str]) -> list[int]:
    """Everybody here follows the first FOLLOWED of them, who accept that as soon as they write; their ids here."""
    port = server.settings.port
    await _insist(port, people.hello(FOLLOWED), 202)
    await _projected(server)
    uris = [crowd.author_uri(author) for author in range(FOLLOWED)]
    async with server.pool.connection() as connection:
        found = await connection.execute("SELECT id FROM app.ids WHERE uri = ANY(%s)", [uris])
        ids = [number for (number,) in await found.fetchall()]
    asked = (post_json(port, f"/api/v1/accounts/{number}/follow", token, b"{}") for token in tokens for number in ids)
    await _insist(port, asked, 200)
    return ids


async def _insist(port: int, requests: Iterable[bytes], wanted: int) -> None:
    """Send each, and again while it is answered 503, as a busy instance may. Raises BenchError for other answers."""
    source = iter(requests)
    lines = await connect(port, CONNECTIONS)

    async def run(line: Connection) -> None:
        for request in source:
            tries, status = 1, await line.ask(request)
            while status == UNAVAILABLE and tries < TRIES_MAX:
                tries, status = tries + 1, await line.ask(request)
            if status != wanted:
                raise BenchError(f"answered {status}, wanted {wanted}")

    await asyncio.gather(*map(run, lines))
    for line in lines:
        line.close()


async def _pour(
    server: Server, people: Crowd, activities: int, flood: Flood, clients: "_Clients"
) -> AsyncGenerator[Noted]:
    """Send them, and tell how it is going now and then."""
    requests, every = clients.beside(people.activities()), max(NOTE_EVERY_MIN, activities // NOTES_MAX)
    done, started = 0, time.perf_counter()
    while done < activities:
        driven = await flat_out(server.settings.port, islice(requests, min(every, activities - done)), CONNECTIONS)
        flood.inbox = dict(driven.statuses + Counter(flood.inbox))
        flood.clients = dict(clients.answered)
        done += len(driven.latencies_s)
        head, _ = await server.reads.head()
        parts = await asyncio.to_thread(by_part)
        slowest_s, behind = max(driven.latencies_s), server.reads.behind(head)
        note = Noted(done, time.perf_counter() - started, slowest_s, behind, parts)
        sizes = ", ".join(f"{part} {_judged(part, parts[part]):.0f}" for part in PARTS if part in parts)
        print(
            f"{done:,} at {driven.per_second:,.0f}/s, at most {slowest_s:.1f} s each, {behind:,} behind; MB: {sizes}",
            flush=True,
        )
        yield note


async def _projected(server: Server) -> float:
    """Seconds until all that is in the log is projected. Raises BenchError."""
    started = time.perf_counter()
    position, _ = await server.reads.head()
    if await server.reads.caught_up(position, IDLE_TIMEOUT_S):
        raise BenchError("the projector does not catch up")
    return time.perf_counter() - started


class _Clients:
    """People here: they read what was asked for before, as many pages that were not and push those out, and write."""

    def __init__(self, port: int, tokens: Sequence[str], accounts: Sequence[int]) -> None:
        self._port = port
        self._dice = random.Random(13)  # noqa: S311 - to be made again, not to be unguessable
        self._tokens = tokens
        self._paths = (
            *("/api/v1/timelines/home", "/api/v1/timelines/public", "/api/v1/notifications"),
            *(f"/api/v1/accounts/{account}/statuses" for account in accounts),
        )
        self._due = asyncio.Semaphore(0)
        self.answered: Counter[int] = Counter()

    def beside(self, requests: Iterable[bytes]) -> Iterator[bytes]:
        """The same requests; for each READ_EVERY of them one of ours is due."""
        for number, request in enumerate(requests, 1):
            if number % READ_EVERY == 0:
                self._due.release()
            yield request

    async def go(self) -> None:
        """Ask as often as is due, for ever."""
        (line,) = await connect(self._port, 1)
        for number in count():
            await self._due.acquire()
            self.answered[await line.ask(self._request(number))] += 1

    def _request(self, number: int) -> bytes:
        token = self._dice.choice(self._tokens)
        if number % (POST_EVERY // READ_EVERY) == 0:
            body = msgspec.json.encode({"status": text(self._dice), "visibility": "public"})
            return post_json(self._port, "/api/v1/statuses", token, body)
        # Half of the time one of the few pages that everybody asks for.
        path = self._dice.choice(self._paths[:3] if self._dice.random() < WELL_KNOWN_SHARE else self._paths)
        return get(self._port, f"{path}?fresh={number}" if number % 2 else path, token)


@asynccontextmanager
async def _clients(port: int, tokens: Sequence[str], accounts: Sequence[int]) -> AsyncGenerator[_Clients]:
    clients = _Clients(port, tokens, accounts)
    going = asyncio.create_task(clients.go(), name="read and write")
    try:
        yield clients
        if going.done():
            going.result()
    finally:
        await end(going)


def _write(flood: Flood, into: Path) -> None:
    into.write_bytes(msgspec.json.encode(flood))


if __name__ == "__main__":
    main()
