"""Reading: home, public and an account's statuses, asked for again, and never before against the same SQL alone."""

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import psycopg
import uvloop

from adapters.config import Settings
from adapters.postgres import generations
from bench import peers
from bench.book import Line
from bench.load import fresh_gets, gets
from bench.measuring import Row, Target
from bench.services import instance
from bench.stage import AUTHORS, Stage, staged
from projections.home import home_of
from projections.status_queries import Slice, page

ENTRIES = 400
CONNECTIONS = 16
SECONDS = 2.0
AGAIN = {"home": 7_000, "public": 4_000, "account": 4_000}

Found = dict[str, list[tuple[float, float]]]


def run(scale: float, rounds: int) -> list[Row]:
    """Each page for some seconds, in turn, a round at a time."""
    with instance() as settings:
        return uvloop.run(measured(settings, scale, rounds))


async def measured(settings: Settings, scale: float, rounds: int, first: int = 0) -> list[Row]:
    """The same in an instance that runs already, which knows no Notes numbered `first` and above."""
    async with staged(settings) as stage:
        await asyncio.to_thread(stage.book.append, posts(stage, first))
        await stage.settled()
        author = stage.ids[peers.author_uri(0)]
        paths = {
            "home": ("/api/v1/timelines/home", stage.token),
            "public": ("/api/v1/timelines/public", None),
            "account": (f"/api/v1/accounts/{author}/statuses", None),
        }
        for path, token in paths.values():
            await fresh_gets(stage.port, path, token, CONNECTIONS, SECONDS * scale / 2)
        found: Found = {name: [] for name in paths}
        again: Found = {name: [] for name in paths}
        floor: list[float] = []
        for _ in range(rounds):
            floor.append(await _floor(stage, SECONDS * scale))
            for name, (path, token) in paths.items():
                found[name].append(await fresh_gets(stage.port, path, token, CONNECTIONS, SECONDS * scale))
                again[name].append(await gets(stage.port, path, token, CONNECTIONS, SECONDS * scale))
    return [*_never_before(found, floor), *_again(again)]


def _never_before(found: Found, floor: Sequence[float]) -> list[Row]:
    return [
        Row(
            what=f"GET home, 20 statuses of {ENTRIES}, never asked before, {CONNECTIONS} connections",
            unit="/s",
            measured=tuple(rate for rate, _ in found["home"]),
            target=Target("at least", 1_500),
            floor=tuple(floor),
            note=f"Each has a parameter that means nothing, so that the page is worked out. Floor: the page's own SQL, "
            f"prepared and binary, on {CONNECTIONS} connections of bare psycopg in one process.",
        ),
        Row(
            what="the same, p99",
            unit="ms",
            measured=tuple(1_000 * slow_s for _, slow_s in found["home"]),
            target=Target("at most", 20),
        ),
        *(
            Row(
                what=what,
                unit="/s",
                measured=tuple(rate for rate, _ in found[name]),
                target=Target("at least", 1_500),
            )
            for name, what in (
                ("public", "GET public, never asked before"),
                ("account", "GET an account's statuses, never asked before"),
            )
        ),
    ]


def _again(found: Found) -> list[Row]:
    whats = {"home": "GET home", "public": "GET public", "account": "GET an account's statuses"}
    return [
        Row(
            what=f"{what}, asked again",
            unit="/s",
            measured=tuple(rate for rate, _ in found[name]),
            target=Target("at least", AGAIN[name]),
        )
        for name, what in whats.items()
    ]


def posts(stage: Stage, first: int = 0) -> Iterator[Line]:
    """What those whom the stage's account follows say, numbered from `first`."""
    dice, since = random.Random(4), datetime.now(UTC) - timedelta(days=1)  # noqa: S311 - to be made again
    for number in range(ENTRIES):
        when = since + timedelta(seconds=number)
        created = peers.create(dice, number % AUTHORS, first + number, when)
        yield stage.book.received(created["actor"], created["id"], peers.encoded(created), when, content=True)


async def _floor(stage: Stage, seconds: float) -> float:
    """Pages a second that SQL alone could give."""
    dsn = stage.settings.database_app_url or ""
    query = page(home_of(stage.account), Slice())
    with psycopg.connect(dsn) as connection:
        live = generations.live(connection)
    assert live is not None, "the instance answers"
    made = [
        psycopg.AsyncConnection.connect(dsn, autocommit=True, options=f"-c search_path={live.schema} -c jit=off")
        for _ in range(CONNECTIONS)
    ]
    connections = await asyncio.gather(*made)
    until = time.perf_counter() + seconds

    async def ask(connection: psycopg.AsyncConnection) -> int:
        pages = 0
        while time.perf_counter() < until:
            cursor = await connection.execute(query.sql, query.values, prepare=True, binary=True)
            assert len(await cursor.fetchall()) == Slice().limit, "home is full"
            pages += 1
        return pages

    pages = sum(await asyncio.gather(*map(ask, connections)))
    for connection in connections:
        await connection.close()
    return pages / seconds
