"""`daybook replay` beside a running instance: the same bytes, no request refused, nothing lost when it is killed."""

import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from adapters.embedded.postgres import EmbeddedPostgres
from projections.catalogue import KEYS
from tests.system.running import TIMEOUT_S, Running, command, environ

POLLS_A_SECOND = 10
APPEAR_TIMEOUT_S = 20.0
ROW = re.compile(r"│ (\w+) +│ +([\d,]+)[ /\d,]* │ ([0-9a-f]+) +│ ([0-9a-f]+) +│ (yes|NO) +│")
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = %s"
# The projector of a replay, once it waits for what a test holds.
_HELD_UP = """
    SELECT FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One instance for the module."""
    made = Running(tmp_path_factory.mktemp("replay") / "data")
    yield made
    made.client.close()
    made.instance.end()


@contextlib.contextmanager
def polled(running: Running, *paths: str) -> Iterator[dict[int, int]]:
    """Ask for the paths ten times a second meanwhile; gives how often each status was answered."""
    statuses: dict[int, int] = {}
    stopping = threading.Event()

    def poll() -> None:
        while not stopping.wait(1 / POLLS_A_SECOND):
            for path in paths:
                status = running.client.get(path).status_code
                statuses[status] = statuses.get(status, 0) + 1

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        yield statuses
    finally:
        stopping.set()
        thread.join()


def compared(output: str) -> dict[str, tuple[str, str, str]]:
    """Live digest, replayed digest and verdict per table, as the command printed them."""
    return {found[1]: (found[3], found[4], found[5]) for found in ROW.finditer(output)}


def test_a_replay_gives_every_table_the_same_bytes_while_every_request_is_answered(running: Running) -> None:
    before = running.live()
    with polled(running, "/api/v1/timelines/home", "/api/v1/timelines/public") as statuses:
        done = running.daybook("replay")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {table: verdict for table, (_, _, verdict) in compared(done.stdout).items()} == dict.fromkeys(KEYS, "yes")
    assert set(statuses) == {200}
    assert statuses[200] >= POLLS_A_SECOND
    assert running.generations() == [(running.live(), "live")]
    assert running.live() > before
    assert running.value("SELECT to_regnamespace(%s)", f"read_{before}") is None


def test_no_table_but_the_checkpoint_is_left_out_of_the_comparison(running: Running) -> None:
    with psycopg.connect(running.owner) as connection:
        tables = {name for (name,) in connection.execute(_TABLES, [f"read_{running.live()}"])}
    assert tables == {*KEYS, "checkpoint"}


def test_what_is_posted_after_the_switch_is_in_home_as_before(running: Running) -> None:
    posted = running.post("after the switch")
    home = running.client.get("/api/v1/timelines/home").raise_for_status()
    assert home.json()[0]["id"] == posted
    assert "Daybook-Behind" not in home.headers


def test_a_replay_needs_no_network(running: Running) -> None:
    alone = ("unshare", "--net") if os.geteuid() == 0 else ("unshare", "--user", "--map-root-user", "--net")
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine refuses a network namespace of one's own")
    done = running.daybook("replay", "--dry-run", through=alone)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {verdict for _, _, verdict in compared(done.stdout).values()} == {"yes"}


def test_a_dry_run_switches_nothing_and_leaves_nothing(running: Running) -> None:
    before = running.generations()
    assert running.daybook("replay", "--dry-run").returncode == 0
    assert running.generations() == before


def test_read_models_that_were_thrown_away_are_made_again_from_the_log(running: Running) -> None:
    before = compared(running.daybook("replay", "--dry-run").stdout)
    home = running.client.get("/api/v1/timelines/home").raise_for_status().json()
    with psycopg.connect(running.owner) as connection:
        connection.execute(f"DROP SCHEMA read_{running.live()} CASCADE")
    dry = running.daybook("replay", "--dry-run")
    assert dry.returncode == 3 and "nothing to compare with" in dry.stdout, dry.stdout + dry.stderr
    done = running.daybook("replay")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "made of the log, and live" in done.stdout
    deadline = time.monotonic() + APPEAR_TIMEOUT_S
    while (answer := running.client.get("/api/v1/timelines/home")).status_code == 503:
        assert time.monotonic() < deadline, "nobody reads what was made"
    assert answer.raise_for_status().json() == home
    after = compared(running.daybook("replay", "--dry-run").stdout)
    assert {table: row[0] for table, row in after.items()} == {table: row[0] for table, row in before.items()}
    assert len(after) == len(KEYS)


def test_a_row_that_was_tampered_with_is_told_and_nothing_is_switched(running: Running) -> None:
    before = running.live()
    with psycopg.connect(running.owner) as connection:
        touched = connection.execute(
            f"UPDATE read_{before}.statuses SET replies = 7 WHERE id = (SELECT max(id) FROM read_{before}.statuses)"
        )
        assert touched.rowcount == 1
    done = running.daybook("replay")
    assert done.returncode == 3
    assert "Not the same: statuses." in done.stdout
    assert ", replies is 7, and by the log 0\n" in done.stdout
    assert "statuses: 1 changed in replies, by post.published\n" in done.stdout
    assert {table for table, (_, _, verdict) in compared(done.stdout).items() if verdict == "NO"} == {"statuses"}
    assert running.live() == before
    told = running.daybook("replay", "--dry-run", "--json")
    assert told.returncode == 3
    different, counted, outcome = map(json.loads, told.stdout.splitlines())
    assert (different["columns"], different["live"]["replies"], counted["rows"]) == (["replies"], 7, 1)
    assert (outcome["different"], outcome["rows"]) == (["statuses"], 1)
    assert running.daybook("replay", "--switch-anyway").returncode == 0
    assert running.generations() == [(running.live(), "live")]
    told = running.daybook("replay", "--dry-run", "--json")
    (outcome,) = map(json.loads, told.stdout.splitlines())
    assert (told.returncode, outcome["different"], outcome["rows"]) == (0, [], 0)
    assert outcome["as_of"] > 0


def test_read_tables_that_were_all_emptied_come_back_identical_row_by_row_explained(running: Running) -> None:
    before = compared(running.daybook("replay", "--dry-run").stdout)
    with psycopg.connect(running.owner) as connection:
        connection.execute(f"TRUNCATE {', '.join(f'read_{running.live()}.{table}' for table in KEYS)}".encode())
    done = running.daybook("replay", "--switch-anyway", "--most", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "'s home lacks " in done.stdout
    after = compared(running.daybook("replay", "--dry-run").stdout)
    assert {table: row[0] for table, row in after.items()} == {table: row[0] for table, row in before.items()}


def test_one_projection_alone_is_made_of_the_facts_compared_and_switched_to(running: Running) -> None:
    before = running.live()
    with psycopg.connect(running.owner) as connection:
        connection.execute(f"DELETE FROM read_{before}.home WHERE entry = (SELECT max(entry) FROM read_{before}.home)")
    done = running.daybook("replay", "--only", "home")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "Making home of the facts" in done.stdout
    assert "@admin's home lacks " in done.stdout and "home: 1 missing, by post.published" in done.stdout
    assert "`daybook replay --only home --switch-anyway` makes that again" in " ".join(done.stdout.split())
    assert running.live() == before
    with polled(running, "/api/v1/timelines/home") as statuses:
        done = running.daybook("replay", "--only", "home", "--only", "follow_wishes", "--switch-anyway")
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(statuses) == {200}
    assert running.generations() == [(running.live(), "live")] and running.live() > before
    assert {verdict for _, _, verdict in compared(running.daybook("replay", "--dry-run").stdout).values()} == {"yes"}


def test_a_whole_replay_does_not_go_on_with_what_was_made_of_a_part(running: Running) -> None:
    before = running.live()
    with psycopg.connect(running.owner) as connection:
        statuses = f"read_{before}.statuses"
        connection.execute(f"UPDATE {statuses} SET replies = 7 WHERE id = (SELECT max(id) FROM {statuses})")
    # The copy is as wrong as what it was made of, which only a replay of the log shows.
    assert running.daybook("replay", "--only", "home", "--dry-run").returncode == 0
    assert running.daybook("replay", "--only", "statuses").returncode == 3
    done = running.daybook("replay", "--switch-anyway")
    assert done.returncode == 0 and "Going on with" not in done.stdout, done.stdout
    assert running.daybook("replay", "--dry-run").returncode == 0


def test_what_can_not_be_made_alone_is_refused_with_what_can(running: Running) -> None:
    done = running.daybook("replay", "--only", "facts")
    assert done.returncode == 1
    assert done.stderr.startswith("daybook: There is no part called 'facts' that can be made alone; there are account")


@contextlib.contextmanager
def held_up_in_the_middle(
    running: Running, *arguments: str, at: str = "app.ids", who: str | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A replay that waits in the middle of its first batch for as long as this lasts; or its connection `who` `at` a
    table.
    """
    following = who or f"daybook project read_{running.live() + 1}"
    with psycopg.connect(running.owner) as connection:
        connection.execute(f"LOCK TABLE {at} IN ACCESS EXCLUSIVE MODE".encode())
        process = subprocess.Popen(
            command("replay", *arguments),
            env=environ(running.data),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with psycopg.connect(running.owner, autocommit=True) as watching:
            deadline = time.monotonic() + APPEAR_TIMEOUT_S
            while watching.execute(_HELD_UP, [following]).fetchone() is None:
                assert time.monotonic() < deadline, "it never came so far"
        yield process


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_replay_that_is_ended_in_the_middle_leaves_the_live_one_and_the_next_goes_on_with_what_it_made(
    running: Running, how: signal.Signals
) -> None:
    before = running.live()
    with held_up_in_the_middle(running) as process:
        process.send_signal(how)
        if how is signal.SIGKILL:
            process.wait(TIMEOUT_S)
    said, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == (-signal.SIGKILL if how is signal.SIGKILL else 130), said
    assert running.generations() == [(before, "live"), (before + 1, "building")]
    assert running.client.get("/api/v1/timelines/home").status_code == 200
    done = running.daybook("replay")
    assert done.returncode == 0, done.stdout + done.stderr
    assert running.generations() == [(before + 1, "live")]


def test_an_interrupted_part_says_that_nothing_goes_on_with_it(running: Running) -> None:
    before, copied = running.live(), f"read_{running.live()}.parked"
    with held_up_in_the_middle(running, "--only", "home", at=copied, who="daybook replay") as process:
        process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130, said
    assert "The next `daybook replay` drops what was made of the part." in " ".join(said.split())
    done = running.daybook("replay")
    assert done.returncode == 0 and "Going on" not in done.stdout, done.stdout + done.stderr
    assert running.generations() == [(before + 1, "live")]


def cut_short(running: Running, how: signal.Signals) -> tuple[int, int]:
    """End a replay once it has projected something; gives its generation and where it was."""
    n = running.live() + 1
    process = subprocess.Popen(
        command("replay", "--rate", "40"), env=environ(running.data), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    deadline = time.monotonic() + APPEAR_TIMEOUT_S
    while running.position(n) < 1:
        assert time.monotonic() < deadline, "it never projected anything"
    process.send_signal(how)
    process.communicate(timeout=TIMEOUT_S)
    assert running.generations() == [(n - 1, "live"), (n, "building")]
    return n, running.position(n)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_the_next_replay_goes_on_where_one_was_cut_short_says_so_and_comes_to_the_same_bytes(
    running: Running, how: signal.Signals
) -> None:
    n, position = cut_short(running, how)
    assert 0 < position < running.position(n - 1)
    done = running.daybook("replay")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Going on with generation {n}" in done.stdout
    assert f"after event {position:,}" in done.stdout
    assert {table: verdict for table, (_, _, verdict) in compared(done.stdout).items()} == dict.fromkeys(KEYS, "yes")
    assert running.generations() == [(n, "live")]


def test_with_restart_a_replay_begins_anew_and_what_was_cut_short_is_dropped(running: Running) -> None:
    n, _ = cut_short(running, signal.SIGKILL)
    done = running.daybook("replay", "--restart")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Going on" not in done.stdout
    assert running.generations() == [(n, "live")]


def test_what_other_code_left_half_built_is_no_beginning(running: Running) -> None:
    n, _ = cut_short(running, signal.SIGKILL)
    with psycopg.connect(running.owner) as connection:
        connection.execute("UPDATE app.generations SET code_hash = 'of before' WHERE n = %s", [n])
    done = running.daybook("replay")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Going on" not in done.stdout
    assert running.live() == n + 1
    assert running.daybook("generation", "drop", str(n)).returncode == 0


def test_two_replays_at_once_are_refused_in_a_sentence(running: Running) -> None:
    with held_up_in_the_middle(running) as process:
        second = running.daybook("replay")
        assert second.returncode == 1
        assert (
            second.stderr
            == "daybook: Another replay is running, or generations are being switched: wait for it to end.\n"
        )
    assert process.wait(TIMEOUT_S) == 0
    assert process.stdout is not None
    process.stdout.close()


def test_the_database_alone_is_enough(running: Running) -> None:
    running.instance.end()
    database = EmbeddedPostgres(running.data)
    database.start()
    try:
        done = running.daybook("replay")
        assert done.returncode == 0, done.stdout + done.stderr
        assert {verdict for _, _, verdict in compared(done.stdout).values()} == {"yes"}
        assert running.generations() == [(running.live(), "live")]
    finally:
        database.stop()
