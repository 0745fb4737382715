"""Each benchmark runs, at a scale at which its figures mean nothing, so that none of them rots."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bench.__main__ import BENCHES
from bench.measuring import Row, Target, percentile
from bench.report import table

ROOT = Path(__file__).parents[2]
TINY = ("--scale", "0.01", "--rounds", "1")


@pytest.mark.parametrize("name", BENCHES)
def test_a_benchmark_runs_and_gives_rows(name: str, tmp_path: Path) -> None:
    into = tmp_path / "rows.json"
    done = subprocess.run(
        [sys.executable, "-m", "bench", name, *TINY, "--json", str(into)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = msgspec.json.decode(into.read_bytes(), type=list[Row])
    assert rows and all(figure > 0 for row in rows for figure in (*row.measured, *row.floor))


def test_a_row_is_judged_by_its_median_against_target_or_floor() -> None:
    assert row(Target("at least", 100), 90, 80, 1_000).verdict == "90% of target"
    assert row(Target("at least", 100), 150, 100, 60).verdict == "met"
    assert row(Target("at most", 10), 20, 20, 1).verdict == "missed (50%)"
    assert row(Target("of the floor", 0.5), 40, floor=(100.0,)).verdict == "80% of target"
    assert row(None, 40).verdict == "-"


def test_the_table_has_a_line_a_row_and_its_notes() -> None:
    lines = table([row(Target("at least", 100), 150), row(None, 3)]).splitlines()
    assert len([line for line in lines if line.startswith("| it |")]) == 2


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert percentile([3, 1, 2], 0.5) == 2
    assert percentile(list(range(100)), 0.99) == 99
    assert percentile([7], 0.99) == 7


def row(target: Target | None, *measured: float, floor: tuple[float, ...] = ()) -> Row:
    return Row(what="it", unit="/s", measured=measured, target=target, floor=floor)
