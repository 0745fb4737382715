"""docs/operating.md says of faults only what a test proves."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
COLUMNS = ["fault", "what people notice", "what Daybook does and says", "what you do", "test"]
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def rows() -> list[list[str]]:
    """The cells of the table of faults."""
    lines = (ROOT / "docs/operating.md").read_text().splitlines()
    header = lines.index(f"| {' | '.join(COLUMNS)} |")
    found: list[list[str]] = []
    for line in lines[header + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return found


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_each_row_of_the_table_of_faults_is_whole_and_names_a_test_that_exists(row: list[str]) -> None:
    assert len(row) == len(COLUMNS)
    assert all(row)
    named = _TEST.findall(row[-1])
    assert named, f"no test proves it: {row[0]}"
    for path, name in named:
        assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE), f"{path} has no {name}"
