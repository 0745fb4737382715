"""What is measured now and then is measured once for all who ask, and to its end whoever goes away."""

import asyncio
from pathlib import Path

import pytest

from adapters.condition.sampled import Renewed, Sampled

pytestmark = pytest.mark.anyio


class Slow:
    """Something that takes as long as the test wants it to."""

    def __init__(self) -> None:
        self.begun = 0
        self.has_begun, self.may_end = asyncio.Event(), asyncio.Event()

    async def make(self) -> int:
        self.begun += 1
        self.has_begun.set()
        await self.may_end.wait()
        return self.begun


async def test_it_is_made_once_for_all_who_ask_at_the_same_time() -> None:
    slow = Slow()
    renewed = Renewed(slow.make, for_s=3_600)
    asking = [asyncio.create_task(renewed.value()) for _ in range(3)]
    await slow.has_begun.wait()
    slow.may_end.set()
    assert await asyncio.gather(*asking) == [1, 1, 1]
    assert await renewed.value() == 1 and slow.begun == 1


async def test_who_goes_away_or_will_not_wait_does_not_break_it_off() -> None:
    slow = Slow()
    renewed = Renewed(slow.make, for_s=3_600)
    assert await renewed.value(patience_s=0) is None
    gone = asyncio.create_task(renewed.value())
    await slow.has_begun.wait()
    gone.cancel()
    slow.may_end.set()
    assert await renewed.value() == 1 and slow.begun == 1


async def test_what_is_older_is_made_anew() -> None:
    slow = Slow()
    slow.may_end.set()
    renewed = Renewed(slow.make, for_s=-1)
    assert [await renewed.value(), await renewed.value()] == [1, 2]


async def test_a_database_that_is_away_is_what_is_found(tmp_path: Path) -> None:
    sampled = Sampled("postgresql://x@127.0.0.1:1/x", tmp_path)
    assert await sampled.measured() is None
    (finding,) = await sampled.findings()
    assert (finding.check, finding.state) == ("database", "wrong")
    assert (found := await sampled.room()) is not None and found.free > 0
