"""The clock is set back or forward under a running instance: order, ids, tokens and what others send stay right."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.embedded.valkey import EmbeddedValkey
from adapters.wiring import Server
from tests.database import Database
from tests.federation.peer import Peer, running_peer
from tests.instance import LiveInstance, running_instance

HOUR = timedelta(hours=1)


class Clock:
    """The time, and how far it is off."""

    def __init__(self) -> None:
        self.off = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.off


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def peer() -> Iterator[Peer]:
    with running_peer() as made:
        yield made


@pytest.fixture
def instance(
    database: Database, valkey_server: EmbeddedValkey, tmp_path: Path, clock: Clock, peer: Peer
) -> Iterator[LiveInstance]:
    with running_instance(database, valkey_server.url, tmp_path, now=clock) as running:
        running.befriend(peer)
        yield running


def posted(instance: LiveInstance, text: str, key: str = "") -> str:
    headers = {"Idempotency-Key": key} if key else {}
    answer = instance.client.post("/api/v1/statuses", json={"status": text}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def test_whatever_the_clock_does_posts_keep_their_order_and_others_are_heard(
    instance: LiveInstance, clock: Clock, peer: Peer
) -> None:
    instance.settled()
    made = [posted(instance, "Before", "once")]
    for off in (-HOUR * 0.98, HOUR * 0.9, timedelta(0)):
        clock.off = off
        made.append(posted(instance, f"The clock is off by {off}"))
        assert posted(instance, "Before", "once") == made[0], "a key holds by its own time"
        assert peer.post(instance.inbox, peer.note(f"Seen from afar: {off}")).status == 202
    assert made == sorted(made, key=int) and len(set(made)) == len(made)
    home = instance.home()
    assert [text for text in home if "The clock" in text or "Before" in text] == [
        f"<p>The clock is off by {off}</p>" for off in (timedelta(0), HOUR * 0.9, -HOUR * 0.98)
    ] + ["<p>Before</p>"]
    assert len([text for text in home if "afar" in text]) == 3


def test_ids_go_on_behind_the_latest_after_a_restart_with_the_clock_set_back(
    instance: LiveInstance, clock: Clock
) -> None:
    last = int(posted(instance, "Before"))
    instance.settled()
    clock.off = -HOUR
    assert Server(instance.settings, clock).ids.next() > last


def test_more_than_an_hour_off_what_others_sign_is_refused_until_the_clock_is_right(
    instance: LiveInstance, clock: Clock, peer: Peer
) -> None:
    clock.off = -2 * HOUR
    assert peer.post(instance.inbox, peer.note("Too early")).status == 401
    clock.off = timedelta(0)
    assert peer.post(instance.inbox, peer.note("Again")).status == 202
