"""Kill it while it sends: Redis is emptied and each process killed once, outright, while 1,000 posts go to a follower.

Every post, edit and deletion arrives once, and the receiver's state is what it would be had nothing happened.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import count

import httpx
import psycopg
import pytest
import redis

from adapters.embedded.postgres import attached_dsn
from adapters.embedded.valkey import EmbeddedValkey
from adapters.postgres import generations
from tests.system.sites import Person, Site, environ_of, running_sites

POSTS = 1_000
WRITERS = 6
POSTING_TIMEOUT_S = 240
ARRIVAL_TIMEOUT_S = 120
LOOK_EVERY_S = 0.1
# What happens after how many posts have arrived: each process once, the supervisor with all its children last.
DISTURBANCES = {
    50: "FLUSHALL",
    150: "workers.cli behind",
    300: "workers.cli serve",
    450: "valkey",
    600: "postgres",
    750: "supervisor",
}

Posts = dict[str, tuple[str, str]]
"""By URI what a post that is not deleted says: warning and content."""


class Writers:
    """Some who post for one person, each request repeated until it is answered; some posts are edited or deleted."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.numbers = count(1)
        self.answered = 0
        self.unanswered = 0
        self.changed = threading.Condition()
        self.given_up = threading.Event()
        self.threads = [threading.Thread(target=self._run, name=f"writer {n}") for n in range(WRITERS)]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def join(self) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.answered >= POSTS, POSTING_TIMEOUT_S), self.answered
        for thread in self.threads:
            thread.join(POSTING_TIMEOUT_S)

    def _run(self) -> None:
        while (number := next(self.numbers)) <= POSTS and not self.given_up.is_set():
            post = self._done("POST", "/api/v1/statuses", {"status": f"Post {number}"})
            if post is not None and number % 10 == 0:
                self._done("PUT", f"/api/v1/statuses/{post['id']}", {"status": f"Post {number}, edited"})
            elif post is not None and number % 10 == 5:
                self._done("DELETE", f"/api/v1/statuses/{post['id']}", None, httpx.codes.NOT_FOUND)
            with self.changed:
                self.answered += 1
                self.changed.notify_all()

    def _done(self, method: str, path: str, body: object, *done: int) -> dict[str, str] | None:
        """The answer's JSON; None when it was done by an attempt that was not answered."""
        while not self.given_up.is_set():
            try:
                answer = self.person.client.request(method, path, json=body)
                if answer.status_code == httpx.codes.OK:
                    return answer.json()
                if answer.status_code in done:
                    return None
            except httpx.TransportError:
                pass
            with self.changed:
                self.unanswered += 1
            self.given_up.wait(0.1)  # a client too would let some time pass before it tries again
        return None


def owner_of(site: Site) -> psycopg.Connection:
    dsn = attached_dsn(site.data)
    assert dsn is not None
    return psycopg.connect(dsn, autocommit=True)


def disturb(site: Site, what: str) -> None:
    """Empty Redis, or kill one process outright; afterwards everything runs again."""
    if what == "FLUSHALL":
        with redis.Redis.from_url(EmbeddedValkey(site.data).url) as connection:
            connection.flushall()
    elif what == "supervisor":
        site.instance.end(signal.SIGKILL)
        site.instance = site.started().ready()
    else:
        os.kill(site.instance.member(what), signal.SIGKILL)


def posts_by(site: Site, uri: str) -> Posts:
    """What an account has posted and not deleted, as that site shows it."""
    with owner_of(site) as owner:
        live = generations.live(owner)
        assert live is not None
        owner.execute(f"SET search_path TO {live.schema}".encode())
        rows = owner.execute(
            "SELECT s.uri, r.spoiler_text, r.json FROM statuses s"
            " JOIN accounts a ON a.id = s.account"
            " JOIN status_revisions r ON (r.status, r.position, r.n) = (s.id, s.revision, s.revision_n)"
            " WHERE a.uri = %s AND s.deleted IS NULL",
            [uri],
        ).fetchall()
    return {name: (spoiler, json.loads(f"{{{says}}}")["content"]) for name, spoiler, says in rows}


def has_projected(site: Site) -> bool:
    """Whether its tables have come to the end of its log."""
    with owner_of(site) as owner:
        live, head = generations.live(owner), owner.execute("SELECT position FROM log.head").fetchone()
        assert live is not None and head is not None
        return generations.position_of(owner, live) >= head[0]


def waited_for(holds: Callable[[], bool], timeout_s: float) -> bool:
    """Look until something holds; gives whether it came to that."""
    pause = threading.Event()
    return any(holds() or pause.wait(LOOK_EVERY_S) for _ in range(int(timeout_s / LOOK_EVERY_S)))


@pytest.fixture
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Site]]:
    with running_sites(tmp_path_factory.mktemp("kills"), "a.test", "b.test", people=1) as sites:
        yield sites


@pytest.mark.timeout(600)
def test_every_post_arrives_once_whatever_is_killed_meanwhile(sites: list[Site]) -> None:
    sender, receiver = sites
    alice, bob = sender.person(), receiver.person()
    bob.follows(alice)
    writers = Writers(alice)
    try:
        writers.start()
        for arrived, what in DISTURBANCES.items():
            enough = waited_for(lambda least=arrived: len(posts_by(receiver, alice.uri)) >= least, POSTING_TIMEOUT_S)
            assert enough, f"fewer than {arrived} posts arrived; {writers.answered} were written"
            disturb(sender, what)
        writers.join()
    finally:
        writers.given_up.set()
    assert writers.unanswered > 0, "no kill was ever felt"
    assert waited_for(lambda: has_projected(sender), ARRIVAL_TIMEOUT_S), "the sender's projector stands still"
    written = posts_by(sender, alice.uri)
    assert len(written) >= POSTS * 9 // 10
    same = waited_for(lambda: posts_by(receiver, alice.uri) == written, ARRIVAL_TIMEOUT_S)
    arrived = posts_by(receiver, alice.uri)
    assert same, f"{len(written)} posts were written, {len(arrived)} arrived; {differing(written, arrived)}"
    with owner_of(receiver) as owner:
        live = generations.live(owner)
        assert live is not None
        assert owner.execute(f"SELECT count(*) FROM {live.schema}.parked".encode()).fetchone() == (0,)
    replayed = subprocess.run(
        [sys.executable, "-P", "-m", "workers.cli", "replay", "--dry-run"],
        env=environ_of(receiver),
        capture_output=True,
        text=True,
        check=False,
    )
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr


def differing(written: Posts, arrived: Posts) -> str:
    """The first few posts that are not the same."""
    all_of_them = sorted(written.keys() | arrived.keys())
    unlike = [uri for uri in all_of_them if written.get(uri, "absent") != arrived.get(uri, "absent")]
    return "; ".join(f"{uri}: {written.get(uri, 'absent')} is {arrived.get(uri, 'absent')}" for uri in unlike[:5])
