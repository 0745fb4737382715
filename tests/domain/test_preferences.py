"""Preferences: each change leaves the rest as it was."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from domain import preferences
from domain.preferences import ChangePreferences, Preferences, PreferencesChanged
from tests.domain.deciding import NOW, decided, folded

changes = st.builds(
    ChangePreferences,
    account=st.just(1),
    visibility=st.sampled_from([UNSET, "public", "unlisted", "private"]),
    sensitive=st.sampled_from([UNSET, True, False]),
    language=st.sampled_from([UNSET, None, "de"]),
)


def test_what_a_change_does_not_name_stays() -> None:
    (event,) = decided(preferences, given=[], when=ChangePreferences(account=1, visibility="private"))
    assert event == PreferencesChanged(account=1, visibility="private", changed_at=NOW)
    (event,) = decided(preferences, given=[event], when=ChangePreferences(account=1, language="de"))
    assert folded(preferences, [event]) == Preferences("private", False, "de")


@given(st.lists(changes), changes)
def test_the_same_change_twice_is_silence(before: list[ChangePreferences], change: ChangePreferences) -> None:
    events = [event for one in before for event in decided(preferences, given=[], when=one)]
    after = [*events, *decided(preferences, given=events, when=change)]
    assert decided(preferences, given=after, when=change) == []
