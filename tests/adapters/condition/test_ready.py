"""A process is ready while the read models follow the log: a moment behind is no reason, standing still is."""

import pytest

from adapters.condition.reading import BEHIND_MAX
from adapters.condition.ready import STUCK_S_MAX, Progress, Ready
from adapters.postgres.reads import Reads


def test_a_moment_behind_is_no_reason() -> None:
    progress = Progress()
    assert progress.lacking(100, 100, 0.0) == []
    assert progress.lacking(110, 100, 1.0) == []
    assert progress.lacking(120, 110, 1.0 + 2 * STUCK_S_MAX) == []


def test_too_far_behind_is_a_reason_at_once() -> None:
    (reason,) = Progress().lacking(BEHIND_MAX + 1, 0, 0.0)
    assert f"{BEHIND_MAX + 1:,} events behind" in reason


def test_standing_still_is_a_reason_until_it_moves() -> None:
    progress = Progress()
    assert progress.lacking(110, 100, 0.0) == []
    (reason,) = progress.lacking(111, 100, STUCK_S_MAX + 1)
    assert "11 events behind the log and have not moved" in reason
    assert progress.lacking(111, 101, STUCK_S_MAX + 2) == []
    assert progress.lacking(111, 111, STUCK_S_MAX + 3) == []
    assert progress.lacking(112, 111, 3 * STUCK_S_MAX) == []


@pytest.mark.anyio
async def test_without_read_models_of_its_own_it_is_not_ready() -> None:
    (reason,) = await Ready(Reads("")).reasons()
    assert "being built" in reason
