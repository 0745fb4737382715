"""What those who judge us need: Node and their packages, installed once a checkout."""

import os
from collections.abc import Iterator

import pytest

from adapters.embedded.postgres import EmbeddedPostgres
from adapters.embedded.valkey import EmbeddedValkey
from tests.database import clone
from tests.instance import LiveInstance, running_instance
from tests.peers import node


@pytest.fixture(scope="session")
def packages() -> None:
    """The packages of package-lock.json; skips without Node, or without a registry to have them from.

    With PEERS_MUST_RUN in the environment, as CI has it, that fails instead.
    """
    missing = node.why_not() or node.install()
    if missing is not None:
        assert "PEERS_MUST_RUN" not in os.environ, missing
        pytest.skip(missing)


@pytest.fixture(scope="session")
def oracle(packages: None) -> Iterator[node.Script]:
    """Verifiers and a JSON-LD reader that others wrote: see oracle.mjs for what can be asked."""
    with node.Script("oracle.mjs") as script:
        yield script


@pytest.fixture(scope="module")
def instance(
    packages: None,
    postgres_server: EmbeddedPostgres,
    database_template: str,
    valkey_server: EmbeddedValkey,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[LiveInstance]:
    """A running instance."""
    database = clone(postgres_server.dsn, database_template)
    with running_instance(database, valkey_server.url, tmp_path_factory.mktemp("instance")) as running:
        yield running
    database.drop()
