"""Generations as an operator sees them: which there are and what they take, which is read, and which may go.

Only the live one follows the log. What is kept stands where it was when it was left, and is caught up first when
somebody goes back to it.
"""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime

import msgspec
import psycopg

from adapters.advancing import Advancing, Progress
from adapters.config import Settings
from adapters.pacing import Pace
from adapters.postgres import generations
from adapters.postgres.generations import Generation
from adapters.postgres.tailing import Tail
from adapters.replaying import READERS_TIMEOUT_S, ReplayError, as_owner, drop_unread, only_replay, within

CLAIM_TIMEOUT_S = 10.0

# Rows as the server's statistics have them: counting would read all of it.
_LISTED = """
    SELECT g.n, g.code_hash, g.status, g.retained, g.made_at, g.left_at,
        coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint,
        coalesce(sum(greatest(s.n_live_tup, c.reltuples)), 0)::bigint
    FROM app.generations g
    LEFT JOIN pg_class c ON c.relnamespace = to_regnamespace('read_' || g.n) AND c.relkind = 'r'
    LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
    GROUP BY g.n ORDER BY g.n
"""
_HEAD = "SELECT position FROM log.head"
_LEFT_LAST = """
    SELECT n FROM app.generations WHERE status = 'kept' AND left_at IS NOT NULL ORDER BY left_at DESC, n DESC LIMIT 1
"""


class Listed(msgspec.Struct, frozen=True):
    """A generation, how far it has come (None when its tables are gone), of a log of `head` events, and what it takes.

    `ours` is whether this very code made it; `rows` is about how many there are.
    """

    generation: Generation
    ours: bool
    position: int | None
    head: int
    rows: int
    size_bytes: int
    made_at: datetime | None
    left_at: datetime | None

    @property
    def behind(self) -> int | None:
        """How many events it lacks."""
        return None if self.position is None else max(0, self.head - self.position)


class Keeping:
    """What there is and what is done to it; every step raises psycopg.OperationalError when the database goes away."""

    def __init__(self, settings: Settings, owner: psycopg.Connection) -> None:
        self._settings = settings
        self._owner = owner

    def listed(self) -> list[Listed]:
        """Every generation, oldest first."""
        row = self._owner.execute(_HEAD).fetchone()
        head: int = row[0] if row else 0
        found: list[Listed] = []
        for n, code_hash, status, retained, made_at, left_at, size_bytes, rows in self._owner.execute(_LISTED):
            one = Generation(n, code_hash, status, retained)
            ours = code_hash == generations.code_hash()
            found.append(Listed(one, ours, self._position(one), head, rows, size_bytes, made_at, left_at))
        return found

    def one(self, n: int) -> Listed:
        """The generation of that number. Raises ReplayError when there is none."""
        found = [listed for listed in self.listed() if listed.generation.n == n]
        if not found:
            raise ReplayError(f"There is no generation {n}: `daybook generation list` shows those there are.")
        return found[0]

    def left_last(self) -> int:
        """The number of the generation that was live before. Raises ReplayError when it was not kept."""
        row = self._owner.execute(_LEFT_LAST).fetchone()
        if row is None:
            raise ReplayError(
                "The generation that was live before was not kept: `daybook replay --keep-old` keeps it from the next "
                "time on; `daybook replay` makes a new one of the log."
            )
        return row[0]

    def switch(self, n: int, progress: Progress) -> Generation:
        """Catch a generation up with the log and make it the one that is read; gives the one before, which is kept.

        Raises ReplayError unless it is whole and made by this code, and nobody else works on it.
        """
        to, live = self._fit(n), generations.live(self._owner)
        if live is None:
            raise ReplayError("Nothing is live yet: `daybook up` builds the read models by itself.")
        with self._claimed(to) as tail:
            advancing = Advancing(self._settings, self._owner, tail, to, Pace())
            try:
                advancing.replace(live, progress, retain=True)
            finally:
                advancing.close()
        return live

    def droppable(self, n: int) -> Listed:
        """The generation of that number. Raises ReplayError when it is the one that is read."""
        found = self.one(n)
        if found.generation.status == "live":
            raise ReplayError(
                f"Generation {n} is live, so it stays: switch to another first (`daybook generation switch`), or make "
                "a new one (`daybook replay`, which drops this one in the end)."
            )
        return found

    def drop(self, n: int) -> None:
        """Drop a generation that is not live. Raises ReplayError when it is, or is still used."""
        found = self.droppable(n).generation
        with self._claimed(found):
            if not drop_unread(self._owner, found, READERS_TIMEOUT_S):
                raise ReplayError(f"Generation {n} is still being read: try again in a minute.")

    def _fit(self, n: int) -> Generation:
        found = self.one(n)
        if found.generation.status == "live":
            raise ReplayError(f"Generation {n} is live already.")
        if not found.ours:
            raise ReplayError(
                f"Generation {n} was made by another version of Daybook, which reads it; this one can't. "
                f"`daybook generation drop {n}` frees its disk."
            )
        if not generations.is_whole(self._owner, found.generation):
            raise ReplayError(f"Generation {n} lacks tables: drop it with `daybook generation drop {n}`.")
        if found.generation.status == "building":
            raise ReplayError(
                f"Generation {n} was never built to its end: `daybook replay` goes on with it, and compares it first."
            )
        return found.generation

    @contextmanager
    def _claimed(self, generation: Generation) -> Generator[Tail]:
        assert self._settings.database_url is not None, "only an owner gets here"
        tail = Tail(self._settings.database_url)
        try:
            if not within(CLAIM_TIMEOUT_S, lambda: tail.claim(generation)):
                raise ReplayError(f"Generation {generation.n} is being worked on by another process: end that first.")
            yield tail
        finally:
            tail.close()

    def _position(self, generation: Generation) -> int | None:
        checkpoint = self._owner.execute("SELECT to_regclass(%s)", [f"{generation.schema}.checkpoint"]).fetchone()
        gone = checkpoint is None or checkpoint[0] is None
        return None if gone else generations.position_of(self._owner, generation)


@contextmanager
def keeping(settings: Settings) -> Generator[Keeping]:
    """Hold off replays, and everybody else who switches or drops generations. Raises as `replaying` does."""
    with only_replay(settings) as owner:
        yield Keeping(settings, owner)


@contextmanager
def looking(settings: Settings) -> Generator[Keeping]:
    """To look only, beside whatever runs. Raises as `replaying` does."""
    with as_owner(settings) as owner:
        yield Keeping(settings, owner)
