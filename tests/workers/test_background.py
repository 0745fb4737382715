"""What runs behind stops together, and a part that ends takes the process along."""

import threading

import pytest

from adapters.config import Settings
from workers.background import PartEnded, run_together

SETTINGS = Settings()
TIMEOUT_S = 20.0


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
