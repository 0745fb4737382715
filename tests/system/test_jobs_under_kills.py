"""Jobs are done, and none is lost, when what does them is killed and Redis is emptied and killed meanwhile."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from adapters.codec import Codec
from adapters.config import load_settings
from adapters.embedded.postgres import attached_dsn
from adapters.embedded.valkey import EmbeddedValkey
from adapters.fetching import fetch_job
from adapters.master_key import load_master_key
from adapters.postgres.jobs import ask_all
from domain.activity import DocumentFetched
from tests.federation.peer import Peer, running_peer
from tests.system.instance import Instance, free_port

NOTES = 300
KILLED_AT = (60, 180)
TIMEOUT_S = 180
_EVENTS = """
    SELECT originator_id, topic, state, wrapped_key
    FROM log.events JOIN keys.event_keys ON position = notification_id ORDER BY notification_id
"""


@pytest.fixture
def peer() -> Iterator[Peer]:
    with running_peer() as made:
        yield made


def owner_of(data: Path) -> psycopg.Connection:
    dsn = attached_dsn(data)
    assert dsn is not None
    return psycopg.connect(dsn, autocommit=True)


_DOCUMENTS = "SELECT count(DISTINCT originator_id) FROM log.events WHERE topic = 'document.fetched'"


def wait_for_documents(owner: psycopg.Connection, number: int) -> None:
    """Return when so many documents stand in the log; one kept just before a kill may stand there twice."""
    owner.execute("LISTEN daybook_log")
    for _ in range(TIMEOUT_S):
        row = owner.execute(_DOCUMENTS).fetchone()
        if row is not None and row[0] >= number:
            return
        list(owner.notifies(timeout=1, stop_after=1))
    raise AssertionError(owner.execute("SELECT * FROM app.jobs").fetchall())


@pytest.mark.timeout(400)
def test_no_job_is_lost(peer: Peer, tmp_path: Path) -> None:
    data = tmp_path / "data"
    instance = Instance(data, free_port()).ready()
    notes = [peer.publish(f"Number {number}") for number in range(NOTES)]
    try:
        with owner_of(data) as owner:
            with owner.transaction(), owner.cursor() as cursor:
                ask_all(cursor, [fetch_job(note, "boosted") for note in notes])
            for number in KILLED_AT:
                wait_for_documents(owner, number)
                os.kill(instance.member("workers.cli behind"), signal.SIGKILL)
                with redis.Redis.from_url(EmbeddedValkey(data).url) as client:
                    client.flushall()
                os.kill(instance.member("valkey"), signal.SIGKILL)
            wait_for_documents(owner, 1 + NOTES)
            codec = Codec(load_master_key(load_settings({"DAYBOOK_DATA": str(data)})))
            events = [codec.open(*row) for row in owner.execute(_EVENTS).fetchall()]
        found = Counter(event.uri for event in events if isinstance(event, DocumentFetched))
        assert set(found) == {peer.actor, *notes}
        # A kill between an append and the note of its digest stores one twice, which means nothing new.
        assert sum(found.values()) - len(found) <= 2 * 16
        assert len([path for path in peer.fetched if path == urlsplit(peer.actor).path]) <= 3
    finally:
        instance.end()
