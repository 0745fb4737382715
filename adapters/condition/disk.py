"""Room on the disk, and what takes it: the log, its keys, the read models, the rest of the database, the pictures."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from adapters.condition.finding import Finding, ok, size, warning, wrong
from adapters.config import is_loopback

FREE_SHARE_MIN: Final = 0.10
FREE_BYTES_MIN: Final = 2 * 1024**3
FREE_SHARE_WRONG: Final = 0.02
FREE_BYTES_WRONG: Final = 512 * 1024**2
FILES_COUNTED_MAX: Final = 2_000_000

# Tables with their indexes; what PostgreSQL keeps besides (its own log, catalogues) is the rest of the database.
_SIZES: Final = """
    SELECT n.nspname, coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND (n.nspname IN ('log', 'keys', 'app') OR n.nspname ~ '^read_[0-9]+$') GROUP BY 1
"""
_WHOLE: Final = "SELECT pg_database_size(current_database())"


class Used(msgspec.Struct, frozen=True):
    """Bytes in the database, by what for: `log`, `keys`, `read models`, `app`, `rest`."""

    parts: Mapping[str, int]


class Room(msgspec.Struct, frozen=True):
    """Bytes of the file system that the data directory is on, and those of uploaded pictures."""

    total: int
    free: int
    media: int


async def used(connection: AsyncConnection[TupleRow]) -> Used:
    """Ask the database. Raises psycopg.Error."""
    by_schema = dict(await (await connection.execute(_SIZES)).fetchall())
    whole = await (await connection.execute(_WHOLE)).fetchone()
    assert whole is not None, "it always answers"
    parts = {name: by_schema.get(name, 0) for name in ("log", "keys", "app")}
    parts["read models"] = sum(by_schema.values()) - sum(parts.values())
    parts["rest"] = max(0, whole[0] - sum(by_schema.values()))
    return Used(parts)


def room(data: Path) -> Room:
    """Look at the file system; takes a while where there are many pictures. Raises OSError."""
    found = shutil.disk_usage(data)
    return Room(found.total, found.free, weight_of(data / "media"))


def weight_of(folder: Path) -> int:
    """The bytes of all files below, as far as they can be read; 0 where there is no such folder."""
    total = count = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(place) / name).stat(follow_symlinks=False).st_size
            except OSError:
                continue  # gone meanwhile
        count += len(names)
        if count > FILES_COUNTED_MAX:
            break
    return total


def judge_disk(found: Room, used_by: Used | None, data: Path, *, embedded: bool) -> Finding:
    """Whether there is room, and what takes it. What isn't on this machine is said to be elsewhere."""
    check = "disk"
    parts = [] if used_by is None else sorted(used_by.parts.items(), key=lambda part: -part[1])
    shown = [f"{name} {size(count)}" for name, count in parts]
    where = "" if embedded else " (in a database that may be on another disk)"
    taken = f"{', '.join(shown)}{where}; pictures {size(found.media)}" if shown else f"pictures {size(found.media)}"
    what = f"{size(found.free)} of {size(found.total)} are free at {data}. In use: {taken}."
    todo = (
        "Make room or move DAYBOOK_DATA to a larger disk: a full one stops every write. A replay needs as much as the "
        "read models take once more."
    )
    share = found.free / found.total if found.total else 0.0
    if found.free < FREE_BYTES_WRONG or (share < FREE_SHARE_WRONG and found.free < FREE_BYTES_MIN):
        return wrong(check, what, todo)
    if found.free < FREE_BYTES_MIN or (share < FREE_SHARE_MIN and found.free < 10 * FREE_BYTES_MIN):
        return warning(check, what, todo)
    return ok(check, what)


def is_embedded(url: str) -> bool:
    """Whether a database's URL leads to this machine, by a socket or loopback."""
    parts = urlsplit(url)
    return "host=%2F" in parts.query or is_loopback(parts.hostname or "localhost")
