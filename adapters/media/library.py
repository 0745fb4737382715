"""The pictures of this instance: uploads made safe and kept, attached to posts, and removed when nobody needs them."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from adapters.local_ids import LocalIds
from adapters.media.files import Files
from adapters.media.pictures import Picture, Pictures
from adapters.postgres.media import Media, MediaStore
from adapters.postgres.short_statements import Pool
from domain.post import Attachment

AVATAR_SIZE = (400, 400)
HEADER_SIZE = (1500, 500)
DESCRIPTION_CHARACTERS_MAX = 10_000

Focus = tuple[float, float]


class Library:
    """Everything raises Unavailable when PostgreSQL can't be reached or too many uploads wait."""

    def __init__(self, pool: Pool, data: Path, ids: LocalIds, now: Callable[[], datetime], origin: str) -> None:
        self.files = Files(data)
        self._store = MediaStore(pool)
        self._pictures = Pictures()
        self._ids = ids
        self._now = now
        self._origin = origin

    async def add(self, account: int, upload: BinaryIO, description: str | None, focus: Focus | None) -> Media:
        """Keep a picture that may be attached to a post later. Raises Refused with a sentence for what is none."""
        picture = await self._made(upload, None)
        assert picture.preview and picture.preview_width and picture.preview_height and picture.blurhash
        now = self._now()
        x, y = focus or (None, None)
        media = Media(
            id=self._ids.next(),
            account=account,
            file=picture.file,
            preview=picture.preview,
            media_type=picture.media_type,
            width=picture.width,
            height=picture.height,
            preview_width=picture.preview_width,
            preview_height=picture.preview_height,
            blurhash=picture.blurhash,
            description=description,
            focus_x=x,
            focus_y=y,
            created_at=now,
            status=None,
            unattached_at=now,
        )
        try:
            await self._store.add(media)
        except BaseException:
            # Should there be a row all the same, nobody was told of it, and it goes with all that stays unattached.
            await asyncio.to_thread(self.files.remove, media.file, media.preview)
            raise
        return media

    async def add_cut(self, upload: BinaryIO, size: tuple[int, int]) -> str:
        """Keep a picture in just this size, for a profile; gives its URL. Raises Refused."""
        return self._url((await self._made(upload, size)).file)

    async def of(self, account: int, number: int) -> Media | None:
        """One of this account's pictures that is not a part of any post; None when there is none such."""
        media = await self._store.of(account, number)
        return media if media is not None and media.status is None else None

    async def describe(self, account: int, number: int, description: str | None, focus: Focus | None) -> Media | None:
        """Say something else of one that is not a part of any post; None when there is none such."""
        return await self._store.describe(account, number, description, focus)

    async def claim(self, account: int, numbers: Sequence[int], status: int) -> tuple[list[Media], list[int]]:
        """Make these parts of a status, in this order; gives them, and those that can't be had: then nothing changed.

        What a status has claimed it may claim again, so that the same request twice is no error.
        """
        found = await self._store.claim(account, numbers, status)
        missing = set(numbers) - {media.id for media in found}
        return found, [number for number in numbers if number in missing]

    async def release(self, status: int, *, for_good: bool = False) -> None:
        """A post that is gone, or never came to be, gives its pictures back; or they go with it, `for_good`."""
        if for_good:
            await self._remove_files(await self._store.forget_of(status))
        else:
            await self._store.release(status, self._now())

    async def remember(self, account: int, number: int, description: str | None, focus: Focus | None) -> None:
        """Keep what its post now says of it."""
        await self._store.remember(account, number, description, focus)

    async def remove(self, account: int, number: int) -> bool:
        """Remove one that is not a part of any post, with its files; False when there is none such."""
        media = await self._store.forget(account, number)
        if media is not None:
            await self._remove_files([media])
        return media is not None

    async def remove_unattached(self, older_than: datetime) -> int:
        """Remove what has not been a part of any post since `older_than`; gives how many were removed.

        Rows go first: a file that a crash leaves behind costs room, a row without its file would show a broken picture.
        """
        removed = 0
        while media := await self._store.forget_unattached(older_than):
            removed += len(media)
            await self._remove_files(media)
        await asyncio.to_thread(self.files.clear_abandoned, older_than.timestamp())
        return removed

    def attachment(self, media: Media) -> Attachment:
        """How posts tell of it."""
        x, y = media.focus_x, media.focus_y
        return Attachment(
            url=self._url(media.file),
            kind="image",
            media_type=media.media_type,
            preview_url=self._url(media.preview),
            description=media.description,
            blurhash=media.blurhash,
            width=media.width,
            height=media.height,
            preview_width=media.preview_width,
            preview_height=media.preview_height,
            focus=None if x is None or y is None else (x, y),
            media=media.id,
        )

    async def _remove_files(self, media: Sequence[Media]) -> None:
        names = [name for one in media for name in (one.file, one.preview)]
        await asyncio.to_thread(self.files.remove, *names)

    async def _made(self, upload: BinaryIO, cut: tuple[int, int] | None) -> Picture:
        workplace = await asyncio.to_thread(self.files.workplace)
        try:
            picture = await self._pictures.made_safe(upload, workplace, self.files.new_name(), cut)
            await asyncio.to_thread(self.files.keep, workplace, picture)
        finally:
            await asyncio.to_thread(self.files.clear, workplace)
        return picture

    def _url(self, name: str) -> str:
        return f"{self._origin}/media/{name}"
