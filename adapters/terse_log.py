"""One fault is said once: what would be logged a thousand times meanwhile is counted instead.

A warning with the words of an earlier one (whatever stands in their places) is held back for ten seconds, then twice
as long each time, at most ten minutes; when one comes through again it tells how many were held back. Errors always
come through, and so does the first warning after something answered again.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from adapters.outage import ANSWERS

HELD_BACK_FIRST_S: Final = 10.0
HELD_BACK_MAX_S: Final = 600.0
SENTENCES_MAX: Final = 1_000


@dataclass(slots=True)
class _Said:
    at_s: float
    hold_s: float = HELD_BACK_FIRST_S
    held_back: int = 0


class SaidOnce(logging.Filter):
    """Holds back what was said already, and puts every warning on one line.

    That something is away or back is said when it was not the last that was said of it: several may find out.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._said: dict[tuple[str, str], _Said] = {}
        self._answers: dict[str, bool] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to say it."""
        if record.levelno != logging.WARNING:
            return True
        answers: bool | None = getattr(record, ANSWERS, None)
        held_back = (
            self._held_back(record.name, str(record.msg)) if answers is None else self._news(record.name, answers)
        )
        if held_back is None:
            return False
        record.msg, record.args = " ".join(record.getMessage().split()), ()
        if held_back:
            record.msg += f" (as {held_back} more times lately)"
        return True

    def _news(self, name: str, answers: bool) -> int | None:
        """0 when that is news of what `name` logs of, None when it was said last."""
        with self._lock:
            if self._answers.get(name, True) == answers:
                return None
            self._answers[name] = answers
            if answers:
                self._said.clear()
            return 0

    def _held_back(self, name: str, words: str) -> int | None:
        """How many were held back since the last that was said; None to hold this one back, too."""
        with self._lock:
            now = self._clock_s()
            said = self._said.get((name, words))
            if said is None or now - said.at_s > 2 * said.hold_s:
                if len(self._said) >= SENTENCES_MAX:
                    self._said.clear()
                self._said[name, words] = _Said(now)
                return said.held_back if said is not None else 0
            if now - said.at_s < said.hold_s:
                said.held_back += 1
                return None
            held_back, said.held_back = said.held_back, 0
            said.at_s, said.hold_s = now, min(2 * said.hold_s, HELD_BACK_MAX_S)
            return held_back
