"""How much memory there is for us: the machine's, or what a container or a unit may have of it."""

import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OF_THIS_PROCESS = Path("/proc/self/cgroup")
_UNIFIED = "0::"


def memory_bytes(groups: Path = CGROUPS, own: Path = OF_THIS_PROCESS) -> int:
    """The smallest of what the machine has and what each control group above this process allows (cgroup v2)."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    group = groups / _name_of(own).strip("/")
    for place in (group, *group.parents):
        if place.is_relative_to(groups):
            found = min(found, _limit(place / "memory.max", found))
    return found


def _name_of(own: Path) -> str:
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return ""
    return next((line.removeprefix(_UNIFIED) for line in lines if line.startswith(_UNIFIED)), "")


def _limit(file: Path, otherwise: int) -> int:
    # No such file at the root of them all, on a machine with the first version, and elsewhere than on Linux.
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return otherwise
