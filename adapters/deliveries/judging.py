"""What an answer means for a delivery and for its host, and how long to wait: pure rules (federation practice).

A delivery's own failures are kept apart from its host's. What never reached the host says nothing about the delivery;
one that a living host chokes on must not keep the others waiting.
"""

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Final

ATTEMPTS_MAX: Final = 16
DELAY_FIRST_S: Final = 15
DELAY_MAX_S: Final = 12 * 3600
JITTER: Final = 0.25
RETRY_AFTER_MAX_S: Final = 12 * 3600
BREAKER_FAILURES: Final = 10
BREAKER_PAUSE_S: Final = 60.0

_TOO_MANY, _UNAVAILABLE = 429, 503
# Not for good, though 4xx: a key may be fetched anew, a block lifted, a clock set.
_OWN_TROUBLE: Final = frozenset({401, 403, 408})
_HOST_TROUBLE: Final = frozenset({429, 502, 503, 504})
_NEVER: Final = frozenset({501})


class Outcome(Enum):
    """What became of one attempt."""

    DONE = "done"
    DROPPED = "dropped"
    """The host says no for good, and lives."""
    AGAIN = "again"
    """This delivery failed by itself: others may go on."""
    TROUBLE = "trouble"
    """The host was reached and failed: wait with all, and begin with another delivery, in case this one is to blame."""
    UNREACHABLE = "unreachable"
    """The delivery never got there: wait with all."""
    WAIT = "wait"
    """The host asks for time."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`words` say what happened, for people; `wait_s` is what the host asked for."""

    outcome: Outcome
    words: str = ""
    wait_s: float | None = None


def judged(status: int, retry_after: str, now: datetime) -> Verdict:
    """The meaning of an HTTP answer with this status and Retry-After header (empty when there was none)."""
    words = f"answered {status}"
    if status in _HOST_TROUBLE:
        wait_s = asked_to_wait_s(retry_after, now) if status in (_TOO_MANY, _UNAVAILABLE) else None
        return Verdict(Outcome.TROUBLE if wait_s is None else Outcome.WAIT, words, wait_s)
    if 200 <= status < 300:  # noqa: PLR2004 - as the RFC writes it
        return Verdict(Outcome.DONE)
    if status in _NEVER or (400 <= status < 500 and status not in _OWN_TROUBLE):  # noqa: PLR2004 - likewise
        return Verdict(Outcome.DROPPED, words)
    return Verdict(Outcome.AGAIN, words)


def asked_to_wait_s(retry_after: str, now: datetime) -> float | None:
    """The seconds that a Retry-After (RFC 9110 §10.2.3) asks for, 1 s to 12 h; None when it says nothing readable."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        asked = float(text)
    else:
        try:
            until = parsedate_to_datetime(text)
        except ValueError:
            return None
        asked = (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds()
    return min(max(asked, 1.0), RETRY_AFTER_MAX_S)


def delay_s(failures: int, dice: random.Random) -> float:
    """How long to wait after so many failures: `n⁴ + 15 s ± 25 %`, at most 12 h."""
    plain = min(failures, ATTEMPTS_MAX) ** 4 + DELAY_FIRST_S
    return min(plain * dice.uniform(1 - JITTER, 1 + JITTER), DELAY_MAX_S)
