"""A replay: the whole log projected anew beside the live read models, compared with them, and put in their place.

Nothing here touches the live generation before the switch, so an interrupted replay leaves it as it was; what it left
half built is dropped by the next one. Everything runs over the owner's database connections and asks nobody else.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from time import monotonic, sleep

import msgspec
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from adapters.config import Settings, SettingsError
from adapters.postgres import generations
from adapters.postgres.generations import Generation
from adapters.postgres.projecting import Projector
from adapters.postgres.tailing import Tail
from adapters.wiring import make_projector
from projections.catalogue import KEYS

BATCH_MAX = 2_000
CONNECT_TIMEOUT_S = 10
# A replay that was killed may still be rolling back on the server's side.
PREDECESSOR_TIMEOUT_S = 10.0
READERS_TIMEOUT_S = 60.0
POLL_S = 0.1
DEADLOCKS_MAX = 10
# The server looks this often whether a busy connection's other end still lives.
OPTIONS = "-c client_connection_check_interval=1000 -c jit=off"

_LOCK = "SELECT pg_try_advisory_lock(hashtext('daybook replay'))"
_SIZE = """
    SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c
    WHERE c.relnamespace = to_regnamespace(%s) AND c.relkind = 'r'
"""
_ROLE = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)"
Progress = Callable[[int, int], None]


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


class Replay:
    """One replay, step by step: `begin`, `build`, `compare`, then `switch` and `drop_old`, or `abandon`.

    Every step raises psycopg.OperationalError when the database goes away.
    """

    def __init__(self, settings: Settings, owner_url: str, owner: psycopg.Connection, old: Generation) -> None:
        self._settings = settings
        self._owner_url = owner_url
        self._owner = owner
        self._tail = Tail(owner_url)
        self._projector: Projector | None = None
        self.old = old
        self.new: Generation | None = None

    def cost(self) -> Cost:
        """What it will take."""
        row = self._owner.execute(_SIZE, [self.old.schema]).fetchone()
        return Cost(self._tail.head(), row[0] if row else 0)

    def begin(self) -> Generation:
        """Drop what earlier replays left half built, and make the next generation's empty tables."""
        for left in generations.all_of_them(self._owner):
            # What other code is building belongs to the processes of that code.
            halfway = left.status == "building" and left.code_hash == self.old.code_hash
            if (halfway or left.status == "kept") and self._claimed(left):
                self._drop_unread(left, PREDECESSOR_TIMEOUT_S if halfway else 0.0)
                self._tail.release(left)
        self.new = generations.create(self._owner, app_role_of(self._settings, self._owner))
        claimed = self._tail.claim(self.new)
        assert claimed, "nobody projects what was made just now"
        self._projector = make_projector(self._settings, self._owner_url, self.new)
        return self.new

    def build(self, progress: Progress) -> None:
        """Project up to where the live generation is; `progress` is told (position come to, position to come to)."""
        while True:
            goal = generations.position_of(self._owner, self.old)
            if self._project_to(goal, progress) >= goal:
                return

    def compare(self, progress: Progress) -> Comparison:
        """Both generations at the very same position: the live one as it stands now, held still by a snapshot."""
        assert self.new is not None, "begun before"
        with self._connect() as snapshot:
            snapshot.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            with snapshot.transaction():
                position = generations.position_of(snapshot, self.old)
                reached = self._project_to(position, progress)
                assert reached == position, "nothing else projects into it"
                live_rows = _counts(snapshot, self.old)
                live = generations.digests(snapshot, self.old)
            rows, replayed = _counts(snapshot, self.new), generations.digests(snapshot, self.new)
        return Comparison(
            position,
            tuple(Compared(table, live_rows[table], live[table], rows[table], replayed[table]) for table in KEYS),
        )

    @contextmanager
    def side_by_side(self, progress: Progress) -> Generator[psycopg.Connection]:
        """A connection in whose snapshot both generations stand at the very same position, for as long as it is open.

        The live projector waits only until the snapshot is taken.
        """
        assert self.new is not None, "begun before"
        with self._connect() as snapshot:
            snapshot.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            with snapshot.transaction():
                with self._owner.transaction():
                    self._project_to(generations.hold(self._owner, self.old), progress)
                    snapshot.execute("SELECT pg_current_snapshot()")
                yield snapshot

    def switch(self, progress: Progress) -> None:
        """Catch up to the head, then make the new generation the one that is read.

        The live checkpoint is held for the moment of the switch, so that no reader ever goes back in time; the
        processes that project take over from here.
        """
        assert self.new is not None and self._projector is not None, "begun before"
        while self._step(None):
            progress(self._projector.position(), self._tail.head())
        with self._owner.transaction():
            self._project_to(generations.hold(self._owner, self.old), progress)
            self._let_go()
            generations.switch(self._owner, self.new)
        self.new = None

    def drop_old(self, timeout_s: float = READERS_TIMEOUT_S) -> bool:
        """Drop the generation that was read before, once nobody reads it any more; whether that came in time."""
        return self._drop_unread(self.old, timeout_s)

    def abandon(self) -> None:
        """Drop the new generation, unless it is live by now."""
        self._let_go()
        made, self.new = self.new, None
        if made is not None:
            generations.drop(self._owner, made)

    def keep(self) -> None:
        """Leave the new generation beside the live one, for somebody to look at; the next replay drops it."""
        self._let_go()
        self.new = None

    def close(self) -> None:
        """Let go of everything; a generation still being built stays for the next replay to drop."""
        if self._projector is not None:
            self._projector.close()
        self._tail.close()

    def _let_go(self) -> None:
        if self._projector is not None and self.new is not None:
            self._projector.close()
            self._tail.release(self.new)
            self._projector = None

    def _project_to(self, goal: int, progress: Progress) -> int:
        assert self._projector is not None, "begun before"
        while (reached := self._projector.position()) < goal:
            progress(reached, goal)
            self._step(goal)
        progress(reached, max(goal, reached))
        return reached

    def _step(self, to: int | None) -> bool:
        """Project one batch; whether it was a full one. The live projector may be giving out the same ids."""
        assert self._projector is not None, "begun before"
        for attempt in range(DEADLOCKS_MAX):
            try:
                return self._projector.step(BATCH_MAX, to) == BATCH_MAX
            except psycopg.errors.DeadlockDetected:
                if attempt == DEADLOCKS_MAX - 1:
                    raise
        raise AssertionError("unreachable")

    def _claimed(self, generation: Generation) -> bool:
        return _within(PREDECESSOR_TIMEOUT_S, lambda: self._tail.claim(generation))

    def _drop_unread(self, generation: Generation, timeout_s: float) -> bool:
        if not _within(timeout_s, lambda: not generations.in_use(self._owner, generation)):
            return False
        generations.drop(self._owner, generation)
        return True

    def _connect(self) -> psycopg.Connection:
        return _connect(self._owner_url)


@contextmanager
def replaying(settings: Settings) -> Generator[Replay]:
    """A replay of this instance's log, the only one at a time.

    What was begun and not switched to is dropped when it fails. Raises SettingsError without the owner's database,
    ReplayError when there is nothing to compare with, another replay runs, or the database goes away.
    """
    if settings.database_url is None:
        raise SettingsError("A replay makes tables, which only the database's owner may: set DATABASE_URL.")
    try:
        with _connect(settings.database_url) as owner:
            replay = Replay(settings, settings.database_url, owner, _comparable(owner))
            try:
                yield replay
            except BaseException:
                replay.abandon()
                raise
            finally:
                replay.close()
    except psycopg.OperationalError as error:
        raise ReplayError(f"The database does not answer, so the replay ended: {str(error).strip()}") from error


def _comparable(owner: psycopg.Connection) -> Generation:
    if not _within(PREDECESSOR_TIMEOUT_S, lambda: bool(_value(owner, _LOCK))):
        raise ReplayError("Another replay is running: wait for it to end.")
    if _value(owner, "SELECT to_regclass('app.generations')") is None:
        raise ReplayError("The database was never set up: run `daybook up` or `daybook migrate` first.")
    live = generations.live(owner)
    if live is None or live.code_hash != generations.code_hash():
        raise ReplayError(
            "The live read models were not made by this version of Daybook: start it once (`daybook up`), "
            "it builds them anew by itself."
        )
    return live


def _connect(url: str) -> psycopg.Connection:
    return psycopg.connect(
        url, autocommit=True, application_name="daybook replay", options=OPTIONS, connect_timeout=CONNECT_TIMEOUT_S
    )


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


def _within(timeout_s: float, holds: Callable[[], bool]) -> bool:
    deadline = monotonic() + timeout_s
    while not holds():
        if monotonic() > deadline:
            return False
        sleep(POLL_S)
    return True
