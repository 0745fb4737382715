"""The rules of retrying, as tables."""

import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from adapters.deliveries.judging import ATTEMPTS_MAX, DELAY_MAX_S, Outcome, asked_to_wait_s, delay_s, judged

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("outcome", "statuses"),
    [
        (Outcome.DONE, [200, 201, 202, 204, 299]),
        (Outcome.DROPPED, [400, 402, 404, 405, 406, 409, 410, 413, 415, 418, 422, 451, 499, 501]),
        (Outcome.AGAIN, [300, 301, 302, 307, 308, 401, 403, 408, 500, 505, 520, 599]),
        (Outcome.TROUBLE, [429, 502, 503, 504]),
    ],
)
def test_a_status_means(outcome: Outcome, statuses: list[int]) -> None:
    assert {status: judged(status, "", NOW).outcome for status in statuses} == dict.fromkeys(statuses, outcome)


@pytest.mark.parametrize("status", [429, 503])
def test_only_these_are_asked_how_long_to_wait(status: int) -> None:
    verdict = judged(status, "120", NOW)
    assert (verdict.outcome, verdict.wait_s) == (Outcome.WAIT, 120)
    assert judged(502, "120", NOW).wait_s is None


def test_a_retry_after_is_seconds_or_a_date_within_reason() -> None:
    assert asked_to_wait_s("90", NOW) == 90
    assert asked_to_wait_s(" 0 ", NOW) == 1
    assert asked_to_wait_s("9" * 400, NOW) == 12 * 3600
    assert asked_to_wait_s(format_datetime(NOW + timedelta(seconds=75), usegmt=True), NOW) == 75
    assert asked_to_wait_s(format_datetime(NOW - timedelta(days=1), usegmt=True), NOW) == 1
    for text in ("", "soon", "-5", "1.5", "٣", "Wed, 99 Nov 2026 12:00:00 GMT", "1 Jan 99999999999 00:00:00 +9999999"):
        assert asked_to_wait_s(text, NOW) is None


def test_waiting_grows_with_the_fourth_power_to_twelve_hours() -> None:
    dice = random.Random(1)  # noqa: S311 - to be made again
    for failures, plain in ((1, 16), (2, 31), (3, 96), (10, 10_015)):
        waits = [delay_s(failures, dice) for _ in range(200)]
        assert 0.75 * plain <= min(waits) < max(waits) <= 1.25 * plain
    assert delay_s(1000, dice) == DELAY_MAX_S


def test_all_attempts_fit_in_three_days_more_or_less() -> None:
    plain = sum(min(n**4 + 15, DELAY_MAX_S) for n in range(1, ATTEMPTS_MAX))
    assert 1.5 * 86_400 < plain < 3 * 86_400
