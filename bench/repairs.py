"""Repairs: what is one account's own worked out anew, in process and by the whole command, over a log of any length.

Of each kind that account is taken whose size is nearest to a fixed one, so that figures of different logs compare.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import LiteralString

import msgspec
import psycopg
from psycopg import sql

from adapters.config import Settings
from adapters.pacing import FAST_BATCH
from adapters.postgres import generations
from adapters.repairing import Repair, repairing
from adapters.wiring import make_projector
from bench import peers
from bench.book import Book
from bench.generator import MixedLog
from bench.measuring import Row, Target
from bench.services import BenchError, database

EVENTS = 100_000
HOMES = (800, 2_400, 10_000)
READERS = HOMES[:2]
"""Who comes late to the mixture: in a long log everybody else's home is larger than that."""
POSTS = 2_000
COMMAND_TIMEOUT_S = 60
WITHIN_S = 1.0

_OF_HOME: LiteralString = "SELECT owner, count(*) FROM {home} GROUP BY owner ORDER BY abs(count(*) - %s), owner LIMIT 1"
_OF_POSTS: LiteralString = """
    SELECT s.account, count(*) FROM {statuses} s JOIN {accounts} a ON a.id = s.account AND a.domain IS NOT NULL
    GROUP BY s.account ORDER BY abs(count(*) - %s), s.account LIMIT 1
"""
_FORGET_HOME = "DELETE FROM {home} WHERE owner = %s"


class Chosen(msgspec.Struct, frozen=True):
    """Whose repair is measured: what it is called in the report, and whether its home is taken out before each."""

    account: int
    what: str
    without_home: bool


def run(scale: float, rounds: int) -> list[Row]:
    """The mixture projected, and then one repair after the other."""
    with database() as settings:
        _fill(settings, max(1_000, int(EVENTS * scale)), scale)
        return measured(settings, rounds)


def measured(settings: Settings, rounds: int) -> list[Row]:
    """Two rows an account, over a database that is projected and in which nothing else happens."""
    with psycopg.connect(settings.database_url or "", autocommit=True) as owner:
        live = generations.live(owner)
        assert live is not None, "the database was prepared"
        owner.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(live.schema)))
        owner.execute("ANALYZE")
        started = [_seconds(lambda: _command(settings, "--help")) for _ in range(rounds + 1)][1:]
        rows: list[Row] = []
        for chosen in _chosen(owner):
            with repairing(settings) as repair:
                worked = [1_000 * _repaired(owner, chosen, repair) for _ in range(rounds + 1)][1:]
            seconds, cpu_s = zip(*(_commanded(owner, settings, chosen) for _ in range(rounds + 1)), strict=True)
            rows += _rows(chosen, worked, seconds[1:], cpu_s[1:], started)
    return rows


def _rows(
    chosen: Chosen, worked: Sequence[float], seconds: Sequence[float], cpu_s: Sequence[float], started: Sequence[float]
) -> list[Row]:
    damage = "Its home is emptied before each, so all of that is told and written." if chosen.without_home else ""
    return [
        Row(what=f"repair of {chosen.what}, in process", unit="ms", measured=tuple(worked), note=damage),
        Row(
            what=f"the whole command for {chosen.what}",
            unit="s",
            measured=tuple(seconds),
            target=Target("at most", WITHIN_S),
            floor=tuple(started),
            note=f"The command takes {median(cpu_s):.2f} s of CPU itself. Floor: its help and nothing else.",
        ),
    ]


def _chosen(owner: psycopg.Connection) -> list[Chosen]:
    found: list[Chosen] = []
    for size in HOMES:
        account, entries = _nearest(owner, _OF_HOME, size)
        if account not in {one.account for one in found}:
            found.append(Chosen(account, f"a home of {entries:,}", without_home=True))
    account, posts = _nearest(owner, _OF_POSTS, POSTS)
    return [*found, Chosen(account, f"a remote author of {posts:,} posts", without_home=False)]


def _nearest(owner: psycopg.Connection, query: LiteralString, size: int) -> tuple[int, int]:
    tables = {name: sql.Identifier(name) for name in ("home", "statuses", "accounts")}
    row = owner.execute(sql.SQL(query).format(**tables), [size]).fetchone()
    assert row is not None, "the mixture has posts and followers"
    return row[0], row[1]


def _repaired(owner: psycopg.Connection, chosen: Chosen, repair: Repair) -> float:
    _damage(owner, chosen)
    return _seconds(lambda: repair.account(chosen.account))


def _commanded(owner: psycopg.Connection, settings: Settings, chosen: Chosen) -> tuple[float, float]:
    """Seconds, and seconds of CPU that the command's own process took."""
    _damage(owner, chosen)
    before = os.times()
    seconds = _seconds(lambda: _command(settings, str(chosen.account)))
    after = os.times()
    return seconds, sum(after[2:4]) - sum(before[2:4])


def _damage(owner: psycopg.Connection, chosen: Chosen) -> None:
    if chosen.without_home:
        owner.execute(sql.SQL(_FORGET_HOME).format(home=sql.Identifier("home")), [chosen.account])


def _seconds(what: Callable[[], object]) -> float:
    started = time.perf_counter()
    what()
    return time.perf_counter() - started


def _command(settings: Settings, argument: str) -> None:
    """`daybook repair`, as an operator gives it. Raises BenchError with the end of what it says when it fails."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "workers.cli", "repair", argument],
        env={
            **kept,
            "DATABASE_URL": settings.database_url or "",
            "DAYBOOK_DATA": str(settings.data),
            "DAYBOOK_DATABASE_APP_URL": settings.database_app_url or "",
            "DAYBOOK_PORT": str(settings.port),
        },
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        raise BenchError(f"`daybook repair {argument}` failed: {done.stderr.strip()[-500:]}")


def _fill(settings: Settings, count: int, scale: float) -> None:
    book = Book(settings)
    try:
        log = MixedLog(book, authors=max(50, int(1_000 * min(1, scale))), locals_=max(30, int(500 * min(1, scale))))
        _project(settings, book.append(log.people()))
        ids = book.ids(map(peers.author_uri, log.authors))
        book.append(log.follows(ids))
        book.append(log.readers(ids, READERS, count))
        _project(settings, book.append(log.mixed(count)))
    finally:
        book.close()


def _project(settings: Settings, to: int) -> None:
    dsn = settings.database_app_url or ""
    with psycopg.connect(dsn) as connection:
        live = generations.live(connection)
    assert live is not None, "the database was prepared"
    projector = make_projector(settings, dsn, live)
    while projector.step(FAST_BATCH, to):
        pass
    projector.close()
