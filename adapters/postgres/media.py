"""Which pictures there are: whose they are, what their files are called, and which post they are part of."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec
from psycopg.rows import class_row

from adapters.postgres.short_statements import Pool, ShortStatements

FORGOTTEN_AT_ONCE_MAX = 500


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """A picture: `file` and `preview` name its files, sizes are in pixels, focus is from -1 to 1, y upwards."""

    id: int
    account: int
    file: str
    preview: str
    media_type: str
    width: int
    height: int
    preview_width: int
    preview_height: int
    blurhash: str
    description: str | None
    focus_x: float | None
    focus_y: float | None
    created_at: dt.datetime
    status: int | None
    unattached_at: dt.datetime


class MediaStore:
    """Rows of `app.media`. Every method raises Unavailable when PostgreSQL can't be reached."""

    def __init__(self, pool: Pool) -> None:
        self._sql = ShortStatements(pool)

    async def add(self, media: Media) -> None:
        """Stores a new one."""
        await self._sql.run(ADD, msgspec.structs.asdict(media))

    async def of(self, account: int, number: int) -> Media | None:
        """One of this account's, attached or not."""
        return await self._sql.one(Media, ONE, {"account": account, "id": number})

    async def describe(
        self, account: int, number: int, description: str | None, focus: tuple[float, float] | None
    ) -> Media | None:
        """Says something else of one that is no post's yet; None when there is none such."""
        x, y = focus or (None, None)
        values = {"account": account, "id": number, "description": description, "focus_x": x, "focus_y": y}
        return await self._sql.one(Media, DESCRIBE, values)

    async def remember(
        self, account: int, number: int, description: str | None, focus: tuple[float, float] | None
    ) -> None:
        """Says something else of one, attached or not."""
        x, y = focus or (None, None)
        values = {"account": account, "id": number, "description": description, "focus_x": x, "focus_y": y}
        await self._sql.run(REMEMBER, values)

    async def claim(self, account: int, numbers: Sequence[int], status: int) -> list[Media]:
        """Makes them parts of this status: all of these that are the account's and no other's yet, in the order given.

        Fewer than asked for are given, and nothing is changed, when one of them can't be had.
        """
        values = {"account": account, "ids": list(numbers), "status": status}
        async with self._sql.transaction() as connection, connection.cursor(row_factory=class_row(Media)) as cursor:
            await cursor.execute(FREE, values)
            found = {media.id: media for media in await cursor.fetchall()}
            if len(found) == len(numbers):
                await cursor.execute(CLAIM, values)
        return [found[number] for number in numbers if number in found]

    async def release(self, status: int, now: dt.datetime) -> None:
        """What was part of this status may be attached again, for as long as if it had been uploaded now."""
        await self._sql.run(RELEASE, {"status": status, "now": now})

    async def forget(self, account: int, number: int) -> Media | None:
        """Removes one that is no post's; gives what it was."""
        return await self._sql.one(Media, FORGET, {"account": account, "id": number})

    async def forget_of(self, status: int) -> list[Media]:
        """Removes all that are parts of this status; gives what they were."""
        async with self._sql.transaction() as connection, connection.cursor(row_factory=class_row(Media)) as cursor:
            await cursor.execute(FORGET_OF, {"status": status})
            return await cursor.fetchall()

    async def forget_unattached(self, before: dt.datetime) -> list[Media]:
        """Removes some that have been no post's since then; gives what they were."""
        values: dict[str, Any] = {"before": before, "limit": FORGOTTEN_AT_ONCE_MAX}
        async with self._sql.transaction() as connection, connection.cursor(row_factory=class_row(Media)) as cursor:
            await cursor.execute(FORGET_UNATTACHED, values)
            return await cursor.fetchall()


ADD = """
    INSERT INTO app.media (id, account, file, preview, media_type, width, height, preview_width, preview_height,
        blurhash, description, focus_x, focus_y, created_at, status, unattached_at)
    VALUES (%(id)s, %(account)s, %(file)s, %(preview)s, %(media_type)s, %(width)s, %(height)s, %(preview_width)s,
        %(preview_height)s, %(blurhash)s, %(description)s, %(focus_x)s, %(focus_y)s, %(created_at)s, %(status)s,
        %(unattached_at)s)
"""

ONE = "SELECT * FROM app.media WHERE id = %(id)s::bigint AND account = %(account)s::bigint"

DESCRIBE = """
    UPDATE app.media SET description = %(description)s, focus_x = %(focus_x)s, focus_y = %(focus_y)s
    WHERE id = %(id)s::bigint AND account = %(account)s::bigint AND status IS NULL
    RETURNING *
"""

REMEMBER = """
    UPDATE app.media SET description = %(description)s, focus_x = %(focus_x)s, focus_y = %(focus_y)s
    WHERE id = %(id)s::bigint AND account = %(account)s::bigint
"""

# Those that this status may have, kept from all others until the transaction ends. Locked in one order, so that two
# posts that ask for the same ones wait for each other instead of both failing.
FREE = """
    SELECT * FROM app.media
    WHERE id = ANY(%(ids)s::bigint[]) AND account = %(account)s::bigint
        AND (status IS NULL OR status = %(status)s::bigint)
    ORDER BY id FOR UPDATE
"""

CLAIM = "UPDATE app.media SET status = %(status)s::bigint WHERE id = ANY(%(ids)s::bigint[])"

RELEASE = "UPDATE app.media SET status = NULL, unattached_at = %(now)s WHERE status = %(status)s::bigint"

FORGET = """
    DELETE FROM app.media WHERE id = %(id)s::bigint AND account = %(account)s::bigint AND status IS NULL RETURNING *
"""

FORGET_OF = "DELETE FROM app.media WHERE status = %(status)s::bigint RETURNING *"

FORGET_UNATTACHED = """
    DELETE FROM app.media WHERE id IN (
        SELECT id FROM app.media WHERE status IS NULL AND unattached_at < %(before)s
        ORDER BY unattached_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
    RETURNING *
"""
