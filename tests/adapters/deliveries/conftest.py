"""An instance that has something to send: its database, the outbox, two senders with keys, and everybody's inboxes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from adapters.activitypub.signatures_keys import PublicKey, load_public_key
from adapters.codec import Codec
from adapters.config import Settings
from adapters.deliveries.deliverer import Pace
from adapters.deliveries.posting import PostLimits
from adapters.keypairs import KeyPair, new_key_pair
from adapters.postgres import secrets
from adapters.postgres.outbox import CHANNEL, enqueue
from adapters.wiring_deliveries import run_deliverer
from tests.adapters.deliveries.inboxes import Inboxes, running_inboxes
from tests.database import MASTER_KEY, Database

ALICE, AMY = 1, 2
STOP_TIMEOUT_S = 20.0
HOSTS = tuple(f"h{number}.test" for number in range(50))

_numbers = count(1)


@pytest.fixture(scope="session")
def key_pair() -> KeyPair:
    return new_key_pair()


@pytest.fixture
def inboxes() -> Iterator[Inboxes]:
    with running_inboxes() as running:
        yield running


@dataclass
class Instance:
    """`connection` is in autocommit mode, as the application's role."""

    settings: Settings
    connection: psycopg.Connection[Any]
    public: dict[str, PublicKey]

    def put(
        self,
        *urls: str,
        sender: int | None = ALICE,
        body: bytes = b"{}",
        about: str | None = None,
        at_once: bool = False,
    ) -> str:
        """Enqueue one more activity; gives its URI."""
        uri = f"http://here.test/activities/{next(_numbers)}"
        with self.connection.transaction():
            enqueue(
                self.connection,
                activity_uri=uri,
                sender=sender,
                body=body,
                inboxes=urls,
                object_uri=about,
                at_once=at_once,
            )
        return uri

    def left(self) -> int:
        return self.one("SELECT count(*) FROM app.deliveries")

    def one(self, sql: str) -> Any:
        row = self.connection.execute(sql.encode()).fetchone()
        assert row is not None
        return row[0] if len(row) == 1 else row

    def hurry(self) -> None:
        """Let what waits be due."""
        with self.connection.transaction():
            self.connection.execute("UPDATE app.deliveries SET due_at = now() WHERE attempt > 0")
            self.connection.execute("UPDATE app.delivery_hosts SET not_before = '-infinity', next_at = now()")
        self.connection.execute(f"NOTIFY {CHANNEL}".encode())

    @contextmanager
    def delivering(self, limits: PostLimits | None = None, pace: Pace | None = None) -> Iterator[None]:
        """A deliverer at work."""
        stopping = threading.Event()
        errors: list[BaseException] = []

        def run() -> None:
            try:
                run_deliverer(self.settings, stopping, limits=limits, pace=pace)
            except BaseException as error:  # noqa: BLE001 - raised where the test can see it
                errors.append(error)

        thread = threading.Thread(target=run, name="deliverer")
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join(STOP_TIMEOUT_S)
            if errors:
                raise errors[0]
            assert not thread.is_alive()


@pytest.fixture
def instance(database: Database, inboxes: Inboxes, key_pair: KeyPair, tmp_path: Path) -> Iterator[Instance]:
    codec = Codec(MASTER_KEY)
    public: dict[str, PublicKey] = {}
    with psycopg.connect(database.owner) as owner:
        secrets.ensure_secrets(owner, codec)
        own = secrets.private_key(secrets.read_secret(owner, codec, secrets.INSTANCE_KEY))
        pems = {f"http://here.test/ap/users/{account}": key_pair.public_pem for account in (ALICE, AMY)}
        for account, (actor, pem) in zip((ALICE, AMY), pems.items(), strict=True):
            owner.execute(
                "INSERT INTO app.account_keys (account, key_id, public_pem, wrapped) VALUES (%s, %s, %s, %s)",
                [account, f"{actor}#main-key", pem, codec.wrap_secret(key_pair.private_pem)],
            )
        for actor, pem in {**pems, "http://here.test/actor": secrets.public_pem(own)}.items():
            public[f"{actor}#main-key"] = load_public_key(f"{actor}#main-key", actor, pem)
    settings = Settings(
        domain="here.test",
        name_map=inboxes.names("here.test", *HOSTS),
        data=tmp_path,
        database_app_url=database.app,
        master_key=MASTER_KEY.hex(),
    )
    with psycopg.connect(database.app, autocommit=True) as connection:
        yield Instance(settings, connection, public)
