"""Redis hangs, or is killed and comes back empty: nobody is refused, what is slower is bounded, and it ends by itself.

How long it is away does not matter: each request waits for it once, at most a second, or not at all, and what nobody
rings for is heard from PostgreSQL. So some moments stand for a minute.
"""

import os
import signal
from collections.abc import Iterator

import pytest
import redis

from adapters.embedded.valkey import EmbeddedValkey
from tests.system.faults import posts_of, told_of, traffic, waited_for
from tests.system.sites import Pair, Person, Site, running_sites

AWAY = "Redis does not answer"
BACK = "Redis answers again"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with running_sites(tmp_path_factory.mktemp("redis"), "a.test", "b.test", people=4) as sites:
        yield Pair(*sites)


def hang(site: Site) -> int:
    """Redis takes connections and says nothing; gives its pid."""
    pid = site.instance.member("valkey-server")
    os.kill(pid, signal.SIGSTOP)
    return pid


def test_while_redis_hangs_everything_is_answered_and_afterwards_as_before(pair: Pair) -> None:
    site = pair.a
    alice, dave, bob, carol = site.person(), site.person(), pair.b.person(), pair.b.person()
    bob.follows(dave)
    dave_there = bob.finds(dave)
    carol.says("Before anybody followed")
    said_before = len(site.instance.said)
    with traffic(alice, writers=2, readers=2) as busy:
        busy.wait_for("readers", 200, more=5)
        pid = hang(site)
        try:
            site.instance.wait_for(AWAY, since=said_before)
            busy.wait_for("writers", 200, more=20)
            busy.wait_for("readers", 200, more=20)
            # Deliveries go on: they are heard of from PostgreSQL.
            untold = dave.says("While Redis is away")
            waited_for(lambda: untold["uri"] in uris(bob, dave_there), "nothing is delivered without Redis")
            # And so do jobs: one fetches what somebody said before they were followed.
            alice.follows(carol)
            found = alice.finds(carol)
            waited_for(lambda: alice.get(f"/api/v1/accounts/{found}/statuses"), "no job is done without Redis")
            assert the_same_twice(alice, "under way"), "a key is forgotten in one process"
        finally:
            os.kill(pid, signal.SIGCONT)
        site.instance.wait_for(BACK, since=said_before)
        busy.wait_for("writers", 200, more=20)
    assert {status for _, status in busy.told} == {200} and busy.bare == []
    assert set(busy.posts.values()) < set(posts_of(alice, busy.posts.values()))
    said = told_of(site, said_before)
    assert len([line for line in said if AWAY in line]) <= 2
    assert len(said) < 20, "".join(said)


def uris(person: Person, account: str) -> list[str]:
    """What an account has posted, so far as somebody elsewhere has it."""
    return [status["uri"] for status in person.get(f"/api/v1/accounts/{account}/statuses")]


def the_same_twice(person: Person, key: str) -> bool:
    """Whether a post asked for twice under a key is made once."""
    asked = {"json": {"status": key}, "headers": {"Idempotency-Key": key}}
    first, second = (person.client.post("/api/v1/statuses", **asked) for _ in range(2))
    return first.json()["id"] == second.json()["id"]


def test_a_redis_that_was_killed_comes_back_empty_and_nobody_is_refused(pair: Pair) -> None:
    site = pair.a
    alice = site.person()
    with traffic(alice, writers=2, readers=2) as busy:
        busy.wait_for("writers", 200, more=10)
        with redis.Redis.from_url(EmbeddedValkey(site.data).url) as connection:
            connection.flushall()
        os.kill(site.instance.member("valkey-server"), signal.SIGKILL)
        site.instance.wait_for("Valkey is started again")
        busy.wait_for("writers", 200, more=20)
        busy.wait_for("readers", 200, more=5)
    assert {status for _, status in busy.told} == {200}
    assert set(posts_of(alice, busy.posts.values())) == set(busy.posts.values())
    waited_for(lambda: the_same_twice(alice, "afterwards"), "keys are not remembered any more")
    with redis.Redis.from_url(EmbeddedValkey(site.data).url) as connection:
        waited_for(lambda: connection.keys("written:*") or not alice.says("Told"), "Redis is not told any more")
