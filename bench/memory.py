"""Resident memory of an idle `daybook up`: all its processes but PostgreSQL, each page counted once."""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import uvloop

from adapters.config import Settings
from bench.load import gets
from bench.measuring import Row, Target
from bench.services import instance
from bench.stage import staged

IDLE_S = 10.0
WARM_S = 1.0
MB = 1_000_000
_PSS = re.compile(r"^Pss: +(\d+) kB", re.MULTILINE)


def run(scale: float, rounds: int) -> list[Row]:
    """An instance that answered some requests and then has nothing to do."""
    with instance() as settings:
        uvloop.run(_warmed(settings, scale))
        found: list[float] = []
        for _ in range(rounds):
            time.sleep(IDLE_S * min(1.0, scale) / rounds)
            found.append(sum(_pss_bytes(pid) for pid in _ours()) / MB)
    return [
        Row(
            what="resident memory, idle, all processes of `daybook up` without PostgreSQL",
            unit="MB",
            measured=tuple(found),
            target=Target("at most", 250),
            note="The sum of their proportional set sizes (PSS): pages shared by several are counted once.",
        )
    ]


async def _warmed(settings: Settings, scale: float) -> None:
    async with staged(settings) as stage:
        await gets(stage.port, "/api/v1/timelines/home", stage.token, 4, WARM_S * scale)


def _ours() -> Iterator[int]:
    """All descendants of this process that are not PostgreSQL's."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (parent := _parent(entry)) is not None:
            children.setdefault(parent, []).append(int(entry.name))
    left = [os.getpid()]
    while left:
        for child in children.get(left.pop(), ()):
            left.append(child)
            if not _name(child).startswith("postgres"):
                yield child


def _parent(entry: Path) -> int | None:
    try:
        # After the name, which may hold anything: state, then the parent.
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _pss_bytes(pid: int) -> int:
    try:
        found = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(found[1]) * 1_024 if found else 0
