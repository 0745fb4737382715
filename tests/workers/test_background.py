"""What runs behind stops together, and a part that ends takes the process along."""

import signal
import subprocess
import threading

import psycopg
import pytest

from adapters.config import Settings
from tests.workers.operator import Operator
from workers.background import PARTS, PartEnded, run_together

SETTINGS = Settings()
TIMEOUT_S = 20.0
# Every part holds a connection under a name of its own once it is at work.
_CONNECTED = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name ~ '^daybook (tail|react|deliver|jobs|schedule)'
"""


def patient(settings: Settings, stopping: threading.Event) -> None:
    assert stopping.wait(TIMEOUT_S), "nobody said stop"


def test_all_parts_run_until_they_are_told_to_stop() -> None:
    stopping, both = threading.Event(), threading.Barrier(3)

    def part(settings: Settings, told: threading.Event) -> None:
        both.wait(TIMEOUT_S)
        patient(settings, told)

    def stop() -> None:
        both.wait(TIMEOUT_S)
        stopping.set()

    threading.Thread(target=stop).start()
    run_together(SETTINGS, stopping, {"one": part, "two": part})


def test_the_error_of_one_part_stops_the_others_and_is_raised() -> None:
    def broken(settings: Settings, stopping: threading.Event) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_together(SETTINGS, threading.Event(), {"patient": patient, "broken": broken})


def test_a_part_that_ends_by_itself_ends_the_process_too() -> None:
    with pytest.raises(PartEnded, match="brief"):
        run_together(SETTINGS, threading.Event(), {"patient": patient, "brief": lambda settings, stopping: None})


@pytest.mark.parametrize("part", sorted(PARTS))
def test_each_part_runs_alone_until_it_is_told_to_stop(operator: Operator, part: str) -> None:
    running = subprocess.Popen(operator.command(part), env=operator.environ)
    try:
        with psycopg.connect(operator.url, autocommit=True) as connection:
            while connection.execute(_CONNECTED).fetchone() == (0,):
                assert running.poll() is None, "it ended by itself"
                connection.execute("SELECT pg_sleep(0.05)")
        running.send_signal(signal.SIGTERM)
        assert running.wait(TIMEOUT_S) == 0
    finally:
        running.kill()
        running.wait()
