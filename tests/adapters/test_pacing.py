"""Pace: a rate that is kept to on average, in small pieces."""

from time import monotonic

from adapters.pacing import BATCHES_A_SECOND, FAST_BATCH, Pace


def test_no_more_events_go_through_than_the_rate_allows() -> None:
    pace, begun = Pace(400), monotonic()
    for _ in range(5):
        pace.pause(pace.batch)
    # The last batch's own time need not be over yet.
    assert monotonic() - begun >= (5 * pace.batch) / 400 - 1 / BATCHES_A_SECOND


def test_a_slow_pace_takes_small_batches_and_a_fast_one_none_too_large() -> None:
    assert Pace(1).batch == 1
    assert Pace(100).batch == 25
    assert Pace(1_000_000).batch == FAST_BATCH
    assert Pace().batch == FAST_BATCH


def test_without_a_rate_nothing_is_waited_for() -> None:
    pace, begun = Pace(), monotonic()
    pace.pause(10**9)
    assert monotonic() - begun < 10**6
