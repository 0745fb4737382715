"""Account: a name taken for good, a profile that changes, the keys that prove who wrote.

The same events tell of local and of remote accounts: a remote actor's document says `account.registered` the first
time and `account.profile_changed` afterwards.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, assert_never

import msgspec
from msgspec import UNSET, UnsetType

from domain.events import Command, Event, Refused

USERNAME_MAX = 30
DISPLAY_NAME_MAX = 40
NOTE_MAX = 500
FIELDS_MAX = 4
FIELD_CHARACTERS_MAX = 255
KEYS_MAX = 10
# Without ASCII, ignoring case would take the dotless i for i, and the Kelvin sign for k.
_USERNAME = re.compile(r"[a-z0-9_]+(?:[.-]+[a-z0-9_]+)*", re.IGNORECASE | re.ASCII)

ActorType = Literal["Person", "Service", "Group", "Organization", "Application"]


class Field(msgspec.Struct, frozen=True):
    """One row of a profile's table. `value` is text as typed (local) or sanitised HTML (remote)."""

    name: str
    value: str


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What an account says of itself. `note` is as typed; `note_html` is the sanitised HTML a remote server gave."""

    display_name: str = ""
    note: str = ""
    note_html: str | None = None
    locked: bool = False
    bot: bool = False
    discoverable: bool | None = None
    indexable: bool = False
    fields: tuple[Field, ...] = ()
    avatar: str | None = None
    header: str | None = None
    also_known_as: tuple[str, ...] = ()
    hide_collections: bool = False


class Endpoints(msgspec.Struct, frozen=True, kw_only=True):
    """Where a remote actor is reached: URLs of its own origin."""

    inbox: str
    shared_inbox: str | None = None
    outbox: str | None = None
    followers: str | None = None
    featured: str | None = None


class AccountRegistered(Event, frozen=True, tag="account.registered"):
    """A name was taken. `domain` and `endpoints` are None for a local account; `uri` is the actor's id."""

    account: int
    username: str
    uri: str
    url: str
    registered_at: datetime
    domain: str | None = None
    actor_type: ActorType = "Person"
    profile: Profile = Profile()
    endpoints: Endpoints | None = None


class ProfileChanged(Event, frozen=True, tag="account.profile_changed"):
    """The profile as it is from now on, whole."""

    account: int
    profile: Profile
    actor_type: ActorType = "Person"
    endpoints: Endpoints | None = None
    changed_at: datetime | None = None


class KeyAdded(Event, frozen=True, tag="account.key_added"):
    """A public key that this local account signs with from now on."""

    account: int
    key_id: str
    public_key_pem: str
    added_at: datetime | None = None


class AccountMoved(Event, frozen=True, tag="account.moved"):
    """The account's owner is to be found as `target` from now on, which names this account among its others."""

    account: int
    target: int
    moved_at: datetime | None = None


class AccountDeleted(Event, frozen=True, tag="account.deleted"):
    """The account is gone with all that it wrote, for good: nobody gets its name or its URI again."""

    account: int
    deleted_at: datetime | None = None


class RegisterAccount(Command, frozen=True):
    """Take a name. `username_key` is the keyed hash of the case-folded name: the log's streams hold no names."""

    account: int
    username: str
    username_key: str
    uri: str
    url: str


class ChangeProfile(Command, frozen=True):
    """Set the whole profile."""

    account: int
    profile: Profile


class EditProfile(Command, frozen=True):
    """Change parts of the profile; what is unset stays, so that two edits at once lose nothing of each other."""

    account: int
    display_name: str | UnsetType = UNSET
    note: str | UnsetType = UNSET
    locked: bool | UnsetType = UNSET
    bot: bool | UnsetType = UNSET
    discoverable: bool | UnsetType = UNSET
    indexable: bool | UnsetType = UNSET
    hide_collections: bool | UnsetType = UNSET
    fields: tuple[Field, ...] | UnsetType = UNSET
    avatar: str | UnsetType | None = UNSET
    header: str | UnsetType | None = UNSET


class AddKey(Command, frozen=True):
    """Publish one more key. The private half never enters a command."""

    account: int
    key_id: str
    public_key_pem: str


class MoveAccount(Command, frozen=True):
    """Lead followers elsewhere. `named_by_target` is whether the target's own document names this account."""

    account: int
    target: int
    named_by_target: bool


class DeleteAccount(Command, frozen=True):
    """Be gone, for good."""

    account: int


AccountEvent = AccountRegistered | ProfileChanged | KeyAdded | AccountMoved | AccountDeleted
AccountCommand = RegisterAccount | ChangeProfile | EditProfile | AddKey | MoveAccount | DeleteAccount


class Account(msgspec.Struct, frozen=True):
    """What deciding needs: whose the name is (None: nobody's), the profile as it is, the keys, where it went."""

    account: int | None = None
    profile: Profile = Profile()
    keys: tuple[str, ...] = ()
    moved_to: int | None = None
    deleted: bool = False


INITIAL = Account()
TOUCHED_BY_REMOTE: bool = False


def stream(command: AccountCommand) -> str:
    """Names agree with themselves, and each account with itself; hence two kinds of stream."""
    if isinstance(command, RegisterAccount):
        return f"username:{command.username_key}"
    return f"account:{command.account}"


def decide(state: Account, command: AccountCommand, now: datetime) -> Sequence[AccountEvent]:
    """Raises Refused for a name that is malformed or taken, a profile beyond its limits, a move nobody vouches for."""
    match command:
        case RegisterAccount():
            return _registered(state, command, now)
        case ChangeProfile():
            return _profile_changed(state, command.account, command.profile, now)
        case EditProfile():
            return _profile_changed(state, command.account, _edited(state.profile, command), now)
        case AddKey():
            return _key_added(state, command, now)
        case MoveAccount():
            return _moved(state, command, now)
        case DeleteAccount():
            return [] if state.deleted else [AccountDeleted(account=command.account, deleted_at=now)]
        case _:
            assert_never(command)


def evolve(state: Account, event: AccountEvent) -> Account:
    """Fold one event into the state."""
    match event:
        case AccountRegistered():
            return msgspec.structs.replace(state, account=event.account, profile=event.profile)
        case ProfileChanged():
            return msgspec.structs.replace(state, profile=event.profile)
        case KeyAdded():
            return msgspec.structs.replace(state, keys=(*state.keys, event.key_id))
        case AccountMoved():
            return msgspec.structs.replace(state, moved_to=event.target)
        case AccountDeleted():
            return msgspec.structs.replace(state, deleted=True)
        case _:
            assert_never(event)


def check_username(username: str) -> None:
    """Raises Refused for a name that nobody may have."""
    if not username:
        raise Refused("Username can't be blank")
    if len(username) > USERNAME_MAX:
        raise Refused(f"Username is too long (maximum is {USERNAME_MAX} characters)")
    if not _USERNAME.fullmatch(username):
        raise Refused("Username must contain only ASCII letters, numbers and underscores, with dots and dashes between")


def _registered(state: Account, command: RegisterAccount, now: datetime) -> Sequence[AccountEvent]:
    if state.account == command.account:
        return []
    check_username(command.username)
    if state.account is not None:
        raise Refused("Username has already been taken")
    return [
        AccountRegistered(
            account=command.account,
            username=command.username,
            uri=command.uri,
            url=command.url,
            registered_at=now,
        )
    ]


def _profile_changed(state: Account, account: int, profile: Profile, now: datetime) -> Sequence[AccountEvent]:
    if profile == state.profile:
        return []
    _check_profile(profile)
    return [ProfileChanged(account=account, profile=profile, changed_at=now)]


def _edited(profile: Profile, command: EditProfile) -> Profile:
    given = msgspec.structs.asdict(command)
    changes = {name: value for name, value in given.items() if name != "account" and value is not UNSET}
    return msgspec.structs.replace(profile, **changes)


def _key_added(state: Account, command: AddKey, now: datetime) -> Sequence[AccountEvent]:
    if command.key_id in state.keys:
        return []
    if len(state.keys) >= KEYS_MAX:
        raise Refused(f"An account has at most {KEYS_MAX} keys")
    pem = command.public_key_pem
    return [KeyAdded(account=command.account, key_id=command.key_id, public_key_pem=pem, added_at=now)]


def _moved(state: Account, command: MoveAccount, now: datetime) -> Sequence[AccountEvent]:
    if state.moved_to == command.target:
        return []
    if command.account == command.target:
        raise Refused("An account can't move to itself")
    if not command.named_by_target:
        raise Refused("The account moved to must first name this one among its aliases")
    return [AccountMoved(account=command.account, target=command.target, moved_at=now)]


def _check_profile(profile: Profile) -> None:
    if len(profile.display_name) > DISPLAY_NAME_MAX:
        raise Refused(f"Display name is too long (maximum is {DISPLAY_NAME_MAX} characters)")
    if len(profile.note) > NOTE_MAX:
        raise Refused(f"Note is too long (maximum is {NOTE_MAX} characters)")
    if len(profile.fields) > FIELDS_MAX:
        raise Refused(f"A profile has at most {FIELDS_MAX} fields")
    if any(len(part) > FIELD_CHARACTERS_MAX for field in profile.fields for part in (field.name, field.value)):
        raise Refused(f"Fields are too long (maximum is {FIELD_CHARACTERS_MAX} characters)")
