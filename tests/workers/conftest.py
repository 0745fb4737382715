"""An instance without processes: its read models are made, and it has been founded where a test says so."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from adapters.config import Settings
from adapters.embedded.valkey import EmbeddedValkey
from adapters.first_account import prepare_database, prepare_instance
from tests.database import MASTER_KEY, Database
from tests.workers.operator import Operator


@pytest.fixture
def settings(database: Database, tmp_path: Path) -> Settings:
    """An instance's settings, its read models made but nothing projected."""
    made = Settings(
        data=tmp_path, database_url=database.owner, database_app_url=database.app, master_key=MASTER_KEY.hex()
    )
    prepare_database(made)
    return made


@pytest.fixture
def operator(settings: Settings, valkey_server: EmbeddedValkey) -> Operator:
    """Somebody at the command line of a founded instance, whose only account is `admin`."""
    settings = msgspec.structs.replace(settings, domain="localhost:3999", redis_url=valkey_server.url)
    asyncio.run(prepare_instance(settings))
    return Operator(settings)
