"""Projecting: events in, rows out, one transaction a batch: interpretation, every rule, and the checkpoint.

Only what would fail again parks: a batch that fails by its content is halved down to the event, and the event down to
the fact, which is parked alone with its reason. Anything else (a lost connection, a deadlock, a full disk, a missing
right) rolls back and is raised for the caller to try again; it parks nothing.
"""

import logging
from collections.abc import Callable, Sequence

import psycopg
from eventsourcing.persistence import PersistenceError, Tracking

from adapters.codec import Codec
from adapters.interpreter.interpret import Interpreter, Translated
from adapters.interpreter.state import NotLookedUp
from adapters.postgres import touching
from adapters.postgres.checkpoint import Checkpoint
from adapters.postgres.generations import APPLICATION, Generation
from adapters.postgres.reading_ahead import Reader, ReadingAhead, Span
from adapters.postgres.reading_beside import ReadingBeside
from adapters.postgres.ruling import run_rules
from adapters.postgres.touching import Touched
from domain.ports import Recorded
from projections.fact import APPLIED, Fact
from projections.rule import Projection

CHANNEL = "daybook_projected"
# A batch that large is one of many, as when read models are built: what each touches is not worth working out.
TOLD_APART_MAX = 500
_log = logging.getLogger("daybook.project")

# A fact whose rules fail is taken back and parked for good, as poison.
_PARK_FACT = """
    WITH taken AS (DELETE FROM facts WHERE position = %s AND n = %s)
    INSERT INTO parked (received_at_position, waits_for, brings, claim, reason) VALUES (%s, NULL, NULL, '', %s)
    ON CONFLICT (received_at_position) DO NOTHING
"""
_PARK_EVENT = """
    INSERT INTO parked (received_at_position, waits_for, brings, claim, reason) VALUES (%s, NULL, NULL, '', %s)
    ON CONFLICT (received_at_position) DO NOTHING
"""

_TELL = "SELECT pg_notify(channel, message) FROM unnest(%s::text[], %s::text[]) AS m (channel, message)"


class _Failed(Exception):
    """A batch failed by its content: doing the same again would fail the same."""


class Projector:
    """Projects the log into one generation over one connection of its own.

    `step` raises psycopg.OperationalError when the database does not answer; call `reset` and try again.
    """

    def __init__(
        self,
        dsn: str,
        generation: Generation,
        codec: Codec,
        interpreter: Interpreter,
        origin: str,
        projections: Sequence[Projection],
        beside: Callable[[ReadingAhead], ReadingBeside] | None = None,
    ) -> None:
        self._dsn = dsn
        self._generation = generation
        self._interpreter = interpreter
        at_home = ReadingAhead(Reader(dsn, codec, interpreter.translate))
        self._ahead = beside(at_home) if beside else at_home
        self._origin = origin
        self._rules = [rule for projection in projections for rule in projection.rules]
        self._connection: psycopg.Connection | None = None
        self._position: int | None = None
        self.behind = True
        """Whether the last batch was not all that there was."""

    def position(self) -> int:
        """The checkpoint."""
        if self._position is None:
            self._position = Checkpoint(self._connected()).max_tracking_id(APPLICATION) or 0
        return self._position

    def step(self, limit: int, to: int | None = None) -> int:
        """Project the next events, at most `limit` and none beyond position `to`; gives how many there were."""
        batch = self._ahead.next(Span(self.position(), to, limit))
        if batch.positions:
            self._position = None  # not known while a batch is under way
            self._project(batch.positions, batch.translated)
            self._position = batch.positions[-1]
        self.behind = batch.more
        return len(batch.positions)

    def reset(self) -> None:
        """Forget the connections, broken or not."""
        self._ahead.reset()
        self._disconnect()

    def close(self) -> None:
        """Let go of everything; it can't be used again."""
        self._ahead.close()
        self._disconnect()

    def _disconnect(self) -> None:
        self._position = None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _project(self, positions: Sequence[int], translated: Translated) -> None:
        try:
            self._project_together(positions, translated)
        except _Failed as failure:
            if len(positions) == 1:
                _log.warning("event %d is projected fact by fact: %s", positions[0], failure)
                self._project_alone(*self._ahead.at(positions))
            else:
                middle = len(positions) // 2
                for half in (positions[:middle], positions[middle:]):
                    self._project(half, self._interpreter.translate(list(self._ahead.at(half))))

    def _project_together(self, positions: Sequence[int], translated: Translated) -> None:
        connection = self._connected()
        try:
            with connection.transaction(), connection.cursor() as cursor:
                facts = self._interpreter.settle(cursor, translated, self._ahead.at)
                touched = Touched(everything=len(positions) > TOLD_APART_MAX)
                self._apply(cursor, facts, touched)
                self._pass(positions[-1], touched)
        except Exception as error:
            if not fails_again(error):
                raise
            raise _Failed(_reason(error)) from error

    def _project_alone(self, event: Recorded) -> None:
        connection = self._connected()
        with connection.transaction(), connection.cursor() as cursor:
            try:
                with connection.transaction():
                    facts = self._interpreter.interpret(cursor, [event], self._ahead.at)
            except Exception as error:
                if not fails_again(error):
                    raise
                cursor.execute(_PARK_EVENT, [event.position, _reason(error)])
                facts = []
            poison = self._poison_among(cursor, facts)
            for fact, reason in poison:
                _log.error("fact %d.%d is parked: %s", fact.position, fact.n, reason)
                cursor.execute(_PARK_FACT, [fact.position, fact.n, fact.received_at_position, reason])
            parked = {fact.n for fact, _ in poison}
            touched = Touched()
            # Together, as ever: what one fact means for a table may depend on the others at its position.
            self._apply(cursor, [fact for fact in facts if fact.n not in parked], touched)
            self._pass(event.position, touched)

    def _poison_among(self, cursor: psycopg.Cursor, facts: Sequence[Fact]) -> list[tuple[Fact, str]]:
        """The facts that their rules fail on, tried one after the other and all taken back."""
        found: list[tuple[Fact, str]] = []
        with self._connected().transaction(force_rollback=True):
            for fact in facts:
                try:
                    with self._connected().transaction():
                        self._apply(cursor, [fact], Touched())
                except Exception as error:
                    if not fails_again(error):
                        raise
                    found.append((fact, _reason(error)))
        return found

    def _apply(self, cursor: psycopg.Cursor, facts: Sequence[Fact], touched: Touched) -> None:
        for fact in facts:
            if fact.verdict == APPLIED:
                assert fact.event is not None, "what applies has its event"
                touched.by(fact.event)
        touched.add(run_rules(cursor, self._rules, facts, self._origin))

    def _pass(self, position: int, touched: Touched) -> None:
        connection = self._connected()
        Checkpoint(connection).insert_tracking(Tracking(APPLICATION, position))
        messages = list(touched.messages(self._generation.n))
        # Progress comes last: whoever hears of it has heard what it brought.
        channels = [*[touching.CHANNEL] * len(messages), CHANNEL]
        connection.execute(_TELL, [channels, [*messages, f"{self._generation.n}:{position}"]])

    def _connected(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._dsn,
                autocommit=True,
                application_name=f"daybook project {self._generation.schema}",
                # What is projected can be projected again, so a crash may take back the last moments: never the log's.
                options=f"-c search_path={self._generation.schema} -c jit=off -c synchronous_commit=off",
            )
        return self._connection


def fails_again(error: Exception) -> bool:
    """Whether trying the same again must fail the same, by what is projected and not by what happened around it.

    A translator's or renderer's exception does, and values that PostgreSQL can't take (SQLSTATE classes 22 and 23). A
    lost connection, a full disk, a missing right do not, nor does a bug that must stop the line.
    """
    if isinstance(error, psycopg.Error):
        # Without a SQLSTATE the driver refused a value before sending it: a NUL in a text, a number too large.
        return error.sqlstate[:2] in ("22", "23") if error.sqlstate else isinstance(error, psycopg.DataError)
    return not isinstance(error, NotLookedUp | MemoryError | PersistenceError)


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:500]
