"""How far somebody has read in a timeline, in schema `app`: a marker's version grows with each change of it."""

import datetime as dt
from collections.abc import Sequence

import msgspec

from adapters.postgres.short_statements import Pool, ShortStatements


class Marker(msgspec.Struct, frozen=True):
    """The last id that was read in `timeline`; `version` counts from 1."""

    timeline: str
    last_read_id: int
    version: int
    updated_at: dt.datetime


class Markers:
    """Everybody's markers. Every method raises Unavailable when PostgreSQL can't be reached."""

    def __init__(self, pool: Pool) -> None:
        self._sql = ShortStatements(pool)

    async def of(self, account: int, timelines: Sequence[str]) -> list[Marker]:
        """Those of these timelines' markers that there are, in the order asked for."""
        found = [await self._sql.one(Marker, MARKER, {"account": account, "timeline": name}) for name in timelines]
        return [marker for marker in found if marker is not None]

    async def move(self, account: int, marker: Marker) -> bool:
        """Keep a marker as the next version; False when somebody else was first, and nothing is changed."""
        values = {"account": account, **msgspec.structs.asdict(marker)}
        return await self._sql.run(MOVE, values) == 1


# Reads one marker.
MARKER = """
    SELECT timeline, last_read_id, version, updated_at FROM app.markers
    WHERE account = %(account)s AND timeline = %(timeline)s
"""

# Writes a marker after the version before it: the first where there is none.
MOVE = """
    INSERT INTO app.markers AS m (account, timeline, last_read_id, version, updated_at)
    SELECT %(account)s, %(timeline)s, %(last_read_id)s, %(version)s, %(updated_at)s
    WHERE %(version)s = 1 OR EXISTS (
        SELECT FROM app.markers WHERE account = %(account)s AND timeline = %(timeline)s)
    ON CONFLICT (account, timeline) DO UPDATE
    SET (last_read_id, version, updated_at) = (excluded.last_read_id, excluded.version, excluded.updated_at)
    WHERE m.version = excluded.version - 1
"""
