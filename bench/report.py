"""The report: tables, the conditions they were made under, and what was written by hand about rows that fell short."""

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from adapters.embedded.postgres import find_binaries
from bench.measuring import Row
from bench.services import data_filesystem

# A run that takes longer hangs: at scale 1 each has a minute.
BENCH_TIMEOUT_S = 300
HEAD = ("what", "target", "floor", "measured: median (least to most)", "of floor", "verdict")
NOTES = Path(__file__).with_name("NOTES.md")
# Loaded beyond this before anything is measured, the machine has other things to do.
QUIET_LOAD_MAX = 0.5


def table(rows: Sequence[Row]) -> str:
    """Markdown: a line a row, then its notes."""
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    lines += ["| " + " | ".join(row.cells()) + " |" for row in rows]
    notes = [f"- *{row.what}*: {row.note}" for row in rows if row.note]
    return "\n".join([*lines, "", *notes])


def run_all(names: Sequence[str], scale: float, rounds: int, out: Path) -> int:
    """Run each benchmark in a process of its own and write the report; gives how many could not be run."""
    began, load = datetime.now(UTC), os.getloadavg()[0]
    rows: list[Row] = []
    failures: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            print(f"{name} …", flush=True)
            found, failure = _run_one(name, scale, rounds, Path(folder) / name)
            rows += found
            failures += [f"- `{name}` could not be run:\n\n```\n{failure}\n```"] if failure else []
    parts = [
        "# Results",
        "Made by `python -m bench all`; one of them: `python -m bench " + "|".join(names) + "`.",
        _conditions(began, load, scale, rounds),
        table(rows),
        *failures,
        NOTES.read_text().strip() if NOTES.exists() else "",
    ]
    out.write_text("\n\n".join(part for part in parts if part) + "\n")
    print(table(rows))
    return len(failures)


def _run_one(name: str, scale: float, rounds: int, into: Path) -> tuple[list[Row], str]:
    command = [sys.executable, "-m", "bench", name, "--scale", str(scale), "--rounds", str(rounds), "--json", str(into)]
    # What the one before left to be written is not measured along.
    os.sync()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=BENCH_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return [], f"it did not end within {BENCH_TIMEOUT_S} s"
    if done.returncode:
        return [], "\n".join(done.stderr.splitlines()[-5:])
    return msgspec.json.decode(into.read_bytes(), type=list[Row]), ""


def _conditions(began: datetime, load: float, scale: float, rounds: int) -> str:
    postgres = subprocess.run(
        [str(find_binaries(Path("none")) / "postgres"), "--version"], capture_output=True, text=True, check=True
    ).stdout
    lines = [
        f"- {began:%Y-%m-%d %H:%M} UTC; {_processor()}, {os.cpu_count()} cores, {platform.system()} "
        f"{platform.release()}, data on {data_filesystem()}",
        f"- Python {platform.python_version()}; {postgres.strip()}, as `daybook up` starts it: fsync, "
        "synchronous_commit and full_page_writes on",
        "- server, projector, PostgreSQL, Valkey and the load generator share those cores; floors are measured in the "
        "same run at the same concurrency",
        f"- medians of {rounds} rounds after a warm-up, scale {scale:g}",
    ]
    if load > QUIET_LOAD_MAX:
        lines.append(
            f"- **preliminary**: the machine had other work when this began (load {load:.1f}); figures of a quiet "
            "machine are higher, ratios to floors less precise than they look"
        )
    return "\n".join(lines)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
