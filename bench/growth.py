"""How cost grows with the log: append, inbox, home and repairs when it is small and when it is large; replay, and size.

Both are made first and then measured in turn, twice, so that a machine that drifts shows. By hand, as it takes an hour
and 40 GB at ten million events:
`python -m bench.growth --events 10_000_000 --data FOLDER`. It writes FOLDER/growth.json, which bench/pictures.py draws.
"""

import argparse
import multiprocessing
import resource
import time
from pathlib import Path
from typing import Final

import msgspec
import psycopg
import uvloop

from adapters.config import Settings
from adapters.pacing import FAST_BATCH
from adapters.postgres import generations
from adapters.postgres.reading_beside import children_here
from adapters.wiring import make_projector
from bench import append, inbox, peers, repairs, timelines
from bench.book import Book
from bench.generator import MixedLog
from bench.measuring import Row
from bench.report import table
from bench.services import database, free_port, instance
from projections.catalogue import KEYS

SMALL: Final = 100_000
ROUNDS, PASSES = 3, 2
STEP: Final = 100_000
APPENDED: Final = 10_000
# Apart from all that the mixture numbers.
APART: Final = 1_000_000_000
# As in a log that grew so long: reacted to and vacuumed long ago, its changes written.
_LONG_AGO: Final = (
    "UPDATE app.reactor SET position = (SELECT position FROM log.head)",
    "VACUUM (ANALYZE)",
    "CHECKPOINT",
)
_SIZES = """
    SELECT n.nspname || '.' || c.relname, pg_total_relation_size(c.oid), c.reltuples::bigint
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname = ANY (%s) ORDER BY 2 DESC
"""


class Size(msgspec.Struct, frozen=True):
    """A table with its indexes: bytes, and rows as ANALYZE counts them."""

    table: str
    size: int
    rows: int


class At(msgspec.Struct, frozen=True):
    """What one pass measured with so many events in the log."""

    events: int
    rows: list[Row]


class Grown(msgspec.Struct):
    """All that was measured. `filled` and `replayed` hold (events, seconds) a step of STEP events."""

    at: list[At] = []
    filled: list[tuple[int, float]] = []
    replayed: list[tuple[int, float]] = []
    replay_rss_mb: float = 0.0
    sizes: list[Size] = []


def main() -> None:
    """Fill and project both logs, then measure them in turn."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--data", type=Path, required=True, help="a folder of its own, to be deleted by hand")
    asked = parser.parse_args()
    small, large, report = (asked.data / name for name in ("small", "large", "growth.json"))
    grown = Grown()
    logs = ((small, min(SMALL, asked.events)), (large, asked.events))
    for place, events in logs:
        place.mkdir(parents=True, exist_ok=True)
        with database(place) as settings:
            grown.filled = _fill(settings, events)
            grown.replayed, grown.replay_rss_mb = _in_a_process(settings)
            grown.sizes = _sizes(settings)
        report.write_bytes(msgspec.json.encode(grown))
        print(f"\n{events:,} events; the replaying processes had at most {grown.replay_rss_mb:,.0f} MB resident")
    for number in range(PASSES):
        for place, events in logs:
            rows = _measured(place, (3 * number + 1) * APART)
            grown.at.append(At(events, rows))
            report.write_bytes(msgspec.json.encode(grown))
            print(f"\n{events:,} events, pass {number + 1} of {PASSES}\n\n{table(rows)}", flush=True)


def _measured(place: Path, first: int) -> list[Row]:
    """One pass over one log, which knows no Notes numbered `first` and above."""
    with database(place) as settings:
        _as_of_long_ago(settings)
        rows = append.measured(settings, APPENDED, ROUNDS, first)
        _in_a_process(settings)
        rows += repairs.measured(settings, ROUNDS)
        _as_of_long_ago(settings)
    # Addresses can't change once given out, and the port is part of them.
    port = place / "port"
    if not port.exists():
        port.write_text(str(free_port()))
    with instance(place, {"DAYBOOK_PORT": port.read_text()}) as settings:
        rows += uvloop.run(inbox.measured(settings, 1.0, ROUNDS, first + APART))
        rows += uvloop.run(timelines.measured(settings, 1.0, ROUNDS, first + 2 * APART))
    return rows


def _as_of_long_ago(settings: Settings) -> None:
    with psycopg.connect(settings.database_url or "", autocommit=True) as owner:
        for statement in _LONG_AGO:
            owner.execute(statement)


def _fill(settings: Settings, events: int) -> list[tuple[int, float]]:
    """The mixture on top of its people and follows. The same seed gives the same log."""
    book, steps = Book(settings), list[tuple[int, float]]()
    try:
        log = MixedLog(book)
        _project(settings, book.append(log.people()))
        ids = book.ids(map(peers.author_uri, log.authors))
        book.append(log.follows(ids))
        while events > 0:
            if events <= STEP:
                book.append(log.readers(ids, repairs.READERS, events))
            started, some = time.perf_counter(), min(STEP, events)
            book.append(log.mixed(some))
            steps.append((some, time.perf_counter() - started))
            print(f"\rfilling: {events:,} to go at {some / steps[-1][1]:,.0f}/s   ", end="", flush=True)
            events -= some
    finally:
        book.close()
    return steps


def _in_a_process(settings: Settings) -> tuple[list[tuple[int, float]], float]:
    """Project all there is, as a replay does: its steps, and the MB that it and its largest child had at most."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_project, [settings])


def _project(settings: Settings, to: int | None = None) -> tuple[list[tuple[int, float]], float]:
    dsn, steps = settings.database_app_url or "", list[tuple[int, float]]()
    with psycopg.connect(dsn) as connection:
        live = generations.live(connection)
        head = connection.execute("SELECT position FROM log.head").fetchone()
    assert live is not None and head is not None, "the database was prepared"
    projector = make_projector(settings, dsn, live, children=children_here())
    done, started = 0, time.perf_counter()
    while came := projector.step(FAST_BATCH, head[0] if to is None else to):
        done += came
        if done >= STEP:
            steps.append((done, time.perf_counter() - started))
            print(f"\rprojecting at {done / steps[-1][1]:,.0f}/s   ", end="", flush=True)
            done, started = 0, time.perf_counter()
    projector.close()
    processes = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return steps, sum(resource.getrusage(which).ru_maxrss for which in processes) / 1_000


def _sizes(settings: Settings) -> list[Size]:
    with psycopg.connect(settings.database_url or "", autocommit=True) as owner:
        live = generations.live(owner)
        assert live is not None, "the database was prepared"
        owner.execute("ANALYZE")
        rows = owner.execute(_SIZES, [["log", "keys", "app", live.schema]]).fetchall()
    return [Size(*row) for row in rows if row[0].partition(".")[2] in KEYS or row[0].startswith(("log", "keys", "app"))]


if __name__ == "__main__":
    main()
