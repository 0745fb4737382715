"""How much memory there is for us: the machine's, or what a container or a unit may have of it."""

import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OF_THIS_PROCESS = Path("/proc/self/cgroup")


def memory_bytes(groups: Path = CGROUPS, own: Path = OF_THIS_PROCESS) -> int:
    """The smallest of what the machine has and what each control group that this process is in allows (cgroups(7))."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for top, name, file in _memory_groups(groups, own):
        group = top / name.strip("/")
        # A container may see a path of its host's here, which isn't there, and its own limit at the top.
        for place in (group, *group.parents):
            if place.is_relative_to(top):
                found = min(found, _limit(place / file, found))
    return found


def _memory_groups(groups: Path, own: Path) -> list[tuple[Path, str, str]]:
    """Of both versions: where the groups lie, which is ours, and which file holds its limit."""
    found: list[tuple[Path, str, str]] = []
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, name = rest.partition(":")
        if not controllers:
            found.append((groups, name, "memory.max"))
        elif "memory" in controllers.split(","):
            found.append((groups / "memory", name, "memory.limit_in_bytes"))
    return found


def _limit(file: Path, otherwise: int) -> int:
    # No such file at the root of them all, and "max" where there is no limit.
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return otherwise
