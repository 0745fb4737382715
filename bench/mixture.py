"""What people on other servers do: Create 60 %, Like 15, Announce 10, Follow 10, rest 5, about what was said lately."""

import random
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Any, TypeVar

from bench import peers

RECENT = 2_000
KINDS = {"Create": 60, "Like": 15, "Announce": 10, "Follow": 10, "Update": 2, "Delete": 2, "Undo": 1}
REPLIES_SHARE = 0.3
MENTIONS_SHARE = 0.1
ABOUT_HERE_SHARE = 0.1
_One = TypeVar("_One")
_NAMES, _WEIGHTS = list(KINDS), list(accumulate(KINDS.values()))


class Mixture:
    """Makes activities one by one; remembers the last Notes and Follows, at most RECENT of each.

    `here` are the URIs of local accounts, `when` says what time it is.
    """

    def __init__(self, dice: random.Random, here: Sequence[str], when: Callable[[], datetime]) -> None:
        self._dice = dice
        self._here = here
        self._when = when
        self._number = 0
        self._notes: list[tuple[int, dict[str, Any]]] = []
        self._asked: list[dict[str, Any]] = []
        self._said_here: list[str] = []

    def kind(self) -> str:
        """A kind, drawn by its share."""
        return self._dice.choices(_NAMES, cum_weights=_WEIGHTS)[0]

    def activity(self, kind: str, author: int) -> dict[str, Any]:
        """One of that kind, by `author` but where only somebody else can do it; the first is a Create."""
        match kind if self._notes else "Create":
            case "Create":
                return self._create(author)
            case "Like" | "Announce":
                return peers.small(kind, author, self.next(), self._recent_uri())
            case "Follow":
                asked = peers.small(kind, author, self.next(), self._dice.choice(self._here))
                _remember(self._asked, asked)
                return asked
            case "Undo" if self._asked:
                # What is undone is its author's, whoever was drawn.
                asked = self._asked.pop(self._dice.randrange(len(self._asked)))
                return {
                    **peers.small(kind, author, self.next(), asked),
                    "actor": asked["actor"],
                    "id": f"{asked['id']}/undo",
                }
            case "Update":
                by, created = self._recent()
                return peers.update(self._dice, by, created, self._when())
            case _:
                by, created = self._recent()
                return peers.small("Delete", by, self.next(), created["object"]["id"])

    def said_here(self, uri: str) -> None:
        """A local account's post: some of what comes is about it from now on."""
        _remember(self._said_here, uri)

    def next(self) -> int:
        """A number that nothing has yet."""
        self._number += 1
        return self._number

    def _create(self, author: int) -> dict[str, Any]:
        answers = self._recent_uri() if self._notes and self._dice.random() < REPLIES_SHARE else None
        names = self._dice.choice(self._here) if self._dice.random() < MENTIONS_SHARE else None
        created = peers.create(self._dice, author, self.next(), self._when(), answers=answers, names=names)
        _remember(self._notes, (author, created))
        return created

    def _recent(self) -> tuple[int, dict[str, Any]]:
        return self._dice.choice(self._notes)

    def _recent_uri(self) -> str:
        if self._said_here and self._dice.random() < ABOUT_HERE_SHARE:
            return self._dice.choice(self._said_here)
        return self._recent()[1]["object"]["id"]


def _remember(some: list[_One], one: _One) -> None:
    some.append(one)
    if len(some) > RECENT:
        del some[: RECENT // 2]
