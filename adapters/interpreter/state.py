"""What settling remembers: read for one batch, changed in memory, written back with the facts.

Every key that settling may ask for is looked up beforehand and seeded, with None when there is nothing. Reading any
other raises: absent and not loaded must never look alike, or the tables would depend on how events were batched.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal, TypeVar

import msgspec

from adapters.interpreter.claims import Claim
from domain.follow import INITIAL, Follow
from domain.post import Visibility

WAITING_MAX: Final = 1_000
"""How many may wait for one URI: all of them are settled in one batch when it comes."""

Key = TypeVar("Key")
Value = TypeVar("Value")
Pair = tuple[int, int]
ToggleKind = Literal["favourite", "boost", "block", "pin"]
Ends = tuple[ToggleKind, int, int]
"""A toggle's kind, who does it, and to what: a post, or for a block an account."""


class NotLookedUp(Exception):
    """Settling asked for a key that look-up did not foresee: a bug in `names`, never something a peer can cause."""


class Seeded(dict[Key, Value]):
    """A dict in which what was not looked up can't be mistaken for what is not there."""

    def __missing__(self, key: Key) -> Value:
        raise NotLookedUp(repr(key))


class Known(msgspec.Struct, frozen=True):
    """What a URI names.

    `owner` and `object` are ids: for an account itself and where it moved to, for a post its author and None, for a
    follow or a toggle its two ends. `since` is the position that made it known, `delivered` false while only a fetch
    has brought it. `updated` is the newest version of a post's body that was seen, or when an account moved. `audience`
    holds the URIs of those whom a post of ours that is not for everybody is addressed to.
    """

    kind: Literal["account", "post", "follow", "favourite", "boost", "block"]
    id: int | None
    owner: int
    object: int | None
    since: int
    delivered: bool = True
    gone: bool = False
    updated: datetime | None = None
    visibility: Visibility | None = None
    audience: tuple[str, ...] = ()


class Toggle(msgspec.Struct, frozen=True):
    """What stands between two ends: the id of the activity, None for nothing; for a boost its own id too."""

    activity: str | None = None
    id: int | None = None


OFF = Toggle()


class Said(msgspec.Struct, frozen=True):
    """What an account last said of itself that its later activities lean on."""

    featured: str | None = None
    aliases: tuple[str, ...] = ()


class Parked(msgspec.Struct, frozen=True):
    """A claim that waits for a URI, or for nothing that will ever come (poison), and why."""

    claim: Claim
    waits_for: str | None
    brings: str | None
    reason: str


class State:
    """The keys of one batch. `ids` are those of URIs in `app.ids`, `uris` the other way round.

    `waiting_max` is how many may wait for one URI, `crowds` how many do, looked up or not.
    """

    def __init__(self, waiting_max: int = WAITING_MAX) -> None:
        self.waiting_max = waiting_max
        self.crowds: Seeded[str, int] = Seeded()
        self.ids: Seeded[str, int | None] = Seeded()
        self.uris: Seeded[int, str | None] = Seeded()
        self.known: Seeded[str, Known | None] = Seeded()
        self.tombs: Seeded[tuple[str, int], bool] = Seeded()
        self.departed: Seeded[int, bool] = Seeded()
        self.relations: Seeded[Pair, Follow] = Seeded()
        self.toggles: Seeded[Ends, Toggle] = Seeded()
        self.said: Seeded[int, Said] = Seeded()
        self.parked: dict[int, Parked] = {}
        self._waiting: Seeded[str, set[int]] = Seeded()
        self._bringing: Seeded[str, set[int]] = Seeded()
        self.changed_known: set[str] = set()
        self.stored_known: set[str] = set()
        self.changed_tombs: set[tuple[str, int]] = set()
        self.changed_departed: set[int] = set()
        self.changed_relations: set[Pair] = set()
        self.changed_toggles: set[Ends] = set()
        self.changed_said: set[int] = set()
        self.changed_parked: set[int] = set()
        self.stored_parked: set[int] = set()

    def seed(self, uris: Iterable[str]) -> None:
        """These may be asked for, and so far there is nothing."""
        for uri in uris:
            self.ids.setdefault(uri, None)
            self.known.setdefault(uri, None)
            self._waiting.setdefault(uri, set())
            self.crowds.setdefault(uri, 0)

    def recall(self, uri: str, known: Known) -> None:
        """What the URI names, as it was read."""
        self.known[uri] = known
        self.stored_known.add(uri)

    def know(self, uri: str, known: Known) -> None:
        """From now on the URI names that."""
        self.known[uri] = known
        self.changed_known.add(uri)

    def is_gone(self, known: Known) -> bool:
        """Whether it was deleted, or whose it is."""
        return known.gone or self.departed[known.owner]

    def bury(self, uri: str, signer: int) -> None:
        """The signer deleted it before it came."""
        self.tombs[uri, signer] = True
        self.changed_tombs.add((uri, signer))

    def depart(self, account: int) -> None:
        """The account is gone with all that is its own, known or not."""
        self.departed[account] = True
        self.changed_departed.add(account)

    def relate(self, pair: Pair, follow: Follow) -> None:
        """How far the follow of this pair has come."""
        self.relations[pair] = follow
        self.changed_relations.add(pair)

    def seed_pair(self, pair: Pair, follow: Follow = INITIAL) -> None:
        """The follow of this pair may be asked for."""
        self.relations.setdefault(pair, follow)

    def turn(self, ends: Ends, toggle: Toggle) -> None:
        """What stands between these ends from now on."""
        self.toggles[ends] = toggle
        self.changed_toggles.add(ends)

    def stands(self, ends: Ends) -> bool:
        """Whether something stands between these ends."""
        return self.toggles[ends].activity is not None

    def say(self, account: int, said: Said) -> None:
        """What the account says of itself from now on."""
        self.said[account] = said
        self.changed_said.add(account)

    def park(self, parked: Parked) -> None:
        """Keep the claim until what it waits for comes."""
        self._hold(parked)
        self.changed_parked.add(parked.claim.position)
        if parked.waits_for is not None:
            self.crowds[parked.waits_for] += 1

    def restore(self, parked: Parked) -> None:
        """A parked claim as it was read."""
        self._hold(parked)
        self.stored_parked.add(parked.claim.position)

    def release(self, uri: str) -> list[Parked]:
        """Take out all that waits for the URI."""
        return self.take_out(sorted(self._waiting[uri]))

    def take_out(self, positions: Iterable[int]) -> list[Parked]:
        """What was received at these positions and waits for something, which it does no longer."""
        taken: list[Parked] = []
        for position in positions:
            parked = self.parked.get(position)
            if parked is None or parked.waits_for is None:
                continue
            taken.append(self.parked.pop(position))
            self.changed_parked.add(position)
            self._waiting[parked.waits_for].discard(position)
            self.crowds[parked.waits_for] -= 1
            if parked.brings is not None and parked.brings in self._bringing:
                self._bringing[parked.brings].discard(position)
        return taken

    def is_crowded(self, uri: str) -> bool:
        """Whether so many wait for the URI that nothing more may."""
        return self.crowds[uri] >= self.waiting_max

    def brought_by_parked(self, uri: str) -> bool:
        """Whether something parked would bring the URI; what names it has to wait behind that."""
        return bool(self._bringing[uri])

    def seed_bringing(self, uri: str, positions: Iterable[int] = ()) -> None:
        """It may be asked whether something parked would bring the URI; what stands at these positions would."""
        self._bringing.setdefault(uri, set()).update(positions)

    def _hold(self, parked: Parked) -> None:
        position = parked.claim.position
        self.parked[position] = parked
        if parked.waits_for is not None:
            self._waiting[parked.waits_for].add(position)
            if parked.brings is not None and parked.brings in self._bringing:
                self._bringing[parked.brings].add(position)
