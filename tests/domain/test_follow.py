"""Following: asked, accepted, rejected, ended."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import follow
from domain.events import Forbidden, Refused
from domain.follow import (
    AcceptFollow,
    EndFollow,
    FollowAccepted,
    FollowAdjusted,
    FollowCommand,
    FollowEnded,
    FollowRejected,
    FollowRequested,
    RejectFollow,
    RequestFollow,
    Stage,
)
from tests.domain.deciding import NOW, decided, folded

PAIR = {"follower": 1, "followee": 2}
requested = FollowRequested(**PAIR, request="r1", requested_at=NOW)
accepted = FollowAccepted(**PAIR, request="r1", accepted_at=NOW)
ended = FollowEnded(**PAIR, request="r1", ended_at=NOW)


def request(name: str = "r1", needs_approval: bool = False) -> RequestFollow:
    return RequestFollow(**PAIR, request=name, needs_approval=needs_approval)


def test_an_open_account_is_followed_at_once() -> None:
    assert decided(follow, given=[], when=request()) == [requested, accepted]


def test_a_locked_or_remote_account_is_asked_first() -> None:
    assert decided(follow, given=[], when=request(needs_approval=True)) == [requested]


def test_asking_again_is_silence() -> None:
    assert decided(follow, given=[requested], when=request("r2")) == []
    assert decided(follow, given=[requested, accepted], when=request("r2")) == []


def test_nobody_follows_themselves() -> None:
    with pytest.raises(Refused, match="yourself"):
        decided(follow, given=[], when=RequestFollow(follower=1, followee=1, request="r", needs_approval=False))


def test_unfollowing_ends_what_was_asked_and_twice_is_silence() -> None:
    assert decided(follow, given=[requested, accepted], when=EndFollow(**PAIR)) == [ended]
    assert decided(follow, given=[requested], when=EndFollow(**PAIR)) == [ended]
    assert decided(follow, given=[requested, ended], when=EndFollow(**PAIR)) == []


def test_an_answer_to_another_request_changes_nothing() -> None:
    again = FollowRequested(**PAIR, request="r2")
    assert folded(follow, [requested, ended, again, accepted]).stage is Stage.REQUESTED
    late = FollowRejected(**PAIR, request="r1")
    now = FollowAccepted(**PAIR, request="r2")
    assert folded(follow, [requested, ended, again, now, late]).stage is Stage.FOLLOWING


def test_a_rejection_removes_a_follower_who_was_accepted() -> None:
    assert folded(follow, [requested, accepted, FollowRejected(**PAIR, request="r1")]).stage is Stage.NONE


def test_a_request_is_accepted_once_and_only_while_it_waits() -> None:
    assert decided(follow, given=[requested], when=AcceptFollow(**PAIR)) == [accepted]
    assert decided(follow, given=[requested, accepted], when=AcceptFollow(**PAIR)) == []
    assert decided(follow, given=[], when=AcceptFollow(**PAIR)) == []


def test_an_answer_for_a_request_that_was_taken_back_says_nothing() -> None:
    again = FollowRequested(**PAIR, request="r2")
    for answer in (AcceptFollow(**PAIR, request="r1"), RejectFollow(**PAIR, request="r1")):
        assert decided(follow, given=[requested, ended, again], when=answer) == []


def test_a_request_is_rejected_and_a_follower_removed_by_the_same_words() -> None:
    rejected = FollowRejected(**PAIR, request="r1", rejected_at=NOW)
    assert decided(follow, given=[requested], when=RejectFollow(**PAIR)) == [rejected]
    assert decided(follow, given=[requested, accepted], when=RejectFollow(**PAIR)) == [rejected]
    assert decided(follow, given=[requested, rejected], when=RejectFollow(**PAIR)) == []


def test_where_one_blocks_the_other_nobody_is_asked() -> None:
    with pytest.raises(Forbidden):
        decided(follow, given=[], when=RequestFollow(**PAIR, request="r1", needs_approval=False, barred=True))


def test_what_is_wanted_is_said_when_it_changes_and_forgotten_when_the_follow_ends() -> None:
    without = msgspec.structs.replace(request("r2"), reblogs=False)
    adjusted = FollowAdjusted(**PAIR, reblogs=False, adjusted_at=NOW)
    assert decided(follow, given=[], when=msgspec.structs.replace(without, request="r1")) == [
        requested,
        accepted,
        adjusted,
    ]
    assert decided(follow, given=[requested, accepted], when=without) == [adjusted]
    assert decided(follow, given=[requested, adjusted, accepted], when=without) == []
    assert decided(follow, given=[requested, adjusted, accepted], when=request("r2")) == []
    english = msgspec.structs.replace(request(), languages=("en",))
    assert decided(follow, given=[requested, accepted, adjusted], when=english) == [
        FollowAdjusted(**PAIR, reblogs=False, languages=("en",), adjusted_at=NOW)
    ]
    given = [requested, accepted, adjusted, ended]
    assert decided(follow, given=given, when=request()) == [requested, accepted]


def test_no_language_at_all_means_any() -> None:
    english = FollowAdjusted(**PAIR, languages=("en",))
    any_again = msgspec.structs.replace(request(), languages=())
    assert decided(follow, given=[requested, accepted, english], when=any_again) == [
        FollowAdjusted(**PAIR, adjusted_at=NOW)
    ]


commands = st.one_of(
    st.builds(request, st.sampled_from(["r1", "r2"]), st.booleans()),
    st.builds(
        RequestFollow,
        follower=st.just(1),
        followee=st.just(2),
        request=st.just("r1"),
        needs_approval=st.booleans(),
        reblogs=st.none() | st.booleans(),
        languages=st.sampled_from([None, (), ("en",)]),
    ),
    st.sampled_from(
        [EndFollow(**PAIR), AcceptFollow(**PAIR), RejectFollow(**PAIR), RejectFollow(**PAIR, request="r1")]
    ),
)
events = st.one_of(
    st.builds(FollowAdjusted, follower=st.just(1), followee=st.just(2), reblogs=st.booleans()),
    *(
        st.builds(kind, follower=st.just(1), followee=st.just(2), request=st.sampled_from(["r1", "r2", "r3"]))
        for kind in (FollowRequested, FollowAccepted, FollowRejected, FollowEnded)
    ),
)


@given(st.lists(events), commands)
def test_any_history_folds_and_the_same_command_twice_changes_nothing_more(
    history: list[follow.FollowEvent], command: FollowCommand
) -> None:
    state = folded(follow, history)
    for event in follow.decide(state, command, NOW):
        state = follow.evolve(state, event)
    assert list(follow.decide(state, command, NOW)) == []
