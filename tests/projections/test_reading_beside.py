"""Children that read the log for a projector: the same rows, whatever becomes of them."""

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from adapters.codec import Codec
from adapters.interpreter.interpret import Interpreter
from adapters.postgres.generations import Generation
from adapters.postgres.projecting import Projector
from adapters.postgres.reading_ahead import BATCH_BYTES_MAX
from adapters.postgres.reading_beside import ReadingBeside, Work
from projections.catalogue import PROJECTIONS
from tests.adapters.interpreter.peers import OURS
from tests.database import MASTER_KEY, Database
from tests.projections.histories import TimelineHistory
from tests.projections.projecting import digests, new_generation, project_all, projector_of, write_log

LENGTH = 600
END_TIMEOUT_S = 30.0
SIZES = (7, 5_000)
KILLS_MAX = 5


@pytest.fixture
def head(database: Database) -> int:
    """The last position of a log of some history."""
    history = TimelineHistory(20261126, LENGTH)
    write_log(database, history.log)
    return history.log[-1].position


@pytest.fixture
def expected(database: Database, head: int) -> dict[str, str]:
    """What a projector that reads by itself makes of it."""
    generation = new_generation(database)
    project_all(projector_of(database, generation), 500)
    return digests(database, generation)


def with_children(database: Database, generation: Generation, bytes_max: int = BATCH_BYTES_MAX) -> Projector:
    beside = partial(ReadingBeside, Work(database.app, MASTER_KEY, OURS, bytes_max), 2)
    return Projector(database.app, generation, Codec(MASTER_KEY), Interpreter(OURS), OURS, PROJECTIONS, beside)


def children() -> list[int]:
    """The processes that this one started to read for it, and that have not ended."""
    listed = " ".join(task.read_text() for task in Path("/proc/self/task").glob("*/children")).split()
    return [int(child) for child in listed if b"reading_beside" in Path(f"/proc/{child}/cmdline").read_bytes()]


@pytest.mark.parametrize("size", SIZES)
def test_what_children_read_gives_the_same_rows(
    database: Database, head: int, expected: dict[str, str], size: int
) -> None:
    generation = new_generation(database)
    projector = with_children(database, generation)
    while projector.step(size, head):
        pass
    assert len(children()) == 2
    projector.close()
    assert children() == []
    assert digests(database, generation) == expected


def test_what_does_not_fit_at_once_is_read_in_pieces(database: Database, head: int, expected: dict[str, str]) -> None:
    generation = new_generation(database)
    projector = with_children(database, generation, bytes_max=8_000)
    steps: list[int] = []
    while came := projector.step(100, head):
        steps.append(came)
    projector.close()
    assert sum(steps) == head and max(steps) < 100
    assert digests(database, generation) == expected


def test_children_that_are_killed_are_replaced_and_the_rows_are_the_same(
    database: Database, head: int, expected: dict[str, str]
) -> None:
    generation = new_generation(database)
    projector = with_children(database, generation)
    kills = 0
    while projector.step(20, head):
        if kills < KILLS_MAX:
            for child in children()[:1]:
                os.kill(child, signal.SIGKILL)
                kills += 1
    projector.close()
    assert kills == KILLS_MAX
    assert digests(database, generation) == expected


def test_a_child_ends_with_whoever_started_it() -> None:
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "adapters.postgres.reading_beside"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    said, _ = child.communicate(timeout=END_TIMEOUT_S)  # closes its input, as the end of its parent does
    assert (child.returncode, said) == (0, b"")
