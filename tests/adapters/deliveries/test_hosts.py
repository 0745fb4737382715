"""Hosts: dead, slow and many of them; and deliverers that are killed, frozen or lose their database."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import psycopg
import pytest

from adapters.deliveries.deliverer import FAILING_HOSTS_MAX, HOSTS_MAX, Pace
from adapters.deliveries.posting import PostLimits
from adapters.postgres.outbox import alive_again
from tests.adapters.deliveries.conftest import ALICE, AMY, HOSTS, Instance
from tests.adapters.deliveries.inboxes import Inboxes, Reply
from tests.database import MASTER_KEY, Database
from workers.deliverer import deliver

ROOT = Path(__file__).parents[3]
DEAD, SLOW = "http://dead.test/inbox", "http://slow.test/inbox"
ATTEMPTS_ON_A_BUSY_MACHINE = 3
ALONE = """
import os, threading
from adapters.config import load_settings
from workers.deliverer import deliver
deliver(load_settings(os.environ), threading.Event())
"""


def also(instance: Instance, **targets: tuple[str, int]) -> Instance:
    """The instance with more names that lead somewhere."""
    names = {name.replace("_", "."): target for name, target in targets.items()}
    settings = msgspec.structs.replace(instance.settings, name_map={**instance.settings.name_map, **names})
    return Instance(settings, instance.connection, instance.public)


@contextmanager
def refusing() -> Iterator[tuple[str, int]]:
    """An address where nobody listens, for as long as the block lasts."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()


@contextmanager
def swallowing() -> Iterator[tuple[str, int]]:
    """An address where connecting takes for ever: its queue is full."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.connect(full.getsockname())
        yield full.getsockname()
        for one in waiting:
            one.close()


def environ_of(instance: Instance) -> dict[str, str]:
    settings = instance.settings
    names = ",".join(f"{name}={address}:{port}" for name, (address, port) in settings.name_map.items())
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")},
        "DAYBOOK_DATABASE_APP_URL": settings.database_app_url or "",
        "DAYBOOK_DOMAIN": settings.domain,
        "DAYBOOK_DATA": str(settings.data),
        "DAYBOOK_MASTER_KEY": MASTER_KEY.hex(),
        "DAYBOOK_NAME_MAP": names,
        "PYTHONPATH": str(ROOT),
    }


@contextmanager
def process(instance: Instance) -> Iterator["subprocess.Popen[bytes]"]:
    """A deliverer in a process of its own; killed at the end at the latest."""
    started = subprocess.Popen([sys.executable, "-c", ALONE], env=environ_of(instance), cwd=ROOT)
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def test_a_dead_host_costs_one_attempt_and_not_its_backlog(instance: Instance, inboxes: Inboxes) -> None:
    with refusing() as nobody:
        instance = also(instance, dead_test=nobody)
        for sender in (ALICE, AMY) * 10:
            instance.put(DEAD, sender=sender)
        with instance.delivering():
            inboxes.wait_until(lambda: instance.one("SELECT max(failures) FROM app.delivery_hosts") == 1)
    assert instance.one("SELECT count(*), sum(attempt) FROM app.deliveries") == (20, 0)
    state, words, wait = instance.one(
        "SELECT state, last_error, extract(epoch FROM not_before - now()) FROM app.delivery_hosts"
    )
    assert state == "alive" and words.startswith("cannot be reached") and 10 < wait < 21


def test_a_host_that_fails_on_seven_days_is_dead_until_it_shows_life(instance: Instance, inboxes: Inboxes) -> None:
    with refusing() as nobody:
        broken = also(instance, h0_test=nobody)
        broken.put("http://h0.test/inbox")
        instance.connection.execute("""
            INSERT INTO app.delivery_hosts (host, failures, failing_days, failed_on)
            VALUES ('h0.test', 9, 6, (now() AT TIME ZONE 'UTC')::date - 1)
        """)
        with broken.delivering():
            inboxes.wait_until(lambda: instance.one("SELECT state FROM app.delivery_hosts") == "dead")
    with instance.delivering():
        instance.put("http://h0.test/inbox")
        instance.put("http://h1.test/inbox")
        inboxes.wait_for(1)
        assert instance.one("SELECT next_at - now() > '6 days' FROM app.delivery_hosts WHERE host = 'h0.test'")
        assert alive_again(instance.connection, "http://h0.test/users/bob#main-key")
        inboxes.wait_for(3)
        inboxes.wait_until(lambda: instance.left() == 0)


def test_what_somebody_wants_at_once_has_a_dead_host_tried_which_stays_dead_unless_it_answers(
    instance: Instance, inboxes: Inboxes
) -> None:
    url = "http://h0.test/inbox"
    instance.connection.execute("""
        INSERT INTO app.delivery_hosts (host, state, failures, failing_days, failed_on, not_before, next_at)
        SELECT 'h0.test', 'dead', 9, 7, (now() AT TIME ZONE 'UTC')::date - 1, later, later
        FROM (SELECT now() + interval '5 days' AS later) t
    """)
    instance.put(url)
    instance.put(url)
    with refusing() as nobody, also(instance, h0_test=nobody).delivering():
        instance.put(url, sender=AMY, at_once=True)
        inboxes.wait_until(lambda: instance.one("SELECT failures FROM app.delivery_hosts") == 10)
    still = "SELECT state, next_at - now() > interval '6 days' FROM app.delivery_hosts"
    assert instance.one(still) == ("dead", True)
    assert instance.one("SELECT sum(attempt) FROM app.deliveries") <= 1
    with instance.delivering():
        instance.put(url, sender=AMY, at_once=True)
        inboxes.wait_for(4)
        inboxes.wait_until(lambda: instance.one("SELECT state FROM app.delivery_hosts") == "alive")


def test_a_day_of_failures_counts_once_and_a_success_forgets_them(instance: Instance, inboxes: Inboxes) -> None:
    inboxes.answer = lambda _: Reply(502)
    days = "SELECT failures, failing_days FROM app.delivery_hosts"
    for number in range(3):
        instance.put("http://h0.test/inbox", body=b"%d" % number)
    with instance.delivering():
        for failures in (1, 2):
            inboxes.wait_until(lambda wanted=(failures, 1): instance.connection.execute(days).fetchone() == wanted)
            instance.hurry()
        inboxes.wait_until(lambda: instance.one(days) == (3, 1))
        inboxes.answer = lambda _: Reply()
        instance.hurry()
        inboxes.wait_until(lambda: instance.left() == 0)
    assert instance.one(days) == (0, 0)


def test_one_dead_and_one_slow_host_among_fifty_delay_the_others_by_two_seconds_at_most(
    instance: Instance, inboxes: Inboxes
) -> None:
    inboxes.answer = lambda arrived: Reply(after_s=10 if arrived.host == "slow.test" else 0)
    others = [f"http://{host}/inbox" for host in HOSTS[:48]]

    def until_the_others_have_them(*besides: str) -> float:
        began, before = time.monotonic(), len(inboxes.got)
        for _ in range(4):
            instance.put(*besides, *others)
        inboxes.wait_until(lambda: sum(one.host != "slow.test" for one in inboxes.got[before:]) == 4 * len(others))
        return time.monotonic() - began

    with swallowing() as nobody:
        instance = also(instance, dead_test=nobody, slow_test=("127.0.0.1", inboxes.port))
        with instance.delivering():
            undisturbed_s = until_the_others_have_them()
            # A machine with other things to do may be slow at any moment, but hardly at each of these.
            for _ in range(ATTEMPTS_ON_A_BUSY_MACHINE):
                disturbed_s = until_the_others_have_them(DEAD, SLOW)
                if disturbed_s <= undisturbed_s + 2:
                    break
                instance.connection.execute("UPDATE app.delivery_hosts SET failures = 0")
                instance.hurry()
    assert disturbed_s <= undisturbed_s + 2


def test_a_host_with_much_to_get_does_not_keep_the_others_waiting(instance: Instance, inboxes: Inboxes) -> None:
    for _ in range(150):
        instance.put("http://h0.test/inbox")
    for host in HOSTS[1:]:
        instance.put(f"http://{host}/inbox")
    with instance.delivering():
        inboxes.wait_until(lambda: instance.left() == 0)
    last = max(number for number, one in enumerate(inboxes.got) if one.host != "h0.test")
    assert last < 100


def test_hosts_that_fail_never_take_all_places(instance: Instance, inboxes: Inboxes) -> None:
    failing = [f"f{number}.test" for number in range(HOSTS_MAX + FAILING_HOSTS_MAX)]
    inboxes.answer = lambda arrived: Reply(after_s=60 if arrived.host.startswith("f") else 0)
    instance = also(instance, **dict.fromkeys(failing, ("127.0.0.1", inboxes.port)))
    for host in failing:
        instance.put(f"http://{host}/inbox")
    instance.connection.execute(
        "INSERT INTO app.delivery_hosts (host, failures) SELECT DISTINCT host, 1 FROM app.deliveries"
    )
    with instance.delivering():
        inboxes.wait_for(FAILING_HOSTS_MAX)
        instance.put("http://h0.test/inbox")
        inboxes.wait_until(lambda: inboxes.got[-1].host == "h0.test", timeout_s=10)


def test_a_deliverer_that_is_killed_loses_nothing(instance: Instance, inboxes: Inboxes) -> None:
    wanted = {(f"http://{host}/inbox", b"%d" % number) for host in HOSTS[:20] for number in range(50)}
    for number in range(50):
        instance.put(*(f"http://{host}/inbox" for host in HOSTS[:20]), body=b"%d" % number)
    with process(instance) as first:
        inboxes.wait_until(lambda: len(inboxes.got) > 100 and instance.left() < 1000)
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert 0 < instance.left() < 1000
    with instance.delivering():
        inboxes.wait_until(lambda: instance.left() == 0, timeout_s=60)
    assert set(inboxes.counted()) == wanted


def test_the_hosts_of_a_deliverer_that_hangs_are_taken_over_when_its_lease_ends(
    instance: Instance, inboxes: Inboxes
) -> None:
    inboxes.answer = lambda _: Reply(after_s=0.05)
    for number in range(30):
        instance.put("http://h0.test/inbox", body=b"%d" % number)
    with process(instance) as first:
        inboxes.wait_for(3)
        first.send_signal(signal.SIGSTOP)
        assert instance.one("SELECT leased_until > now() FROM app.delivery_hosts")
        instance.connection.execute("UPDATE app.delivery_hosts SET leased_until = now() + interval '1 second'")
        with instance.delivering(pace=Pace(poll_s=0.2)):
            inboxes.wait_until(lambda: instance.left() == 0, timeout_s=60)
            first.send_signal(signal.SIGCONT)
    assert len(inboxes.counted()) == 30


def test_two_deliverers_share_the_hosts_and_send_nothing_twice(instance: Instance, inboxes: Inboxes) -> None:
    for number in range(20):
        instance.put(*(f"http://{host}/inbox" for host in HOSTS[:10]), body=b"%d" % number)
    with instance.delivering(), instance.delivering():
        inboxes.wait_until(lambda: instance.left() == 0)
    assert len(inboxes.counted()) == 200 and set(inboxes.counted().values()) == {1}


def test_a_deliverer_that_is_stopped_lets_what_is_on_its_way_arrive(instance: Instance, inboxes: Inboxes) -> None:
    inboxes.answer = lambda _: Reply(after_s=1)
    instance.put("http://h0.test/inbox")
    instance.put("http://h0.test/inbox")
    with instance.delivering():
        inboxes.wait_for(1)
    assert instance.left() == 1 and len(inboxes.got) == 1
    assert instance.one("SELECT leased_by, failures FROM app.delivery_hosts") == (None, 0)


def test_what_takes_too_long_when_it_is_stopped_is_sent_again(instance: Instance, inboxes: Inboxes) -> None:
    inboxes.answer = lambda _: Reply(after_s=60)
    instance.put("http://h0.test/inbox")
    with instance.delivering(PostLimits(total_s=50)):
        inboxes.wait_for(1)
    assert instance.left() == 1 and instance.one("SELECT leased_by FROM app.delivery_hosts") is None


def test_a_database_that_goes_away_is_waited_for(
    instance: Instance, inboxes: Inboxes, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    stopping = threading.Event()
    thread = threading.Thread(target=deliver, args=[instance.settings, stopping])
    thread.start()
    try:
        instance.put("http://h0.test/inbox")
        inboxes.wait_for(1)
        with psycopg.connect(database.owner, autocommit=True) as owner:
            owner.execute("""
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'daybook deliver'
            """)
        instance.put("http://h1.test/inbox")
        inboxes.wait_until(lambda: any(one.host == "h1.test" for one in inboxes.got))
        inboxes.wait_until(lambda: instance.left() == 0)
    finally:
        stopping.set()
        thread.join()
    assert "the database does not go along" in caplog.text
