"""Inbox: signed Creates by known actors, from the first POST to the 202, and on into a follower's home."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from statistics import median

import psycopg
import uvloop

from adapters.config import Settings
from adapters.postgres.projecting import CHANNEL
from adapters.postgres.received import content_key
from bench import peers
from bench.load import Driven, flat_out, paced
from bench.measuring import Row, Target, percentile
from bench.services import BenchError, instance
from bench.stage import AUTHORS, CAUGHT_UP_TIMEOUT_S, Stage, staged
from projections.home import home_of
from projections.status_queries import Slice, page

CONNECTIONS = 8
POSTS = 2_000
CALM_PER_S, CALM_S = 20, 5.0
BUSY_PER_S, BUSY_S = 500, 2.0
BUSY_CONNECTIONS = 32
_POSITIONS = """
    SELECT e.once, e.notification_id FROM log.head h
    JOIN log.events e ON e.once = ANY (%s)
        AND log.era(e.notification_id) IN (log.era(h.position), log.era(h.position) - 1)
"""


def run(scale: float, rounds: int) -> list[Row]:
    """Flat out, then at two steady paces, a round at a time."""
    with instance() as settings:
        return uvloop.run(measured(settings, scale, rounds))


class Posts:
    """Makes Creates that were never made before, and knows where in the log they came to stand."""

    def __init__(self, stage: Stage, first: int) -> None:
        self._stage = stage
        self._dice = random.Random(3)  # noqa: S311 - to be made again, not to be unguessable
        self._numbers = count(first + 1)

    def made(self, wanted: int) -> tuple[list[bytes], list[bytes]]:
        """So many requests, signed just now, and by what the log knows each."""
        authors: list[int] = []
        bodies: list[bytes] = []
        contents: list[bytes] = []
        for number, _ in zip(self._numbers, range(wanted), strict=False):
            author = number % AUTHORS
            created = peers.create(self._dice, author, number, datetime.now(UTC))
            authors.append(author)
            bodies.append(peers.encoded(created))
            contents.append(content_key(self._stage.book.pepper, created["actor"], created["id"], bodies[-1]))
        return self._stage.signed(bodies, authors), contents


class Progress:
    """When which position was projected: every notification of the projector, as it came in here."""

    def __init__(self) -> None:
        self.marks: list[tuple[int, float]] = []
        self._moved = asyncio.Event()

    async def follow(self, connection: psycopg.AsyncConnection) -> None:
        """Listen until cancelled."""
        async for note in connection.notifies():
            self.marks.append((int(note.payload.partition(":")[2]), time.perf_counter()))
            self._moved.set()

    async def passed(self, position: int) -> float:
        """When the position had been passed. Raises BenchError."""
        async with asyncio.timeout(CAUGHT_UP_TIMEOUT_S):
            while (at := self.at(position)) is None:
                self._moved.clear()
                await self._moved.wait()
        return at

    def at(self, position: int) -> float | None:
        """The same, None if it has not been yet."""
        return next((at for passed, at in self.marks if passed >= position), None)


@asynccontextmanager
async def _progress(stage: Stage) -> AsyncGenerator[Progress]:
    dsn = stage.settings.database_app_url or ""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(f"LISTEN {CHANNEL}".encode())
        progress = Progress()
        following = asyncio.create_task(progress.follow(connection))
        try:
            yield progress
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


async def measured(settings: Settings, scale: float, rounds: int, first: int = 0) -> list[Row]:
    """The same in an instance that runs already, which knows no Notes numbered `first` and above."""
    async with staged(settings) as stage, _progress(stage) as progress:
        posts = Posts(stage, first)
        await _flat_out(stage, posts, progress, max(20, int(POSTS * scale) // 4))
        found = [await _flat_out(stage, posts, progress, max(20, int(POSTS * scale))) for _ in range(rounds)]
        calm = [await _steady(stage, posts, progress, CALM_PER_S, CALM_S * scale) for _ in range(rounds)]
        busy = [await _steady(stage, posts, progress, BUSY_PER_S, BUSY_S * scale) for _ in range(rounds)]
        await _shows(stage)
    accepted, sustained, behind = zip(*found, strict=True)
    return [
        Row(
            what=f"inbox: signed Create(Note), known actors, {CONNECTIONS} connections, durable before the 202",
            unit="/s",
            measured=accepted,
            target=Target("at least", 1_500),
            note="The projector follows meanwhile, on the same two cores.",
        ),
        Row(
            what="the same, end to end into a follower's home",
            unit="/s",
            measured=sustained,
            target=Target("at least", 1_000),
            note="From the first POST until the projector has told that the last one is in home; when the last was "
            f"accepted, {median(behind):,.0f} events were still to be projected.",
        ),
        *_latencies(CALM_PER_S, calm, 0.010, 0.040),
        *_latencies(BUSY_PER_S, busy, None, 0.250),
    ]


def _latencies(per_second: int, found: list[list[float]], p50_s: float | None, p99_s: float) -> list[Row]:
    rows: list[Row] = []
    for share, limit in ((0.5, p50_s), (0.99, p99_s)):
        rows.append(
            Row(
                what=f"POST to home at {per_second}/s, p{share * 100:.0f}",
                unit="ms",
                measured=tuple(1_000 * percentile(latencies, share) for latencies in found),
                target=Target("at most", 1_000 * limit) if limit else None,
            )
        )
    return rows


async def _flat_out(stage: Stage, posts: Posts, progress: Progress, wanted: int) -> tuple[float, float, float]:
    """Accepted a second, in home a second, and how far the projector was behind when the last was accepted."""
    requests, contents = posts.made(wanted)
    started = time.perf_counter()
    driven = (await flat_out(stage.port, requests, CONNECTIONS)).only(202)
    last = max((await _positions(stage, contents)).values())
    behind = last - (progress.marks[-1][0] if progress.marks else 0)
    ended = await progress.passed(last)
    return driven.per_second, wanted / (ended - started), float(max(0, behind))


async def _steady(stage: Stage, posts: Posts, progress: Progress, per_second: int, seconds: float) -> list[float]:
    """Seconds from when each POST was due until home had it."""
    requests, contents = posts.made(max(10, int(per_second * seconds)))
    progress.marks.clear()
    driven: Driven = (await paced(stage.port, requests, per_second, BUSY_CONNECTIONS)).only(202)
    positions = await _positions(stage, contents)
    await progress.passed(max(positions.values()))
    marks = iter(progress.marks)
    passed, at = next(marks)
    latencies: list[float] = []
    for position, due in sorted((positions[one], due) for one, due in zip(contents, driven.sent_at, strict=True)):
        while passed < position:
            passed, at = next(marks)
        latencies.append(at - due)
    return latencies


async def _positions(stage: Stage, contents: list[bytes]) -> dict[bytes, int]:
    async with stage.server.pool.connection() as connection:
        found = await connection.execute(_POSITIONS, [contents])
        positions: dict[bytes, int] = dict(await found.fetchall())
    if len(positions) != len(contents):
        raise BenchError(f"{len(contents)} were accepted, {len(positions)} are in the log")
    return positions


async def _shows(stage: Stage) -> None:
    """Home, asked as the API asks, shows what was posted. Raises BenchError."""
    rows = await stage.server.reads.view().rows(page(home_of(stage.account), Slice()))
    if len(rows) != Slice().limit:
        raise BenchError(f"home shows {len(rows)} statuses")
