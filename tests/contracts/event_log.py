"""What every event log promises to commands. Subclass, and give a fixture `log`."""

import asyncio
from datetime import UTC, datetime

import pytest

from domain.follow import FollowEnded, FollowRequested
from domain.instance import InstanceFounded
from domain.ports import Conflict, EventLog

ASKED = FollowRequested(follower=1, followee=2, request="https://our.test/ap/follows/1")
ENDED = FollowEnded(follower=1, followee=2, request="https://our.test/ap/follows/1")
FOUNDED = InstanceFounded(
    origin="https://our.test",
    domain="our.test",
    actor="https://our.test/actor",
    public_key_pem="pem",
    founded_at=datetime(2026, 5, 1, tzinfo=UTC),
)


class EventLogContract:
    async def test_what_is_appended_is_loaded_in_order_and_whole(self, log: EventLog) -> None:
        await log.append("a", 0, [ASKED, ENDED])
        await log.append("b", 0, [FOUNDED])
        loaded = await log.load("a")
        assert [(recorded.version, recorded.event) for recorded in loaded] == [(1, ASKED), (2, ENDED)]
        assert [recorded.event for recorded in await log.load("b")] == [FOUNDED]

    async def test_positions_are_dense_over_all_streams(self, log: EventLog) -> None:
        first = await log.append("a", 0, [ASKED, ENDED])
        second = await log.append("b", 0, [ASKED])
        assert [recorded.position for recorded in (*first, *second)] == [1, 2, 3]

    async def test_an_unknown_stream_is_empty(self, log: EventLog) -> None:
        assert list(await log.load("never")) == []

    async def test_a_stale_version_is_a_conflict_and_stores_nothing(self, log: EventLog) -> None:
        await log.append("a", 0, [ASKED])
        with pytest.raises(Conflict):
            await log.append("a", 0, [ASKED, ENDED])
        assert len(await log.load("a")) == 1

    async def test_of_many_racing_on_one_version_one_wins(self, log: EventLog) -> None:
        answers = await asyncio.gather(*(log.append("a", 0, [ASKED]) for _ in range(20)), return_exceptions=True)
        assert sum(isinstance(answer, Conflict) for answer in answers) == 19
        assert len(await log.load("a")) == 1
