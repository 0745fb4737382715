"""Preferences: how somebody's posts are made unless they say otherwise with each.

What a post is made of is in the post; these only fill in what a client leaves out.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from domain.events import Command, Event

# Nobody wants all that they write to go to nobody.
DefaultVisibility = Literal["public", "unlisted", "private"]


class PreferencesChanged(Event, frozen=True, tag="preferences.changed"):
    """The preferences as they are from now on, whole. `language` is a tag such as "de", None for none in particular."""

    account: int
    visibility: DefaultVisibility = "public"
    sensitive: bool = False
    language: str | None = None
    changed_at: datetime | None = None


class ChangePreferences(Command, frozen=True):
    """Prefer something else from now on; what is unset stays."""

    account: int
    visibility: DefaultVisibility | UnsetType = UNSET
    sensitive: bool | UnsetType = UNSET
    language: str | UnsetType | None = UNSET


PreferencesEvent = PreferencesChanged
PreferencesCommand = ChangePreferences


class Preferences(msgspec.Struct, frozen=True):
    """What somebody prefers; these are everybody's to begin with."""

    visibility: DefaultVisibility = "public"
    sensitive: bool = False
    language: str | None = None


INITIAL = Preferences()
TOUCHED_BY_REMOTE: bool = False


def stream(command: PreferencesCommand) -> str:
    """One stream per account."""
    return f"preferences:{command.account}"


def decide(state: Preferences, command: PreferencesCommand, now: datetime) -> Sequence[PreferencesEvent]:
    """Whatever is preferred is allowed."""
    wanted = Preferences(
        visibility=state.visibility if command.visibility is UNSET else command.visibility,
        sensitive=state.sensitive if command.sensitive is UNSET else command.sensitive,
        language=state.language if command.language is UNSET else command.language,
    )
    if wanted == state:
        return []
    return [
        PreferencesChanged(
            account=command.account,
            visibility=wanted.visibility,
            sensitive=wanted.sensitive,
            language=wanted.language,
            changed_at=now,
        )
    ]


def evolve(state: Preferences, event: PreferencesEvent) -> Preferences:
    """The last ones count."""
    return Preferences(event.visibility, event.sensitive, event.language)
