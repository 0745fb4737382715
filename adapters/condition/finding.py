"""What was found: well, worth a look, or wrong; in one sentence, with one on what to do about it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, Literal

import msgspec

State = Literal["ok", "warning", "wrong"]

RANK: Final[dict[State, int]] = {"ok": 0, "warning": 1, "wrong": 2}
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400
_KIB: Final = 1024


class Finding(msgspec.Struct, frozen=True):
    """`check` names what was looked at, for programs; `todo` is empty where there is nothing to do."""

    check: str
    state: State
    what: str
    todo: str = ""


def ok(check: str, what: str) -> Finding:
    """As it should be."""
    return Finding(check, "ok", what)


def warning(check: str, what: str, todo: str) -> Finding:
    """It works, and somebody should look."""
    return Finding(check, "warning", what, todo)


def wrong(check: str, what: str, todo: str) -> Finding:
    """It does not work, or will not for long."""
    return Finding(check, "wrong", what, todo)


def worst(findings: Sequence[Finding]) -> State:
    """The worst state among them; ok where there are none."""
    states = {finding.state for finding in findings}
    return "wrong" if "wrong" in states else "warning" if "warning" in states else "ok"


def span(seconds: float) -> str:
    """A length of time as people say it, in its largest unit: 45 s, 12 min, 3 h, 9 days."""
    for unit_s, unit in ((_DAY_S, "days"), (_HOUR_S, "h"), (_MINUTE_S, "min")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def span_of(length: timedelta) -> str:
    """The same of a timedelta."""
    return span(length.total_seconds())


def size(count: float) -> str:
    """So many bytes as people say it: 512 B, 3.2 GiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < _KIB:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= _KIB
    return f"{count:.1f} TiB"
