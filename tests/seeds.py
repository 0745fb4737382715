"""Random seeds for tests that are repeated with another one each run."""

import os
import random

# Where several processes share the tests, all of them must name the same ones, and so draw the same seeds.
_RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID") or str(random.SystemRandom().random())


def new_seed(name: str) -> int:
    """A number below a million, of this run and this name alone. The test says it in its own name."""
    return random.Random(f"{_RUN} {name}").randrange(1_000_000)  # noqa: S311 - repeatable, not secret
