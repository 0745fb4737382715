"""Pace: how fast a replay may go, by choice, so that whoever shares the machine with it has room."""

from math import ceil
from time import monotonic, sleep

FAST_BATCH = 5_000
# A batch is work in one piece: a slow pace takes small ones often rather than a large one now and then.
BATCHES_A_SECOND = 4


class Pace:
    """At most `rate` events a second, on average over a batch or two; None is as fast as it goes."""

    def __init__(self, rate: float | None = None) -> None:
        self._rate = rate
        self._due = 0.0

    @property
    def is_limited(self) -> bool:
        """Whether there is a rate to keep to."""
        return self._rate is not None

    @property
    def batch(self) -> int:
        """How many events to take at once."""
        return FAST_BATCH if self._rate is None else min(FAST_BATCH, ceil(self._rate / BATCHES_A_SECOND))

    def pause(self, events: int) -> None:
        """Wait until these events have had their time. What was slower than the pace is not made up for."""
        if self._rate is None:
            return
        self._due = max(self._due, monotonic()) + events / self._rate
        sleep(max(0.0, self._due - monotonic() - 1 / BATCHES_A_SECOND))
