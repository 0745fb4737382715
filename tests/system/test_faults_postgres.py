"""PostgreSQL restarts, goes quietly, or has no connection left: nothing is lost or doubled, and all comes back."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from adapters.embedded.postgres import attached_dsn
from tests.system.faults import live_rows, owner_of, posts_of, told_of, traffic, waited_for
from tests.system.sites import Site, running_sites

AWAY = "PostgreSQL does not answer"
BACK = "PostgreSQL answers again"
CONNECTIONS_MAX = 200
ASKED = (
    *("/api/v1/timelines/public", "/api/v1/notifications", "/api/v1/instance", "/api/v2/search?q=x", "/api/v1/markers"),
    *("/api/v1/accounts/{person.id}", "/@{person.name}", "/ap/users/{person.id}", "/readyz"),
    *("/.well-known/webfinger?resource=acct:nobody@x.test", "/oauth/authorize", "/api/v1/apps/verify_credentials"),
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_sites(tmp_path_factory.mktemp("postgres"), "localhost", people=7) as (site,):
        yield site


def shut_down_at_once(site: Site) -> None:
    """As `pg_ctl stop -m immediate` does; the supervisor starts it again."""
    os.kill(site.instance.member("postgres -D"), signal.SIGQUIT)


def kill_a_backend(site: Site) -> None:
    """Whoever writes the log, if anybody has, loses its server process; PostgreSQL then restarts all of them."""
    with owner_of(site) as owner:
        row = owner.execute(
            "SELECT pid FROM pg_stat_activity WHERE usename = 'daybook_app'"
            " ORDER BY application_name <> 'daybook log' LIMIT 1"
        ).fetchone()
    assert row is not None
    os.kill(row[0], signal.SIGKILL)


def connected(site: Site) -> set[str]:
    """By the names of their connections, which parts are there; none while PostgreSQL is away."""
    try:
        with owner_of(site) as owner:
            rows = owner.execute("SELECT DISTINCT application_name FROM pg_stat_activity WHERE usename = 'daybook_app'")
            return {name for (name,) in rows}
    except psycopg.OperationalError:
        return set()


def wait_until_connected(site: Site, parts: set[str]) -> None:
    """Wait until all of these are there again."""
    waited_for(lambda: parts <= connected(site), lambda: f"{parts - connected(site)} did not come back")


@pytest.mark.parametrize("fault", [shut_down_at_once, kill_a_backend])
def test_a_restart_of_postgresql_loses_and_doubles_nothing(site: Site, fault: Callable[[Site], None]) -> None:
    person = site.person()
    with traffic(person) as busy:
        busy.wait_for("writers", 200, more=20)
        parts, said_before = connected(site), len(site.instance.said)
        fault(site)
        busy.wait_for("writers", 200, more=60)
        busy.wait_for("readers", 200, more=20)
    assert {status for _, status in busy.told} <= {200, 503}
    assert busy.bare == [], "whoever is told 503 is told when to try again"
    posts = posts_of(person, busy.posts.values())
    assert len(posts) == len(set(busy.posts.values())) == len(busy.posts)
    assert set(posts) == set(busy.posts.values())
    assert live_rows(site, "SELECT count(*) FROM parked") == [(0,)]
    wait_until_connected(site, parts)
    site.instance.wait_for(BACK, since=said_before)
    said = told_of(site, said_before)
    # Once by `serve` and once by `behind`, however many had to wait.
    assert 1 <= len([line for line in said if AWAY in line]) <= 2
    assert len(said) < 40, "".join(said)


def test_an_outage_is_said_once_however_many_ask_meanwhile(site: Site) -> None:
    person = site.person()
    paths = [path.format(person=person) for path in ASKED]
    there = site.data / "postgres" / "global"
    gone = there.with_name("gone")
    with traffic(person) as busy, ThreadPoolExecutor(len(paths)) as asking:
        busy.wait_for("writers", 200, more=5)
        said_before = len(site.instance.said)
        # Without it PostgreSQL does not start.
        there.rename(gone)
        try:
            shut_down_at_once(site)
            site.instance.wait_for("PostgreSQL did not start", since=said_before)
            answers = list(asking.map(person.client.get, paths))
            busy.wait_for("writers", 503, more=5)
            busy.wait_for("readers", 503, more=2)
        finally:
            gone.rename(there)
        busy.wait_for("writers", 200, more=5)
    # Some need no database: they are answered as ever.
    assert {answer.status_code for answer in answers} & {500, 502, 504} == set(), answers
    lines = site.instance.said[said_before:]
    assert len([line for line in lines if '"status":503' in line]) >= 7, "each request has its line"
    assert [line for line in lines if '"level":"error"' in line or "Traceback" in line] == []
    assert len(told_of(site, said_before)) < 40, "".join(told_of(site, said_before))


def test_after_a_restart_while_nothing_happens_every_part_comes_back(site: Site) -> None:
    # The log's writer connects when somebody writes, and the projector when there is something to project.
    parts = connected(site) - {"daybook log", "daybook read ahead", "daybook project read_1"}
    kill_a_backend(site)
    waited_for(lambda: not parts <= connected(site), "the restart was never felt")
    wait_until_connected(site, parts)


def test_what_a_crash_took_back_from_the_reactor_is_acted_upon_again(site: Site) -> None:
    with owner_of(site) as owner:

        def position() -> int:
            row = owner.execute("SELECT position FROM app.reactor").fetchone()
            assert row is not None
            return row[0]

        head = owner.execute("SELECT position FROM log.head").fetchone()
        assert head is not None
        waited_for(lambda: position() == head[0], "the reactor never came to the head")
        # What an asynchronous commit may lose, with nothing new in the log that would bring the reactor there again.
        owner.execute("UPDATE app.reactor SET position = position - 1")
        waited_for(lambda: position() == head[0], "it is left undone")


def test_with_no_connection_left_those_that_are_open_go_on_and_others_come_back(site: Site) -> None:
    person = site.person()
    dsn = attached_dsn(site.data)
    assert dsn is not None
    with traffic(person, writers=2, readers=2) as busy, contextlib.ExitStack() as held:
        busy.wait_for("writers", 200, more=5)
        with pytest.raises(psycopg.OperationalError, match="too many clients"):
            for _ in range(CONNECTIONS_MAX):
                held.enter_context(psycopg.connect(dsn))
        busy.wait_for("writers", 200, more=20)
        busy.wait_for("readers", 200, more=20)
        held.close()
        busy.wait_for("writers", 200, more=5)
    assert {status for _, status in busy.told} <= {200, 503}
    assert set(posts_of(person, busy.posts.values())) == set(busy.posts.values())
