"""The network is gone: what others are to be told waits, nobody here notices, and it arrives once they are back."""

import threading
from collections.abc import Iterator

import pytest

from tests.system.faults import owner_of, waited_for
from tests.system.sites import Pair, Person, Site, running_sites

POSTS = 5
HEARD_MAX = 120


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with running_sites(tmp_path_factory.mktemp("network"), "a.test", "b.test", people=2) as sites:
        yield Pair(*sites)


def failures(site: Site) -> int:
    """How often in a row the only other host was not reached."""
    with owner_of(site) as owner:
        row = owner.execute("SELECT max(failures) FROM app.delivery_hosts").fetchone()
    assert row is not None
    return row[0] or 0


def home(person: Person) -> list[str]:
    return [status["uri"] for status in person.get("/api/v1/timelines/home", limit=40)]


def test_what_nobody_could_be_told_arrives_once_they_are_heard_of_again(pair: Pair) -> None:
    alice, bob = pair.a.person(), pair.b.person()
    bob.follows(alice)
    before = alice.says("Before")["uri"]
    waited_for(lambda: home(bob) == [before], "nothing arrives")
    pair.b.instance.end()
    said = [alice.says(f"Post {number}")["uri"] for number in range(POSTS)]
    waited_for(lambda: failures(pair.a) > 0, "nobody tried to tell them")
    # As long as a host is not reached, one of its deliveries is tried, and none of the others is held against it.
    with owner_of(pair.a) as owner:
        waiting = "SELECT count(*), max(attempt) FROM app.deliveries"
        waited_for(lambda: owner.execute(waiting.encode()).fetchone() == (POSTS, 0), "not all of them wait")
    pair.b.instance = pair.b.started().ready()
    # Whoever is heard of is there again: nobody waits for the end of a pause.
    first = bob.finds_post(before)
    for turn in range(HEARD_MAX):
        bob.post(f"/api/v1/statuses/{first}/{('favourite', 'unfavourite')[turn % 2]}")
        if until_heard(pair.a):
            break
    everything = sorted([before, *said])
    waited_for(lambda: sorted(home(bob)) == everything, lambda: f"{home(bob)} instead of {everything}")


def until_heard(site: Site) -> bool:
    """Wait a moment for the other host not to be taken to be away any more; whether it came to that."""
    pause = threading.Event()
    return any(failures(site) == 0 or pause.wait(0.1) for _ in range(5))
