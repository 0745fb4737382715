"""Gives out ids for what is made here: by the clock, and ascending all the same when that is set back."""

import secrets
import threading
from collections.abc import Callable
from datetime import datetime

from domain.ids import COUNTER_MASK, local_id, milliseconds_of


class LocalIds:
    """Safe to share between threads. Two processes start their counters at random; a clash is refused by the log.

    `latest` is an id that was given before this began, by a clock that may have been ahead of today's.
    """

    def __init__(self, now: Callable[[], datetime], latest: int = 0) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._milliseconds = milliseconds_of(latest)
        self._counter = COUNTER_MASK

    def next(self) -> int:
        """The next id."""
        with self._lock:
            now = int(self._now().timestamp() * 1000)
            if now > self._milliseconds:
                self._milliseconds = now
                self._counter = secrets.randbelow(COUNTER_MASK // 2)
            elif self._counter == COUNTER_MASK:
                self._milliseconds += 1
                self._counter = 0
            else:
                self._counter += 1
            return local_id(self._milliseconds, self._counter)
