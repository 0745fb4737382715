"""Append: 64 writers, each submitting one event and waiting for it, against one raw statement of 64 rows a commit."""

import asyncio
import hashlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

import psycopg
import uvloop

from adapters.config import Settings
from adapters.postgres.writer import NewEvent
from bench import peers
from bench.book import Book, Line
from bench.generator import START
from bench.measuring import Row, Target
from bench.services import database

WRITERS = 64
EVENTS = 10_000
TARGET = Target("of the floor", 0.7)

# The floor's tables: the log's and the keys', columns and indexes alike, without trigger, head or function.
_FLOOR_TABLES = """
    CREATE SCHEMA floor;
    CREATE TABLE floor.events (LIKE log.events INCLUDING ALL);
    CREATE TABLE floor.event_keys (LIKE keys.event_keys INCLUDING ALL);
"""
# One statement, one round trip, one commit: the same bytes, positions and digests worked out beforehand.
_FLOOR = """
    WITH given AS (
        SELECT * FROM unnest(
            %b::text[], %b::int8[], %b::text[], %b::bytea[], %b::int8[], %b::bytea[], %b::bytea[], %b::bytea[])
            AS g (stream, version, topic, state, position, digest, wrapped_key, once)
    ), keyed AS (INSERT INTO floor.event_keys SELECT position, wrapped_key FROM given)
    INSERT INTO floor.events SELECT stream, version, topic, state, position, digest, once FROM given
"""


def run(scale: float, rounds: int) -> list[Row]:
    """Three figures a round, in turn: the floor, events sealed beforehand, events sealed by their writers."""
    count = max(WRITERS, int(EVENTS * scale))
    with database() as settings:
        return measured(settings, count, rounds)


def measured(settings: Settings, count: int, rounds: int, first: int = 0) -> list[Row]:
    """The same in a log that may hold something but no Notes numbered `first` and above; `count` events a round."""
    book = Book(settings)
    try:
        lines = _lines(book, first)
        _round(settings, book, lines, max(WRITERS, count // 10))
        found = [_round(settings, book, lines, count) for _ in range(rounds)]
    finally:
        book.close()
    floor, sealed, sealing = zip(*found, strict=True)
    return [
        Row(
            what=f"append, {WRITERS} concurrent writers, sealed beforehand",
            unit="events/s",
            measured=sealed,
            target=TARGET,
            floor=floor,
            note=f"Floor: one connection, one `INSERT … SELECT FROM unnest` of {WRITERS} rows a commit into tables "
            "with the log's and the keys' columns and indexes, digests and positions worked out beforehand.",
        ),
        Row(
            what="the same, sealing included",
            unit="events/s",
            measured=sealing,
            floor=floor,
            note="Sealing (MessagePack, zstd, a key per event, AES-GCM twice) is no part of the floor.",
        ),
    ]


def _round(settings: Settings, book: Book, lines: Iterator[Line], count: int) -> tuple[float, float, float]:
    new = [_sealed(book, next(lines)) for _ in range(count)]
    floor = _floor(settings.database_url or "", new)
    sealed = uvloop.run(_written(book, count, lambda number: new[number]))
    others = [next(lines) for _ in range(count)]
    return floor, sealed, uvloop.run(_written(book, count, lambda number: _sealed(book, others[number])))


def _sealed(book: Book, line: Line) -> NewEvent:
    """As the inbox would submit it, but for the request's signature."""
    return NewEvent(line.stream, None, book.codec.seal(line.stream, line.event), line.once)


async def _written(book: Book, count: int, event: Callable[[int], NewEvent]) -> float:
    """Events a second, by asynchronous writers, as the inbox and `dispatch` are."""
    numbers = iter(range(count))

    async def write() -> None:
        for number in numbers:
            appended = await book.writer.append([event(number)])
            assert appended.outcome == "stored", appended.outcome

    started = time.perf_counter()
    await asyncio.gather(*(write() for _ in range(WRITERS)))
    return count / (time.perf_counter() - started)


def _floor(dsn: str, new: Sequence[NewEvent]) -> float:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS floor CASCADE")
        connection.execute(_FLOOR_TABLES)
        groups = [_columns(new[first : first + WRITERS], first) for first in range(0, len(new), WRITERS)]
        started = time.perf_counter()
        for columns in groups:
            connection.execute(_FLOOR, columns, prepare=True, binary=True)
        return len(new) / (time.perf_counter() - started)


def _columns(group: Sequence[NewEvent], first: int) -> list[list[object]]:
    return [
        [new.stream for new in group],
        [1] * len(group),
        [new.sealed.topic for new in group],
        [new.sealed.state for new in group],
        list(range(first + 1, first + 1 + len(group))),
        [hashlib.sha256(new.sealed.state).digest() for new in group],
        [new.sealed.wrapped_key for new in group],
        [new.once for new in group],
    ]


def _lines(book: Book, number: int) -> Iterator[Line]:
    """Received Creates without end, each in a stream of its own."""
    dice = random.Random(2)  # noqa: S311 - to be made again, not to be unguessable
    while True:
        number += 1
        when = START + timedelta(seconds=number % 1_000_000)
        created = peers.create(dice, number % 1_000, number, when)
        yield book.received(created["actor"], created["id"], peers.encoded(created), when, content=True)
