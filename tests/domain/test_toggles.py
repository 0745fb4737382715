"""What is switched on and off (favourites, boosts, bookmarks, pins, blocks, mutes, threads): the laws of each."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import block, bookmark, boost, conversation, favourite, mute, notification, pin
from domain.block import BlockAccount, UnblockAccount
from domain.bookmark import BookmarkPost, UnbookmarkPost
from domain.boost import BoostPost, PostUnboosted, UnboostPost
from domain.conversation import MuteConversation, UnmuteConversation
from domain.events import NotFound, Refused
from domain.favourite import FavouritePost, PostUnfavourited, UnfavouritePost
from domain.mute import AccountMuted, AccountUnmuted, ExpireMute, MuteAccount, UnmuteAccount
from domain.notification import ClearNotifications, DismissNotification
from domain.pin import PINS_MAX, PinPost, UnpinPost
from domain.post import Visibility
from tests.domain.deciding import NOW, decided, folded

ME, POST = {"account": 1}, {"account": 1, "post": 7}


def boosting(name: int = 9, author: int = 2, of: Visibility = "public", to: Visibility = "public") -> BoostPost:
    return BoostPost(**POST, boost=name, uri=f"u{name}", visibility=to, author=author, post_visibility=of)


def pinning(post: int = 7, author: int = 1, visibility: Visibility = "public") -> PinPost:
    return PinPost(account=1, post=post, author=author, visibility=visibility)


CONCEPTS: list[tuple[Any, list[Any], list[Any]]] = [
    (favourite, [FavouritePost(**POST, activity=name) for name in "ab"], [UnfavouritePost(**POST)]),
    (boost, [boosting(9), boosting(10)], [UnboostPost(**POST)]),
    (bookmark, [BookmarkPost(**POST)], [UnbookmarkPost(**POST)]),
    (pin, [pinning()], [UnpinPost(**POST)]),
    (
        block,
        [BlockAccount(blocker=1, blocked=2, activity=name) for name in "ab"],
        [UnblockAccount(blocker=1, blocked=2)],
    ),
    (mute, [MuteAccount(muter=1, muted=2)], [UnmuteAccount(muter=1, muted=2)]),
    (conversation, [MuteConversation(account=1, conversation=7)], [UnmuteConversation(account=1, conversation=7)]),
]
IDS = [concept.__name__ for concept, _, _ in CONCEPTS]


@pytest.mark.parametrize(("concept", "on", "off"), CONCEPTS, ids=IDS)
def test_on_twice_and_off_twice_say_it_once(concept: Any, on: list[Any], off: list[Any]) -> None:
    given: list[Any] = []
    for commands in (on, off, on):
        first = decided(concept, given=given, when=commands[0])
        assert len(first) == 1
        given += first
        assert [decided(concept, given=given, when=command) for command in commands] == [[]] * len(commands)
    assert len({concept.stream(command) for command in (*on, *off)}) == 1


@pytest.mark.parametrize(("concept", "on", "off"), CONCEPTS, ids=IDS)
@given(data=st.data())
def test_any_history_folds_and_the_same_command_twice_changes_nothing_more(
    concept: Any, on: list[Any], off: list[Any], data: st.DataObject
) -> None:
    state = concept.INITIAL
    for command in data.draw(st.lists(st.sampled_from([*on, *off]), max_size=8)):
        for event in concept.decide(state, command, NOW):
            state = concept.evolve(state, event)
        assert list(concept.decide(state, command, NOW)) == []


def test_what_is_taken_back_is_named_by_the_activity_that_gave_it() -> None:
    liked = decided(favourite, given=[], when=FavouritePost(**POST, activity="a"))
    (unliked,) = decided(favourite, given=liked, when=UnfavouritePost(**POST))
    assert isinstance(unliked, PostUnfavourited) and unliked.activity == "a"
    boosted = decided(boost, given=[], when=boosting(9))
    (unboosted,) = decided(boost, given=boosted, when=UnboostPost(**POST))
    assert isinstance(unboosted, PostUnboosted) and (unboosted.boost, unboosted.uri) == (9, "u9")


def test_only_what_everybody_may_see_is_boosted_by_others() -> None:
    for visibility in ("public", "unlisted"):
        assert len(decided(boost, given=[], when=boosting(of=visibility))) == 1
    with pytest.raises(Refused, match="not allowed"):
        decided(boost, given=[], when=boosting(of="private"))
    with pytest.raises(NotFound):
        decided(boost, given=[], when=boosting(of="direct"))


def test_ones_own_post_for_followers_is_boosted_to_followers_whatever_was_asked_for() -> None:
    (boosted,) = decided(boost, given=[], when=boosting(author=1, of="private", to="public"))
    assert boosted.visibility == "private"  # pyright: ignore[reportAttributeAccessIssue]


def test_pins_are_ones_own_and_few_and_for_others_to_see() -> None:
    with pytest.raises(Refused, match="Someone else's"):
        decided(pin, given=[], when=pinning(author=2))
    with pytest.raises(Refused, match="mentioned"):
        decided(pin, given=[], when=pinning(visibility="direct"))
    given = [event for post in range(PINS_MAX) for event in decided(pin, given=[], when=pinning(post))]
    assert len(folded(pin, given)) == PINS_MAX
    with pytest.raises(Refused, match="maximum"):
        decided(pin, given=given, when=pinning(99))


def test_nobody_blocks_or_mutes_themselves() -> None:
    for concept, command in (
        (block, BlockAccount(blocker=1, blocked=1, activity="a")),
        (mute, MuteAccount(muter=1, muted=1)),
    ):
        with pytest.raises(Refused, match="yourself"):
            decided(concept, given=[], when=command)


def test_a_mute_is_changed_by_muting_otherwise() -> None:
    muted = AccountMuted(muter=1, muted=2, muted_at=NOW)
    quieter = MuteAccount(muter=1, muted=2, notifications=False)
    assert decided(mute, given=[muted], when=quieter) == [
        AccountMuted(muter=1, muted=2, notifications=False, muted_at=NOW)
    ]


def test_a_mute_expires_when_its_time_is_over_and_not_when_it_was_renewed() -> None:
    hour = timedelta(hours=1)
    over = AccountMuted(muter=1, muted=2, expires_at=NOW - hour)
    renewed = AccountMuted(muter=1, muted=2, expires_at=NOW + hour)
    expire = ExpireMute(muter=1, muted=2)
    ended = [AccountUnmuted(muter=1, muted=2, expired=True, unmuted_at=NOW)]
    assert decided(mute, given=[over], when=expire) == ended
    assert decided(mute, given=[over, renewed], when=expire) == []
    assert decided(mute, given=[AccountMuted(muter=1, muted=2)], when=expire) == []


def test_notifications_are_cleared_up_to_one_and_dismissed_one_by_one() -> None:
    cleared = decided(notification, given=[], when=ClearNotifications(account=1, up_to=5))
    assert len(cleared) == 1
    assert decided(notification, given=cleared, when=ClearNotifications(account=1, up_to=4)) == []
    dismissed = decided(notification, given=[], when=DismissNotification(account=1, notification=3))
    assert decided(notification, given=dismissed, when=DismissNotification(account=1, notification=3)) == []
