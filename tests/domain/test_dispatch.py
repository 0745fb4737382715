"""Dispatch is the one path that writes commands: decided on everything known, appended once, tried again when raced."""

from collections.abc import Sequence

import pytest

from domain import follow, post
from domain.dispatch import Dispatch
from domain.events import Event, NotFound
from domain.follow import EndFollow, FollowRejected, FollowRequested, RequestFollow, Stage
from domain.ports import Conflict, FactsBehind, Recorded
from domain.post import DeletePost
from tests.domain.deciding import NOW
from tests.domain.memory import MemoryFacts, MemoryLog
from tests.domain.test_post import publish

pytestmark = pytest.mark.anyio
ASK = RequestFollow(follower=1, followee=2, request="r1", needs_approval=True)


class RacedLog(MemoryLog):
    """Somebody else is first, so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    async def append(self, stream: str, expected_version: int, events: Sequence[Event]) -> Sequence[Recorded]:
        if self.times > 0:
            self.times -= 1
            raise Conflict(stream)
        return await super().append(stream, expected_version, events)


class BehindFacts(MemoryFacts):
    async def caught_up(self) -> None:
        raise FactsBehind("7 events are not interpreted yet")


async def test_what_was_decided_stands_in_the_log_and_a_repeat_adds_nothing() -> None:
    log = MemoryLog()
    dispatch = Dispatch(log, MemoryFacts(), lambda: NOW)
    first, second = await dispatch(follow, ASK), await dispatch(follow, ASK)
    assert (first.position, len(first.events), second.position, second.events) == (1, 1, 0, ())
    assert len(log.recorded) == 1


async def test_remote_facts_and_own_events_fold_in_the_order_of_their_positions() -> None:
    log, facts = MemoryLog(), MemoryFacts()
    dispatch = Dispatch(log, facts, lambda: NOW)
    await dispatch(follow, ASK)
    rejected = FollowRejected(follower=1, followee=2, request="r1")
    facts.remote.append(Recorded(2, "follow:1:2", 0, rejected))
    assert (await dispatch.state(follow, ASK)).stage is Stage.NONE
    again = await dispatch(follow, RequestFollow(follower=1, followee=2, request="r2", needs_approval=True))
    assert [type(event) for event in again.events] == [FollowRequested]


async def test_a_race_is_decided_again_and_ten_lost_races_are_given_up() -> None:
    assert (await Dispatch(RacedLog(9), MemoryFacts(), lambda: NOW)(follow, ASK)).position == 1
    with pytest.raises(Conflict):
        await Dispatch(RacedLog(10), MemoryFacts(), lambda: NOW)(follow, ASK)


async def test_a_stream_wrongly_taken_to_be_empty_is_loaded_after_all() -> None:
    log = MemoryLog()
    dispatch = Dispatch(log, MemoryFacts(), lambda: NOW)
    first = await dispatch(post, publish(), begins=True)
    again = await dispatch(post, publish(), begins=True)
    assert first.events and not again.events
    assert again.after == first.after


async def test_only_streams_that_remote_facts_can_touch_wait_for_them() -> None:
    dispatch = Dispatch(MemoryLog(), BehindFacts(), lambda: NOW)
    with pytest.raises(FactsBehind):
        await dispatch(follow, EndFollow(follower=1, followee=2))
    with pytest.raises(NotFound):
        await dispatch(post, DeletePost(post=5, deleter=1))
