"""Ids of ours ascend, whatever the clock does."""

from datetime import UTC, datetime, timedelta

import pytest

from adapters.local_ids import LocalIds
from domain.ids import REMOTE_BIT

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("jump", [timedelta(hours=-1), timedelta(0), timedelta(hours=1)])
def test_ids_ascend_when_the_clock_jumps(jump: timedelta) -> None:
    now = NOON
    ids = LocalIds(lambda: now)
    found = [ids.next() for _ in range(3)]
    now = NOON + jump
    found += [ids.next() for _ in range(40_000)]
    assert found == sorted(set(found))
    assert not any(number & REMOTE_BIT for number in found)


def test_ids_ascend_over_a_restart_after_which_the_clock_shows_less() -> None:
    last = LocalIds(lambda: NOON).next()
    assert LocalIds(lambda: NOON - timedelta(hours=1), last).next() > last


def test_a_latest_id_of_long_ago_changes_nothing() -> None:
    long_ago = LocalIds(lambda: NOON - timedelta(days=1)).next()
    assert LocalIds(lambda: NOON, long_ago).next() >> 16 == int(NOON.timestamp() * 1000)
