"""What PostgreSQL says of an instance, measured at once and judged at once: what doctor says and metrics show."""

from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final, TypeVar

import msgspec
import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from adapters.condition import database as db
from adapters.condition.database import Database, Rights
from adapters.condition.disk import Used, used
from adapters.condition.door import Door, door, judge_door
from adapters.condition.finding import Finding, wrong
from adapters.condition.reading import (
    Reacting,
    Reading,
    judge_generation,
    judge_parked,
    judge_projection,
    judge_reacting,
    parts,
    reacting,
    reading,
)
from adapters.condition.sending import Sending, judge_deliveries, judge_hosts, sending
from adapters.condition.working import Working, judge_jobs, judge_schedule, working
from adapters.postgres.schedule import BACKUP

CONNECT_TIMEOUT_S: Final = 5
# Nothing here may weigh on an instance that is in trouble already.
STATEMENT_TIMEOUT_MS: Final = 10_000
READING: Final = "read models"
T = TypeVar("T")


class Measured(msgspec.Struct, kw_only=True):
    """Each part None where it could not be measured; then `unknown` says why, by its name. `at` is our own time.

    A database that was never set up has no `rights` and nothing that follows.
    """

    at: datetime
    server: Database
    migrated: dict[str, str] | None = None
    rights: Rights | None = None
    reading: Reading | None = None
    reacting: Reacting | None = None
    sending: Sending | None = None
    working: Working | None = None
    door: Door | None = None
    used: Used | None = None
    unknown: dict[str, str] = {}
    thrown_away: bool = False

    @property
    def backup_ago_s(self) -> float | None:
        """How long ago `daybook backup` made one; None if never, or not known."""
        runs = self.working.runs if self.working is not None else ()
        return next((run.ago_s for run in runs if run.name == BACKUP), None)


@asynccontextmanager
async def asking(url: str) -> AsyncGenerator[AsyncConnection[TupleRow]]:
    """A connection for these questions alone. Raises psycopg.OperationalError."""
    connection = await AsyncConnection.connect(
        url,
        autocommit=True,
        connect_timeout=CONNECT_TIMEOUT_S,
        application_name="daybook condition",
        options=f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c jit=off",
    )
    async with connection:
        yield connection


async def measure(connection: AsyncConnection[TupleRow]) -> Measured:
    """Measure all that can be. Raises psycopg.OperationalError when the connection is lost."""
    measured = Measured(at=datetime.now(UTC), server=await db.database(connection), unknown={})
    measured.migrated = await db.migrated(connection)
    try:
        measured.rights = await db.rights(connection)
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return measured
    running = await parts(connection)

    async def part(name: str, asked: Awaitable[T]) -> T | None:
        try:
            return await asked
        except psycopg.Error as error:
            if connection.broken:
                raise
            measured.unknown[name] = str(error).strip().splitlines()[0]
            if name == READING:
                measured.thrown_away = isinstance(error, psycopg.errors.UndefinedTable)
            return None

    measured.reading = await part(READING, reading(connection, running))
    projected = measured.reading.projected if measured.reading is not None else 0
    measured.reacting = await part("reactor", reacting(connection, running, projected))
    measured.sending = await part("deliveries", sending(connection, running))
    measured.working = await part("jobs", working(connection, running))
    measured.door = await part("refused at the door", door(connection))
    measured.used = await part("disk", used(connection))
    return measured


def judged(measured: Measured) -> list[Finding]:
    """What that means, in the order in which things depend on each other."""
    server = measured.server
    found = [db.judge_version(server), db.judge_durability(server), db.judge_clock(server, measured.at)]
    found.append(db.judge_migrations(measured.migrated))
    if measured.rights is None:
        return found
    found.append(db.judge_rights(measured.rights))
    if measured.reading is not None:
        found += [judge_generation(measured.reading), judge_projection(measured.reading)]
        found += [judge_parked(measured.reading)]
    if measured.reacting is not None:
        found += [judge_reacting(measured.reacting)]
    if measured.sending is not None:
        found += [judge_deliveries(measured.sending), judge_hosts(measured.sending)]
    if measured.working is not None:
        found += [judge_jobs(measured.working), judge_schedule(measured.working)]
    if measured.door is not None:
        found += [judge_door(measured.door)]
    if measured.working is not None:
        found += [db.judge_backups(server, measured.backup_ago_s)]
    todos = dict.fromkeys(measured.unknown, "Look at migrations and rights first; then at the database's own log.")
    if measured.thrown_away:
        todos[READING] = (
            "Tables of the read models are gone: `daybook replay` makes them of the log, as does a restart."
        )
    return found + [
        wrong(name, f"It could not be looked at: {why}.", todos[name]) for name, why in measured.unknown.items()
    ]
