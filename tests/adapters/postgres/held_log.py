"""The log's head held by somebody else, so that a test decides what a writer's group is and when it commits."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from tests.database import Database

# The writer's backend, waiting for the head's lock.
_WAITING = "SELECT pid FROM pg_stat_activity WHERE application_name = 'daybook log' AND wait_event_type = 'Lock'"


@contextmanager
def held_head(database: Database) -> Iterator[psycopg.Connection]:
    """Lock the head as the owner, in a transaction that commits at the end."""
    with psycopg.connect(database.owner) as owner:
        owner.execute("SELECT FROM log.head FOR UPDATE")
        yield owner


def waiting_writer(database: Database) -> int:
    """The process id of the writer's backend, as soon as it waits for the head."""
    with psycopg.connect(database.owner, autocommit=True) as observer:
        while (row := observer.execute(_WAITING).fetchone()) is None:
            pass
    return row[0]
