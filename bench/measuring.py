"""Rows of results: medians over rounds, against a target and, where there is one, a floor from the same run."""

from collections.abc import Sequence
from statistics import median
from typing import Literal

import msgspec

ROUNDS = 5
GOOD_ENOUGH = 0.7
"""The share of its target below which a row needs its three largest costs named."""

Kind = Literal["at least", "at most", "of the floor"]


class Target(msgspec.Struct, frozen=True):
    """`value` is in the row's unit, or the share of the floor that is to be reached."""

    kind: Kind
    value: float

    def text(self, unit: str) -> str:
        """As the table shows it."""
        match self.kind:
            case "at least":
                return f"≥ {_short(self.value)} {unit}"
            case "at most":
                return f"≤ {_short(self.value)} {unit}"
            case "of the floor":
                return f"≥ {self.value} of the floor"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the results. `measured` and `floor` hold a figure a round, both in `unit`."""

    what: str
    unit: str
    measured: tuple[float, ...]
    target: Target | None = None
    floor: tuple[float, ...] = ()
    note: str = ""

    @property
    def reached(self) -> float | None:
        """The share of the target that was reached; above 1 is better than asked."""
        if self.target is None:
            return None
        found = median(self.measured)
        match self.target.kind:
            case "at least":
                return found / self.target.value
            case "at most":
                return self.target.value / found if found else 1.0
            case "of the floor":
                return found / median(self.floor) / self.target.value

    @property
    def verdict(self) -> str:
        """In a word or two."""
        reached = self.reached
        if reached is None:
            return "-"
        if reached >= 1:
            return "met"
        return f"{reached:.0%} of target" if reached >= GOOD_ENOUGH else f"missed ({reached:.0%})"

    def cells(self) -> tuple[str, ...]:
        """what, target, floor, measured, ratio to the floor, verdict."""
        found = median(self.measured)
        spread = f"{_short(found)} {self.unit} ({_short(min(self.measured))} to {_short(max(self.measured))})"
        floor = f"{_short(median(self.floor))} {self.unit}" if self.floor else "-"
        ratio = f"{found / median(self.floor):.2f}" if self.floor else "-"
        return self.what, self.target.text(self.unit) if self.target else "-", floor, spread, ratio, self.verdict


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
