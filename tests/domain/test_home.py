"""A home is kept for those who are here."""

from datetime import timedelta

import pytest

from domain import home
from domain.home import DropHome, HomeDropped, HomeRestored, RestoreHome
from tests.domain.deciding import NOW, decided

DROPPED = HomeDropped(account=1, days=30, dropped_at=NOW)
RESTORED = HomeRestored(account=1, restored_at=NOW)


def absent(absent_for: timedelta, days: int = 30) -> DropHome:
    return DropHome(account=1, last_here_at=NOW - absent_for, days=days)


def test_the_home_of_somebody_who_stays_away_is_dropped_once_and_restored_once() -> None:
    assert decided(home, given=[], when=absent(timedelta(days=30))) == [DROPPED]
    assert decided(home, given=[DROPPED], when=absent(timedelta(days=31))) == []
    assert decided(home, given=[DROPPED], when=RestoreHome(account=1)) == [RESTORED]
    assert decided(home, given=[DROPPED, RESTORED], when=RestoreHome(account=1)) == []
    assert decided(home, given=[DROPPED, RESTORED], when=absent(timedelta(days=40))) == [DROPPED]


@pytest.mark.parametrize(
    "command",
    [absent(timedelta(days=30) - timedelta(seconds=1)), absent(timedelta(days=900), days=0)],
    ids=["a second too early", "homes are kept for ever"],
)
def test_the_home_of_somebody_who_is_here_is_not_dropped(command: DropHome) -> None:
    assert decided(home, given=[], when=command) == []


def test_a_home_that_was_never_dropped_need_not_be_restored() -> None:
    assert decided(home, given=[], when=RestoreHome(account=1)) == []
