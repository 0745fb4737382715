"""Accounts and the instance: names are taken once, limits hold, an origin never changes."""

import msgspec
import pytest

from domain import account, instance
from domain.account import (
    AccountRegistered,
    AddKey,
    ChangeProfile,
    DeleteAccount,
    EditProfile,
    Field,
    KeyAdded,
    MoveAccount,
    Profile,
    RegisterAccount,
)
from domain.events import Refused
from domain.instance import FoundInstance
from tests.domain.deciding import decided, folded


def register(username: str) -> RegisterAccount:
    uri = "https://our.test/ap/users/1"
    return RegisterAccount(account=1, username=username, username_key="k", uri=uri, url=uri)


registered = decided(account, given=[], when=register("alice"))[0]


def test_a_name_is_taken_for_good() -> None:
    assert isinstance(registered, AccountRegistered) and registered.username == "alice"
    with pytest.raises(Refused, match="already been taken"):
        decided(account, given=[registered], when=msgspec.structs.replace(register("alice"), account=2))


def test_whoever_has_the_name_may_ask_for_it_again() -> None:
    assert decided(account, given=[registered], when=register("alice")) == []


def test_a_name_and_its_other_spelling_share_a_stream_because_their_key_is_the_same() -> None:
    assert account.stream(register("Alice")) == account.stream(register("alice")) == "username:k"


@pytest.mark.parametrize("name", ["", "a" * 31, "al ice", "álice", "a/b", "..", "-a", "a-", "alice@x"])
def test_a_malformed_name_is_refused(name: str) -> None:
    with pytest.raises(Refused):
        decided(account, given=[], when=register(name))


@pytest.mark.parametrize("name", ["adm\u0131n", "\u212aevin", "bo\u017f"])
def test_a_letter_that_only_looks_like_ascii_when_case_is_ignored_is_refused(name: str) -> None:
    with pytest.raises(Refused, match="only ASCII letters, numbers and underscores, with dots and dashes between"):
        decided(account, given=[], when=register(name))


@pytest.mark.parametrize("name", ["a", "A_1", "a.b", "a-b", "x" * 30])
def test_letters_digits_and_inner_dots_and_dashes_make_a_name(name: str) -> None:
    assert len(decided(account, given=[], when=register(name))) == 1


def test_the_same_profile_again_is_silence() -> None:
    change = ChangeProfile(account=1, profile=Profile(display_name="Alice"))
    events = decided(account, given=[], when=change)
    assert len(events) == 1
    assert decided(account, given=events, when=change) == []


@pytest.mark.parametrize(
    "profile",
    [Profile(display_name="x" * 41), Profile(note="x" * 501), Profile(fields=(Field("a", "b"),) * 5)],
)
def test_a_profile_beyond_its_limits_is_refused(profile: Profile) -> None:
    with pytest.raises(Refused):
        decided(account, given=[], when=ChangeProfile(account=1, profile=profile))


def test_a_key_is_added_once_and_ten_at_most() -> None:
    keys = [KeyAdded(account=1, key_id=f"k{number}", public_key_pem="pem") for number in range(10)]
    assert decided(account, given=keys, when=AddKey(account=1, key_id="k3", public_key_pem="pem")) == []
    with pytest.raises(Refused, match="10"):
        decided(account, given=keys, when=AddKey(account=1, key_id="k10", public_key_pem="pem"))
    assert len(folded(account, keys).keys) == 10


def found(origin: str) -> FoundInstance:
    return FoundInstance(origin=origin, domain="our.test", actor=f"{origin}/actor", public_key_pem="pem")


def test_an_instance_is_founded_once_and_its_origin_never_changes() -> None:
    founded = decided(instance, given=[], when=found("https://our.test"))
    assert len(founded) == 1
    assert decided(instance, given=founded, when=found("https://our.test")) == []
    with pytest.raises(Refused, match=r"belongs to https://our\.test"):
        decided(instance, given=founded, when=found("https://other.test"))


def test_an_account_moves_only_where_it_is_named() -> None:
    with pytest.raises(Refused, match="aliases"):
        decided(account, given=[], when=MoveAccount(account=1, target=2, named_by_target=False))
    with pytest.raises(Refused, match="itself"):
        decided(account, given=[], when=MoveAccount(account=1, target=1, named_by_target=True))
    move = MoveAccount(account=1, target=2, named_by_target=True)
    moved = decided(account, given=[], when=move)
    assert len(moved) == 1 and decided(account, given=moved, when=move) == []


def test_an_account_is_deleted_once() -> None:
    deleted = decided(account, given=[], when=DeleteAccount(account=1))
    assert len(deleted) == 1 and decided(account, given=deleted, when=DeleteAccount(account=1)) == []


def test_an_edit_changes_what_it_names_and_leaves_the_rest_even_what_it_cannot_name() -> None:
    before = Profile(display_name="Al", note="me", avatar="a", also_known_as=("https://a.test/u/al",))
    (changed,) = decided(account, given=[], when=ChangeProfile(account=1, profile=before))
    (edited,) = decided(account, given=[changed], when=EditProfile(account=1, note="", avatar=None, locked=True))
    state = folded(account, [changed, edited])
    assert state.profile == msgspec.structs.replace(before, note="", avatar=None, locked=True)
    assert decided(account, given=[changed, edited], when=EditProfile(account=1, locked=True)) == []
    assert decided(account, given=[changed, edited], when=EditProfile(account=1)) == []


@pytest.mark.parametrize(
    "edit",
    [
        EditProfile(account=1, display_name="x" * 41),
        EditProfile(account=1, note="x" * 501),
        EditProfile(account=1, fields=(Field("a", "b"),) * 5),
        EditProfile(account=1, fields=(Field("a" * 256, "b"),)),
        EditProfile(account=1, fields=(Field("a", "b" * 256),)),
    ],
)
def test_an_edit_beyond_the_limits_is_refused(edit: EditProfile) -> None:
    with pytest.raises(Refused):
        decided(account, given=[], when=edit)
