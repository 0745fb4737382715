"""A replay: the whole log projected anew beside the live read models, compared with them, and put in their place.

Nothing here touches the live generation before the switch, so an interrupted replay leaves it as it was; what it left
half built the next one goes on with. Everything runs over the owner's database connections and asks nobody else.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime
from time import monotonic, sleep

import msgspec
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from adapters.advancing import Advancing, Progress
from adapters.config import Settings, SettingsError
from adapters.pacing import Pace
from adapters.postgres import generations
from adapters.postgres.generations import Generation
from adapters.postgres.tailing import Tail
from adapters.replaying_part import make_part
from projections.catalogue import KEYS

CONNECT_TIMEOUT_S = 10
# A replay that was killed may still be rolling back on the server's side.
PREDECESSOR_TIMEOUT_S = 10.0
READERS_TIMEOUT_S = 60.0
POLL_S = 0.1
# The server looks this often whether a busy connection's other end still lives.
OPTIONS = "-c client_connection_check_interval=1000 -c jit=off"

_LOCK = "SELECT pg_try_advisory_lock(hashtext('daybook replay'))"
_SIZE = """
    SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c
    WHERE c.relnamespace = to_regnamespace(%s) AND c.relkind = 'r'
"""
_CURRENT = """
    SELECT EXISTS (SELECT FROM information_schema.columns
        WHERE (table_schema, table_name, column_name) = ('app', 'generations', 'retained'))
"""
_ROLE = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)"


class ReplayError(Exception):
    """Why there can be no replay now; one sentence for the operator."""


class Cost(msgspec.Struct, frozen=True):
    """What a replay takes: `events` to be projected, and about `live_bytes` more on disk while both are there."""

    events: int
    live_bytes: int


class Compared(msgspec.Struct, frozen=True):
    """One table in both generations at the same position: its rows, and the SHA-256 of all of them in key order."""

    table: str
    live_rows: int
    live_digest: str
    replayed_rows: int
    replayed_digest: str

    @property
    def same(self) -> bool:
        """Whether not a byte differs."""
        return self.live_digest == self.replayed_digest


class Comparison(msgspec.Struct, frozen=True):
    """All tables, when both generations had come to `position`."""

    position: int
    tables: tuple[Compared, ...]

    @property
    def different(self) -> list[str]:
        """The tables that are not the same."""
        return [table.table for table in self.tables if not table.same]


class Begun(msgspec.Struct, frozen=True):
    """The generation that is built, and the position that an earlier replay had brought it to, 0 for a new one."""

    generation: Generation
    position: int
    made_at: datetime | None = None


class Replay:
    """One replay, step by step: `begin`, `build`, `compare`, then `switch` and `drop_old`, or `abandon`.

    Every step raises psycopg.OperationalError when the database goes away.
    """

    def __init__(self, settings: Settings, owner: psycopg.Connection, old: Generation, pace: Pace) -> None:
        assert settings.database_url is not None, "only an owner replays"
        self._settings = settings
        self._owner = owner
        self._pace = pace
        self._tail = Tail(settings.database_url)
        self._advancing: Advancing | None = None
        self.old = old

    @property
    def made(self) -> Generation:
        """The generation that is built."""
        return self._running().generation

    def cost(self) -> Cost:
        """What it will take, from the beginning."""
        row = self._owner.execute(_SIZE, [self.old.schema]).fetchone()
        return Cost(self._tail.head(), row[0] if row else 0)

    def begin(self, *, anew: bool = False) -> Begun:
        """Take up what an earlier replay by this code left unfinished, unless `anew`; else make empty tables.

        What else earlier replays left is dropped.
        """
        found: Generation | None = None
        for left in reversed(generations.all_of_them(self._owner)):
            # What other code is building belongs to the processes of that code, what is retained to the operator.
            halfway = left.status == "building" and left.code_hash == self.old.code_hash
            over = left.status == "kept" and not left.retained
            if not (halfway or over) or not self._claimed(left):
                continue
            if halfway and not anew and found is None and self._can_go_on(left):
                found = left
                continue
            drop_unread(self._owner, left, PREDECESSOR_TIMEOUT_S if halfway else 0.0)
            self._tail.release(left)
        made = found or generations.create(self._owner, app_role_of(self._settings, self._owner))
        claimed = found is not None or self._tail.claim(made)
        assert claimed, "nobody projects what was made just now"
        self._advancing = Advancing(self._settings, self._owner, self._tail, made, self._pace)
        return Begun(made, self._advancing.position(), generations.made_at(self._owner, made))

    def begin_part(self, tables: frozenset[str], progress: Progress) -> None:
        """Make these tables of the live generation's facts beside it, with copies of all others.

        What earlier replays left is dropped. Raises Untold when an event can't be read any more.
        """
        made = self.begin(anew=True).generation
        # What projects from here on begins where the part ends.
        self._running().close()
        with connect(self._settings) as connection:
            make_part(connection, self._settings, self.old, made, tables, progress)
        self._advancing = Advancing(self._settings, self._owner, self._tail, made, self._pace)

    def build(self, progress: Progress) -> None:
        """Project up to where the live generation is."""
        self._running().up_to(self.old, progress)

    def compare(self, progress: Progress) -> Comparison:
        """Both generations at the very same position: the live one as it stands now, held still by a snapshot."""
        advancing = self._running()
        new = advancing.generation
        with connect(self._settings) as snapshot:
            snapshot.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            with snapshot.transaction():
                position = generations.position_of(snapshot, self.old)
                reached = advancing.to(position, progress)
                assert reached == position, "nothing else projects into it"
                live_rows = _counts(snapshot, self.old)
                live = generations.digests(snapshot, self.old)
            rows, replayed = _counts(snapshot, new), generations.digests(snapshot, new)
        return Comparison(
            position,
            tuple(Compared(table, live_rows[table], live[table], rows[table], replayed[table]) for table in KEYS),
        )

    @contextmanager
    def side_by_side(self, progress: Progress) -> Generator[psycopg.Connection]:
        """A connection in whose snapshot both generations stand at the very same position, for as long as it is open.

        The live projector waits only until the snapshot is taken.
        """
        with connect(self._settings) as snapshot:
            snapshot.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            with snapshot.transaction():
                with self._owner.transaction():
                    self._running().to(generations.hold(self._owner, self.old), progress, hurry=True)
                    snapshot.execute("SELECT pg_current_snapshot()")
                yield snapshot

    def switch(self, progress: Progress, *, retain: bool = False) -> None:
        """Catch up to the head, then make the new generation the one that is read; `retain` the old one for `back`."""
        self._running().replace(self.old, progress, retain=retain)

    def drop_old(self, timeout_s: float = READERS_TIMEOUT_S) -> bool:
        """Drop the generation that was read before, once nobody reads it any more; whether that came in time."""
        return drop_unread(self._owner, self.old, timeout_s)

    def abandon(self) -> None:
        """Drop the new generation, unless it is live by now."""
        advancing = self._running()
        advancing.let_go()
        generations.drop(self._owner, advancing.generation)

    def close(self) -> None:
        """Let go of everything; a generation still being built stays, and the next replay goes on with it."""
        if self._advancing is not None:
            self._advancing.close()
        self._tail.close()

    def _running(self) -> Advancing:
        assert self._advancing is not None, "begun before"
        return self._advancing

    def _claimed(self, generation: Generation) -> bool:
        return within(PREDECESSOR_TIMEOUT_S, lambda: self._tail.claim(generation))

    def _can_go_on(self, left: Generation) -> bool:
        """Whether it is whole, and as of the live one's position or earlier, so that both can be compared.

        Raises ReplayError while the transaction of a predecessor that was killed is still under way.
        """
        if not within(PREDECESSOR_TIMEOUT_S, lambda: not generations.in_use(self._owner, left)):
            raise ReplayError(f"Generation {left.n} is still being written to: try again in a moment.")
        if not generations.is_whole(self._owner, left) or generations.is_part(self._owner, left):
            return False
        return generations.position_of(self._owner, left) <= generations.position_of(self._owner, self.old)


@contextmanager
def replaying(settings: Settings, pace: Pace | None = None) -> Generator[Replay]:
    """A replay of this instance's log, the only one at a time.

    What was begun and not switched to stays, and the next one goes on with it. Raises SettingsError without the
    owner's database, ReplayError when there is nothing to compare with, another replay runs, or the database goes away.
    """
    with only_replay(settings) as owner:
        replay = Replay(settings, owner, _comparable(owner), pace or Pace())
        try:
            yield replay
        finally:
            replay.close()


@contextmanager
def only_replay(settings: Settings) -> Generator[psycopg.Connection]:
    """The owner's connection, holding off whatever else makes, switches or drops generations.

    Raises SettingsError and ReplayError as `replaying` does.
    """
    with as_owner(settings) as owner:
        if not within(PREDECESSOR_TIMEOUT_S, lambda: bool(_value(owner, _LOCK))):
            raise ReplayError("Another replay is running, or generations are being switched: wait for it to end.")
        yield owner


@contextmanager
def as_owner(settings: Settings) -> Generator[psycopg.Connection]:
    """The owner's connection, holding off nobody. Raises as `replaying` does."""
    try:
        with connect(settings) as owner:
            check_current(owner)
            yield owner
    except psycopg.OperationalError as error:
        raise ReplayError(f"The database does not answer, so this ended: {str(error).strip()}") from error


def check_current(owner: psycopg.Connection) -> None:
    """Raise ReplayError when this program's migrations have not run yet."""
    if not _value(owner, _CURRENT):
        raise ReplayError("The database is older than this program: run `daybook up` or `daybook migrate` first.")


def _comparable(owner: psycopg.Connection) -> Generation:
    live = generations.live(owner)
    if live is None or live.code_hash != generations.code_hash():
        raise ReplayError(
            "The live read models were not made by this version of Daybook: start it once (`daybook up`), "
            "it builds them anew by itself."
        )
    return live


def connect(settings: Settings) -> psycopg.Connection:
    """A connection of the owner's. Raises SettingsError when that is not known, psycopg.OperationalError."""
    if settings.database_url is None:
        raise SettingsError("A replay makes tables, which only the database's owner may: set DATABASE_URL.")
    return psycopg.connect(
        settings.database_url,
        autocommit=True,
        application_name="daybook replay",
        options=OPTIONS,
        connect_timeout=CONNECT_TIMEOUT_S,
    )


def drop_unread(owner: psycopg.Connection, generation: Generation, timeout_s: float) -> bool:
    """Drop a generation once nobody reads or projects it any more; whether that came in time."""
    if not within(timeout_s, lambda: not generations.in_use(owner, generation)):
        return False
    generations.drop(owner, generation)
    return True


def app_role_of(settings: Settings, owner: psycopg.Connection) -> str:
    """The role that the processes read and project as: the owner itself where there is no second one."""
    assert settings.database_app_url is not None, "settings must be attached first"
    role = conninfo_to_dict(settings.database_app_url).get("user")
    return str(role) if role and _value(owner, _ROLE, role) else owner.info.user


def _counts(connection: psycopg.Connection, generation: Generation) -> dict[str, int]:
    count = sql.SQL("SELECT count(*) FROM {}")
    return {
        table: connection.execute(count.format(sql.Identifier(generation.schema, table))).fetchall()[0][0]
        for table in KEYS
    }


def _value(connection: psycopg.Connection, query: str, *values: object) -> object:
    row = connection.execute(query.encode(), values or None).fetchone()
    return row[0] if row else None


def within(timeout_s: float, holds: Callable[[], bool]) -> bool:
    """Whether something comes to hold in time, by asking again and again."""
    deadline = monotonic() + timeout_s
    while not holds():
        if monotonic() > deadline:
            return False
        sleep(POLL_S)
    return True
