"""Kill it, and nothing is lost, nothing doubled: each process once, outright, while 2,000 activities come in."""

import contextlib
import http.client
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from adapters.codec import Codec
from adapters.config import load_settings
from adapters.embedded.postgres import attached_dsn
from adapters.master_key import load_master_key
from adapters.postgres import generations
from domain.activity import ActivityReceived
from tests.federation.peer import Peer, running_peer
from tests.system.instance import Instance, free_port

CREATES = 2_000
SENDERS = 8
ATTEMPT_TIMEOUT_S = 20
SEND_TIMEOUT_S = 240
DRAIN_TIMEOUT_S = 60
ACCEPTED = 202
# What is killed after how many were answered: everything once, the supervisor with all its children last.
KILLS = {
    250: "workers.cli behind",
    600: "workers.cli serve",
    950: "valkey",
    1_300: "postgres",
    1_650: "supervisor",
}


class Senders:
    """Eight who each repeat an activity, signed anew, until it is answered 202."""

    def __init__(self, peer: Peer, inbox: str, activities: list[dict[str, object]]) -> None:
        self.peer, self.inbox = peer, urlsplit(inbox)
        self.todo: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        for activity in activities:
            self.todo.put(json.dumps(activity).encode())
        self.unanswered = 0
        self.answered = 0
        self.changed = threading.Condition()
        self.given_up = threading.Event()
        self.threads = [threading.Thread(target=self._run, name=f"sender {n}") for n in range(SENDERS)]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def wait_for(self, answered: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.answered >= answered, SEND_TIMEOUT_S), self.answered

    def join(self) -> None:
        self.wait_for(CREATES)
        for thread in self.threads:
            thread.join(SEND_TIMEOUT_S)

    def _run(self) -> None:
        connection: http.client.HTTPConnection | None = None
        with contextlib.suppress(queue.Empty):
            while True:
                body = self.todo.get_nowait()
                while not self.given_up.is_set():
                    connection = connection or self._connect()
                    if self._posted(connection, body):
                        break
                    connection.close()
                    connection = None
                    self.given_up.wait(0.05)  # a peer too would let some time pass before it tries again
        if connection is not None:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.inbox.hostname or "", self.inbox.port, timeout=ATTEMPT_TIMEOUT_S)

    def _posted(self, connection: http.client.HTTPConnection, body: bytes) -> bool:
        headers = self.peer.signed(self.inbox.geturl(), body, at=datetime.now(UTC))
        try:
            connection.request("POST", self.inbox.path, body, headers)
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            with self.changed:
                self.unanswered += 1
            return False
        with self.changed:
            self.answered += response.status == ACCEPTED
            self.changed.notify_all()
        return response.status == ACCEPTED


@pytest.fixture
def peer() -> Iterator[Peer]:
    with running_peer() as made:
        yield made


def owner_of(data: Path) -> psycopg.Connection:
    dsn = attached_dsn(data)
    assert dsn is not None
    return psycopg.connect(dsn, autocommit=True)


def kill(instance: Instance, which: str, data: Path) -> Instance:
    """Kill one process outright; gives the instance that runs afterwards."""
    if which != "supervisor":
        os.kill(instance.member(which), signal.SIGKILL)
        return instance
    instance.end(signal.SIGKILL)
    return Instance(data, instance.port).ready()


def received_ids(data: Path) -> list[str]:
    """The ids of all Creates that stand in the log, in its order."""
    codec = Codec(load_master_key(load_settings({"DAYBOOK_DATA": str(data)})))
    found: list[str] = []
    with owner_of(data) as owner:
        rows = owner.execute(
            "SELECT originator_id, topic, state, wrapped_key FROM log.events"
            " JOIN keys.event_keys ON position = notification_id ORDER BY notification_id"
        ).fetchall()
    for row in rows:
        event = codec.open(*row)
        if isinstance(event, ActivityReceived):
            found.append(json.loads(event.raw)["id"])
    return found


def drained(data: Path) -> int:
    """Wait until the live generation has come to the head; gives the head's position."""
    with owner_of(data) as owner:
        owner.execute("LISTEN daybook_projected")
        head = owner.execute("SELECT position FROM log.head").fetchone()
        assert head is not None
        live = generations.live(owner)
        assert live is not None
        for _ in range(DRAIN_TIMEOUT_S * 5):
            if generations.position_of(owner, live) >= head[0]:
                return head[0]
            list(owner.notifies(timeout=0.2, stop_after=1))
    raise AssertionError("the projector never came to the head")


@pytest.mark.timeout(600)
def test_killing_each_process_once_loses_nothing_and_doubles_nothing(peer: Peer, tmp_path: Path) -> None:
    data = tmp_path / "data"
    instance = Instance(data, free_port()).ready()
    activities = [peer.note(f"post {number}") for number in range(CREATES)]
    senders = Senders(peer, f"http://localhost:{instance.port}/inbox", activities)
    try:
        senders.start()
        for answered, which in KILLS.items():
            senders.wait_for(answered)
            instance = kill(instance, which, data)
        senders.join()
        assert senders.unanswered > 0, "no kill was ever felt"
        found = received_ids(data)
        assert len(found) == CREATES and set(found) == {activity["id"] for activity in activities}
        head = drained(data)
        with owner_of(data) as owner:
            gaps = owner.execute("SELECT count(*), max(notification_id) FROM log.events").fetchone()
            live = generations.live(owner)
            assert live is not None
            poison = owner.execute(f"SELECT count(*) FROM {live.schema}.parked".encode()).fetchone()
            shown = owner.execute(f"SELECT count(*) FROM {live.schema}.statuses".encode()).fetchone()
        assert gaps == (head, head)
        assert poison == (0,), "a kill parked something"
        assert shown == (CREATES,)
        replayed = subprocess.run(
            [sys.executable, "-P", "-m", "workers.cli", "replay", "--dry-run"],
            env={**os.environ, "DAYBOOK_DATA": str(data), "DAYBOOK_PORT": str(instance.port)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    finally:
        senders.given_up.set()
        instance.end()
