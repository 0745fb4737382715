"""What tests share: one real PostgreSQL and one real Valkey a session, from the same wheels that `daybook up` uses."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from adapters.embedded.postgres import EmbeddedPostgres
from adapters.embedded.valkey import EmbeddedValkey
from tests.database import Database, clone, make_template

# For tests that neither kill the server nor measure it: a crash here loses nothing that anybody keeps.
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "120"}


# How long an example takes says something of the machine, and nothing of the rule.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, as the server does."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A running PostgreSQL; `.dsn(database)` is the owner's URL, who may make databases and roles."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), settings=FORGETFUL)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    """A running Valkey; `.url` is what redis-py takes."""
    server = EmbeddedValkey(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def database_template(postgres_server: EmbeddedPostgres) -> str:
    """A migrated database that is never written to; `database` copies it in some 20 ms."""
    return make_template(postgres_server.dsn)


@pytest.fixture
def database(postgres_server: EmbeddedPostgres, database_template: str) -> Iterator[Database]:
    """A fresh migrated database of the test's own, with the owner's login and the application role's."""
    made = clone(postgres_server.dsn, database_template)
    yield made
    made.drop()
