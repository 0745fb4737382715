"""Replay: the mixed log projected into a fresh generation, against COPY of the rows that came of it."""

import time
from collections.abc import Iterator, Sequence
from itertools import pairwise

import msgspec
import psycopg
from psycopg import sql

from adapters.config import Settings
from adapters.pacing import FAST_BATCH
from adapters.postgres import generations
from adapters.postgres.generations import Generation
from adapters.postgres.reading_beside import children_here
from adapters.wiring import make_projector
from bench import peers
from bench.book import Book
from bench.generator import MixedLog
from bench.measuring import Row, Target
from bench.services import database
from projections.catalogue import KEYS, PROJECTIONS

EVENTS = 100_000


class Replayed(msgspec.Struct, frozen=True):
    """A replay: events a second of each part of the mixture, and rows that its parts together added a second."""

    parts: tuple[float, ...]
    rows_per_s: float
    rows: int


def run(scale: float, rounds: int) -> list[Row]:
    """One replay of the mixture in as many parts as there are rounds; then as many COPYs of what came of it."""
    count = max(rounds * 100, int(EVENTS * scale))
    with database() as settings, psycopg.connect(settings.database_url or "", autocommit=True) as owner:
        people, before, last = _fill(settings, count, scale)
        generation = generations.create(owner, "daybook_app")
        replayed = _replay(settings, generation, owner, before, last, rounds)
        floor = _copies(owner, generation, rounds)
    share = f"{replayed.rows:,} rows of {count:,} events, after {people:,} of people and follows that are not timed"
    return [
        Row(
            what=f"replay of the mixed log, {count:,} events in {rounds} parts",
            unit="events/s",
            measured=replayed.parts,
            target=Target("at least", 10_000),
            note=share,
        ),
        Row(
            what="the same in rows",
            unit="rows/s",
            measured=(replayed.rows_per_s,),
            target=Target("of the floor", 0.3),
            floor=floor,
            note="Floor: binary COPY of all rows of all tables into equal empty tables with their indexes, a commit a "
            "table. Rows that a replay changes without adding any are not counted for it.",
        ),
    ]


def _fill(settings: Settings, count: int, scale: float) -> tuple[int, int, int]:
    """How many events there are of people and follows, their last position, and that of the mixture."""
    book = Book(settings)
    try:
        log = MixedLog(book, authors=max(50, int(1_000 * min(1, scale))), locals_=max(30, int(500 * min(1, scale))))
        position = book.append(log.people())
        _project_live(settings, position)
        before = book.append(log.follows(book.ids(map(peers.author_uri, log.authors))))
        return before, before, book.append(log.mixed(count))
    finally:
        book.close()


def _project_live(settings: Settings, to: int) -> None:
    with psycopg.connect(settings.database_app_url or "") as connection:
        live = generations.live(connection)
    assert live is not None, "the database was prepared"
    projector = make_projector(settings, settings.database_app_url or "", live)
    while projector.step(FAST_BATCH, to):
        pass
    projector.close()


def _replay(
    settings: Settings, generation: Generation, owner: psycopg.Connection, before: int, last: int, parts: int
) -> Replayed:
    projector = make_projector(settings, settings.database_app_url or "", generation, children=children_here())
    while projector.step(FAST_BATCH, before):
        pass
    had = _rows(owner, generation)
    _settle(owner)
    started = time.perf_counter()
    passed = [(before, started)]
    while came := projector.step(FAST_BATCH, last):
        passed.append((passed[-1][0] + came, time.perf_counter()))
    rates = [
        (until - since) / (until_s - since_s)
        for (since, since_s), (until, until_s) in pairwise(_thinned(passed, parts))
    ]
    seconds = time.perf_counter() - started
    projector.close()
    rows = _rows(owner, generation) - had
    return Replayed(tuple(rates), rows / seconds, rows)


def _settle(owner: psycopg.Connection) -> None:
    """Let PostgreSQL keep segments of its log to write again, as it does wherever it has run for a while."""
    owner.execute("CHECKPOINT")


def _thinned(passed: Sequence[tuple[int, float]], parts: int) -> list[tuple[int, float]]:
    """The first, the last, and what divides the batches between them into `parts` as even as they come."""
    steps = len(passed) - 1
    return [passed[steps * part // parts] for part in range(parts + 1)] if steps >= parts else [*passed]


def _copies(owner: psycopg.Connection, generation: Generation, rounds: int) -> tuple[float, ...]:
    """Rows a second, of all tables, each time into new ones."""
    saved = {table: list(_copied_out(owner, generation.schema, table)) for table in KEYS}
    rows = _rows(owner, generation)
    rates: list[float] = []
    for _ in range(rounds):
        owner.execute("CREATE SCHEMA floor")
        owner.execute("SET search_path = floor")
        for projection in PROJECTIONS:
            owner.execute(projection.tables)
        _settle(owner)
        started = time.perf_counter()
        for table, blocks in saved.items():
            into = sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(sql.Identifier("floor", table))
            with owner.cursor() as cursor, cursor.copy(into) as copy:
                for block in blocks:
                    copy.write(block)
        rates.append(rows / (time.perf_counter() - started))
        owner.execute("RESET search_path")
        owner.execute("DROP SCHEMA floor CASCADE")
    return tuple(rates)


def _copied_out(owner: psycopg.Connection, schema: str, table: str) -> Iterator[bytes]:
    out = sql.SQL("COPY {} TO STDOUT (FORMAT BINARY)").format(sql.Identifier(schema, table))
    with owner.cursor() as cursor, cursor.copy(out) as copy:
        yield from (bytes(block) for block in copy)


def _rows(owner: psycopg.Connection, generation: Generation) -> int:
    count = sql.SQL("SELECT count(*) FROM {}")
    found = [owner.execute(count.format(sql.Identifier(generation.schema, table))).fetchone() for table in KEYS]
    return sum(row[0] for row in found if row is not None)
