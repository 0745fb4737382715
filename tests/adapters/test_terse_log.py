"""What goes wrong a thousand times is said once, and how often it went wrong when it is said again."""

import logging
from collections.abc import Callable, Iterator

import pytest

from adapters.outage import Outage
from adapters.terse_log import HELD_BACK_FIRST_S, SaidOnce


class Clock:
    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s


class Heard(logging.Handler):
    def __init__(self, clock_s: Callable[[], float]) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.addFilter(SaidOnce(clock_s))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def heard(clock: Clock) -> Iterator[Heard]:
    handler = Heard(clock)
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


log = logging.getLogger("daybook.terse")


def test_the_same_words_are_said_once_however_often_and_with_whatever_in_their_places(heard: Heard) -> None:
    for number in range(1_000):
        log.warning("request %d waits", number)
    assert heard.lines == ["request 0 waits"]


def test_what_goes_on_is_said_more_and_more_seldom_with_how_often_it_was(heard: Heard, clock: Clock) -> None:
    for second in range(100):
        clock.s = float(second)
        log.warning("it waits")
    assert heard.lines == [
        "it waits",
        "it waits (as 9 more times lately)",
        "it waits (as 19 more times lately)",
        "it waits (as 39 more times lately)",
    ]


def test_what_comes_again_after_a_long_silence_is_said_as_if_it_were_the_first(heard: Heard, clock: Clock) -> None:
    log.warning("it waits")
    clock.s = 2 * HELD_BACK_FIRST_S + 1
    log.warning("it waits")
    assert heard.lines == ["it waits", "it waits"]


def test_errors_and_what_is_only_told_always_come_through(heard: Heard) -> None:
    for _ in range(3):
        log.error("it is broken")
    assert len(heard.lines) == 3


def test_a_warning_is_one_line(heard: Heard) -> None:
    log.warning("it waits: %s", "100 %\n\tof it")
    assert heard.lines == ["it waits: 100 % of it"]


def test_who_is_away_and_back_is_said_each_time_but_once_however_many_find_out(heard: Heard) -> None:
    several = [Outage("Terse", "all waits") for _ in range(3)]
    for _ in range(2):
        for outage in several:
            outage.failed("gone")
        for outage in several:
            outage.answered()
    away, back = "Terse does not answer (gone): all waits", "Terse answers again, after 0 s"
    assert heard.lines == [away, back, away, back]


def test_the_first_warning_after_something_is_back_comes_through(heard: Heard) -> None:
    outage = Outage("Terse", "all waits")
    outage.failed("gone")
    log.warning("it waits")
    log.warning("it waits")
    outage.answered()
    log.warning("it waits")
    assert heard.lines[2:] == ["Terse answers again, after 0 s", "it waits"]


def test_while_it_is_away_one_of_many_looks_whether_it_is_back() -> None:
    outage = Outage("Terse", "all waits")
    assert all(outage.worth_asking() for _ in range(3))
    outage.failed("gone")
    assert not any(outage.worth_asking() for _ in range(3))
    outage.answered()
    assert outage.worth_asking()
