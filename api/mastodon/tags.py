"""Hashtags: their timelines, how much they are used, finding them (Mastodon documentation, methods/tags, timelines)."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath

from adapters.postgres.reads import View
from api.auth import AnyViewer, Viewer, may_have
from api.errors import NotFound
from api.mastodon.lists import answered
from api.mastodon.reading import current, json
from api.params import params
from api.server import Book, TheBook
from domain.ids import local_id
from domain.text import hashtag_key, hashtag_url
from projections import tags
from projections.tags import MORE_MAX, TAG_BYTES_MAX, Sought, TagRow

DAYS = 7
"""How far back it is said how often a tag was used."""


class TagAsked(msgspec.Struct, frozen=True):
    """Which part of a hashtag's timeline is meant; `any`, `all`, `none` are other tags."""

    any: list[str] = []
    all: list[str] = []
    none: list[str] = []
    local: bool = False
    remote: bool = False
    only_media: bool = False


@get("/api/v1/timelines/tag/{hashtag:str}", opt=may_have("read:statuses"))
async def tag_timeline(
    request: Request[Any, Any, Any], hashtag: FromPath[str], viewer: AnyViewer, server: TheBook
) -> Response[bytes]:
    """Public posts with this hashtag."""
    asked = await params(request, TagAsked)
    sought = Sought(
        any=[key_in(hashtag), *_keys(asked.any)],
        all=_keys(asked.all),
        none=_keys(asked.none),
        local=asked.local,
        remote=asked.remote,
        only_media=asked.only_media,
    )
    listing = tags.timeline(sought, None if viewer is None else viewer.account)
    return await answered(request, server, viewer, listing)


@get("/api/v1/tags/{hashtag:str}", opt=may_have("read:follows"))
async def show_tag(hashtag: FromPath[str], viewer: AnyViewer, server: TheBook) -> Response[bytes]:
    """One hashtag, used or not."""
    key, headers = key_in(hashtag), await current(server, viewer)
    view = server.reads.view()
    found = await view.row(tags.named(key))
    row = TagRow(key, key) if found is None else TagRow._make(found)
    (shown,) = await tags_shown(server, view, [row], viewer)
    return json(msgspec.json.encode(shown), headers)


async def tags_shown(server: Book, view: View, rows: Sequence[TagRow], viewer: Viewer | None) -> list[dict[str, Any]]:
    """Tags, with how often each was used on each of the last days; nobody follows or features any yet."""
    midnight = datetime.combine(server.now().date(), time(), UTC)
    days = [midnight - timedelta(days=ago) for ago in range(DAYS)]
    above = local_id(int(days[-1].timestamp() * 1_000), 0)
    uses = {
        (tag, day): (posts, accounts)
        for tag, day, posts, accounts in await view.rows(tags.uses([row.tag for row in rows], above))
    }
    personal = {} if viewer is None else {"following": False, "featuring": False}
    return [
        {
            "id": row.tag,
            "name": row.name,
            "url": hashtag_url(server.settings.origin, row.tag),
            "history": [_use(day, *uses.get((row.tag, day.date()), (0, 0))) for day in days],
            **personal,
        }
        for row in rows
    ]


def key_in(path: str) -> str:
    """The key of the hashtag that a path names. Raises NotFound for what can be none."""
    key = hashtag_key(path)
    if not key or "\0" in key or len(key.encode()) > TAG_BYTES_MAX:
        raise NotFound
    return key


def _keys(named: Sequence[str]) -> list[str]:
    return [key for key in map(hashtag_key, named) if key and "\0" not in key][:MORE_MAX]


def _use(day: datetime, posts: int, accounts: int) -> dict[str, str]:
    return {"day": str(int(day.timestamp())), "accounts": str(accounts), "uses": str(posts)}
