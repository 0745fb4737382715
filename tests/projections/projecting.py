"""What the tests of read models share: a log made of a history, and generations projected from it."""

import contextlib
from collections.abc import Sequence

import psycopg

from adapters.codec import Codec
from adapters.interpreter.interpret import Interpreter
from adapters.postgres import generations
from adapters.postgres.generations import Generation
from adapters.postgres.projecting import Projector
from adapters.postgres.writer import GroupWriter, NewEvent
from domain.ports import Recorded
from projections.catalogue import PROJECTIONS
from projections.rule import Projection
from tests.adapters.interpreter.peers import OURS
from tests.database import APP_ROLE, MASTER_KEY, Database


def write_log(database: Database, history: Sequence[Recorded]) -> None:
    """Append a history, sealed, at its positions."""
    codec, writer = Codec(MASTER_KEY), GroupWriter(database.app)
    futures = [
        writer.submit([NewEvent(recorded.stream, None, codec.seal(recorded.stream, recorded.event))])
        for recorded in history
    ]
    assert [future.result().positions[0] for future in futures] == [recorded.position for recorded in history]
    writer.close()


def new_generation(database: Database) -> Generation:
    """Empty tables."""
    with psycopg.connect(database.owner, autocommit=True) as owner:
        return generations.create(owner, APP_ROLE)


def projector_of(
    database: Database, generation: Generation, projections: Sequence[Projection] = PROJECTIONS
) -> Projector:
    """A projector as the worker makes it."""
    return Projector(database.app, generation, Codec(MASTER_KEY), Interpreter(OURS), OURS, projections)


def project_all(projector: Projector, size: int) -> None:
    """To the end of the log, in batches of `size`; a lost connection is taken up again."""
    while True:
        try:
            if projector.step(size) == 0:
                projector.close()
                return
        except psycopg.OperationalError:
            projector.reset()


def kill_backends(database: Database, generation: Generation) -> int:
    """Cut the projector's connection, whatever it is doing; gives how many there were."""
    with contextlib.closing(psycopg.connect(database.owner, autocommit=True)) as owner:
        row = owner.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = %s",
            [f"daybook project {generation.schema}"],
        ).fetchone()
    return row[0] if row else 0


def digests(database: Database, generation: Generation) -> dict[str, str]:
    """Per table, of every row and column."""
    with psycopg.connect(database.owner, autocommit=True) as owner:
        return generations.digests(owner, generation)


def wait_until_killed(owner: str, n: int) -> None:
    """Cut the connection of whoever projects generation `n` while it waits for a lock, and wait until it is gone."""
    name = f"daybook project read_{n}"
    waiting = "SELECT pid FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'"
    with contextlib.closing(psycopg.connect(owner, autocommit=True)) as connection:
        while (row := connection.execute(waiting, [name]).fetchone()) is None:
            pass
        connection.execute("SELECT pg_terminate_backend(%s, 10000)", [row[0]])
