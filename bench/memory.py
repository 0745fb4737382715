"""Resident memory of an idle `daybook up`: all its processes but PostgreSQL, each page counted once."""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import uvloop

from adapters.config import Settings
from bench.load import gets
from bench.measuring import Row, Target
from bench.services import instance
from bench.stage import staged

IDLE_S = 10.0
WARM_S = 1.0
MB = 1_000_000
_SIZES = re.compile(r"^(Pss|Rss): +(\d+) kB", re.MULTILINE)


class Memory(msgspec.Struct, frozen=True):
    """Resident, in MB: proportional (a page that several share is divided among them), and each page whole; by whom."""

    pss_mb: float
    rss_mb: float
    pids: tuple[int, ...] = ()


def run(scale: float, rounds: int) -> list[Row]:
    """An instance that answered some requests and then has nothing to do."""
    with instance() as settings:
        uvloop.run(_warmed(settings, scale))
        found: list[float] = []
        for _ in range(rounds):
            time.sleep(IDLE_S * min(1.0, scale) / rounds)
            found.append(sum(_memory(pid).pss_mb for pid in _ours()))
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


def by_part() -> dict[str, Memory]:
    """What each part of the instances below this process has now, PostgreSQL's many processes together."""
    found: dict[str, Memory] = {}
    for pid in _descendants():
        if (part := _part(pid)) is not None:
            had, has = found.get(part, Memory(0.0, 0.0)), _memory(pid)
            found[part] = Memory(had.pss_mb + has.pss_mb, had.rss_mb + has.rss_mb, (*had.pids, pid))
    return found


def _part(pid: int) -> str | None:
    """`serve`, `behind`, `up` (the supervisor), `valkey`, `postgres`; None for what comes and goes."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    name = _name(pid)
    if "workers.cli" in command:
        return command[command.index("workers.cli") + 1]
    return next((part for part in ("valkey", "postgres") if name.startswith(part)), None)


def _ours() -> Iterator[int]:
    """All descendants of this process that are not PostgreSQL's."""
    return (pid for pid in _descendants() if not _name(pid).startswith("postgres"))


def _descendants() -> Iterator[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (parent := _parent(entry)) is not None:
            children.setdefault(parent, []).append(int(entry.name))
    left = [os.getpid()]
    while left:
        for child in children.get(left.pop(), ()):
            left.append(child)
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


def _memory(pid: int) -> Memory:
    """Nothing for a process that has just ended."""
    try:
        sizes = dict(_SIZES.findall(Path(f"/proc/{pid}/smaps_rollup").read_text()))
    except (FileNotFoundError, ProcessLookupError):
        return Memory(0.0, 0.0)
    return Memory(*(int(sizes.get(name, 0)) * 1_024 / MB for name in ("Pss", "Rss")))
