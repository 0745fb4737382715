"""The log on PostgreSQL keeps the contract that the one in memory does; so does the checkpoint the library's."""

from collections.abc import AsyncIterator

import psycopg
import pytest
from eventsourcing.tests.persistence import TrackingRecorderTestCase
from psycopg_pool import AsyncConnectionPool

from adapters.codec import Codec
from adapters.postgres import generations
from adapters.postgres.checkpoint import Checkpoint
from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.writer import GroupWriter
from tests.contracts.event_log import EventLogContract
from tests.database import APP_ROLE, MASTER_KEY, Database

pytestmark = pytest.mark.anyio


class TestPostgresEventLog(EventLogContract):
    @pytest.fixture
    async def log(self, database: Database) -> AsyncIterator[PostgresEventLog]:
        writer = GroupWriter(database.app)
        async with AsyncConnectionPool(database.app, open=False, kwargs={"autocommit": True}) as pool:
            yield PostgresEventLog(writer, pool, Codec(MASTER_KEY))
        writer.close()


class TestCheckpoint(TrackingRecorderTestCase):
    @pytest.fixture(autouse=True)
    def _in_a_generation(self, database: Database) -> None:
        self.database = database

    def create_recorder(self) -> Checkpoint:
        with psycopg.connect(self.database.owner, autocommit=True) as owner:
            made = generations.create(owner, APP_ROLE)
        connection = psycopg.connect(self.database.app, autocommit=True, options=f"-c search_path={made.schema}")
        self.addCleanup(connection.close)
        return Checkpoint(connection)
