"""What something costs in CPU time, by what a plain pass takes on the same machine: machines are slow at times."""

import time
from collections.abc import Callable

PASS_CHARACTERS = 100_000
PASSES_MAX = 150
"""What is linear takes a tenth of it on a quiet machine; what is quadratic in such a text takes thousands."""


def cpu_s(work: Callable[[], object], rounds: int = 3) -> float:
    """Seconds of the quickest of some rounds, so that a neighbour on the same machine proves nothing."""

    def once() -> float:
        start = time.process_time()
        work()
        return time.process_time() - start

    return min(once() for _ in range(rounds))


def in_passes(work: Callable[[], object]) -> float:
    """How many plain passes of Python over 100,000 characters it costs."""
    return cpu_s(work) / cpu_s(lambda: [character.isalpha() for character in "a" * PASS_CHARACTERS], rounds=5)
