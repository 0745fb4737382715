"""One instance and one peer for all tests of the federation's routes: they only ever add to what is there."""

from collections.abc import Iterator
from typing import Any

import pytest

from adapters.embedded.postgres import EmbeddedPostgres
from adapters.embedded.valkey import EmbeddedValkey
from tests.database import clone
from tests.federation.peer import Peer, running_peer
from tests.instance import LiveInstance, running_instance


@pytest.fixture(scope="session")
def instance(
    postgres_server: EmbeddedPostgres,
    database_template: str,
    valkey_server: EmbeddedValkey,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[LiveInstance]:
    """A running instance whose admin follows `peer`, once that fixture was asked for."""
    database = clone(postgres_server.dsn, database_template)
    with running_instance(database, valkey_server.url, tmp_path_factory.mktemp("instance")) as running:
        yield running
    database.drop()


@pytest.fixture(scope="session")
def account(instance: LiveInstance) -> Any:
    """The account of the instance's first."""
    return instance.client.get("/api/v1/accounts/verify_credentials").json()


@pytest.fixture(scope="session")
def peer(instance: LiveInstance) -> Iterator[Peer]:
    """Somebody elsewhere whom admin follows."""
    with running_peer() as peer:
        instance.befriend(peer)
        yield peer


@pytest.fixture
def stranger() -> Iterator[Peer]:
    """Somebody elsewhere who was never heard of."""
    with running_peer("sue") as stranger:
        yield stranger
