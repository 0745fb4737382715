"""/api/v1/statuses: post, show, edit, delete (Mastodon documentation, methods/statuses)."""

from typing import Any

import msgspec
from litestar import Request, Response, delete, get, post, put
from litestar.params import FromPath

from api.asked_again import making
from api.auth import AnyViewer, TheViewer, Viewer, may_have, needs
from api.errors import NotFound, Unprocessable
from api.mastodon import attaching, entities, publishing
from api.mastodon.lists import shown
from api.mastodon.publishing import Draft
from api.mastodon.reactions import unboosted
from api.mastodon.reading import current, ids_among, json
from api.mastodon.seen import changed, one, own, seen, status_shown
from api.params import params
from api.server import Book, TheBook
from domain import pin as pins
from domain import post as posts
from domain.events import Refused
from domain.pin import UnpinPost
from domain.post import DeletePost, PostEdited, PostPublished
from projections import status_queries
from projections.status_queries import StatusRow

IDEMPOTENCY_KEY_CHARACTERS_MAX = 1_024
TOGETHER_MAX = 20


class Several(msgspec.Struct, frozen=True):
    """Which statuses are meant."""

    id: list[str] = []


class Deletion(msgspec.Struct, frozen=True):
    """Whether the pictures go at once, too: else they may be attached again for a day."""

    delete_media: bool = False


@post("/api/v1/statuses", opt=needs("write:statuses"), status_code=200)
async def publish(request: Request[Any, Any, Any], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """Post. Asked again under the same Idempotency-Key, the status that was posted first is the answer."""
    draft = await params(request, Draft)
    publishing.refuse_what_is_missing(draft)
    draft = await publishing.filled(draft, viewer, server)
    parent = await publishing.parent_of(draft, viewer, server)
    words = await publishing.said(draft, viewer, server)
    number, origin = await _number(request, viewer, server), server.settings.origin
    attachments = await attaching.claimed(server, viewer, draft.media_ids, number)
    command = publishing.publication(number, words, draft, parent, attachments, origin)
    try:
        decided = await server.do(posts, command, viewer.token, begins=True)
    except Refused:
        await server.media.release(number)
        raise
    if decided.after.deleted:
        await server.media.release(number)
        raise NotFound
    row = None if decided.events else await _said_before(server, viewer, number)
    if row is None:
        # Said before but not to be read yet, it is told from what was sent again: after a 503 clients post once more,
        # without the key.
        events = decided.events or posts.decide(posts.INITIAL, command, server.now())
        assert isinstance(events[0], PostPublished), "publishing publishes"
        row = publishing.published(events[0], words, parent, origin)
    return json(entities.status(row, viewer.account))


@get("/api/v1/statuses", opt=may_have("read:statuses"))
async def show_several(request: Request[Any, Any, Any], viewer: AnyViewer, server: TheBook) -> Response[bytes]:
    """Those of several statuses that the viewer may see, in the order asked for."""
    numbers = ids_among((await params(request, Several)).id)
    if len(numbers) > TOGETHER_MAX:
        raise Unprocessable(f"At most {TOGETHER_MAX} statuses can be asked for at once")
    headers = await current(server, viewer)
    viewer_id = None if viewer is None else viewer.account
    view = server.reads.view()
    found = {row[0]: row for row in await view.rows(status_queries.statuses(numbers, viewer_id))}
    rows = [found[number] for number in numbers if number in found]
    return json(entities.array(await shown(view, rows, viewer_id)), headers)


@get("/api/v1/statuses/{status_id:str}", opt=may_have("read:statuses"))
async def show_status(
    request: Request[Any, Any, Any], status_id: FromPath[str], viewer: AnyViewer, server: TheBook
) -> Response[bytes]:
    """One status, to whoever may see it."""
    page = making(request)
    answer = await status_shown(server, viewer, await seen(server, viewer, status_id, page), page)
    page.all = True
    return answer


@put("/api/v1/statuses/{status_id:str}", opt=needs("write:statuses"))
async def edit(
    request: Request[Any, Any, Any],
    status_id: FromPath[str],
    viewer: TheViewer,
    server: TheBook,
) -> Response[bytes]:
    """Say something else instead. Who sees it and what it answers never change."""
    draft = await params(request, Draft)
    publishing.refuse_what_is_missing(draft)
    found = await own(server, viewer, status_id)
    row = found.row
    if row.reblog_of is not None:
        raise NotFound
    words = await publishing.said(draft, viewer, server)
    before = _decoded(row.revision)
    attachments = await attaching.claimed(server, viewer, draft.media_ids, row.id)
    attachments = attaching.described(attachments, before["media_attachments"], draft.media_attributes)
    command = publishing.edition(row.id, words, before["language"], attachments)
    decided = await server.do(posts, command, viewer.token)
    for event in decided.events:
        assert isinstance(event, PostEdited), "editing edits"
        await attaching.remember(server, viewer, event.attachments)
        row = publishing.edited(row, event, words, server.settings.origin)
    return changed(viewer, found, row)


@delete("/api/v1/statuses/{status_id:str}", opt=needs("write:statuses"), status_code=200)
async def unpublish(
    request: Request[Any, Any, Any], status_id: FromPath[str], viewer: TheViewer, server: TheBook
) -> Response[bytes]:
    """Delete. The answer has the text as typed instead of its HTML, for writing it anew with the same pictures.

    A boost is taken back.
    """
    asked = await params(request, Deletion)
    found = await own(server, viewer, status_id)
    row = found.row
    if row.reblog_of is not None:
        return await unboosted(server, viewer, status_id)
    # What is gone would take a place among the few that may be featured, and nobody could see it to unpin it. Whether
    # it is featured is asked of the log: what was read may be older than that.
    await server.do(pins, UnpinPost(account=viewer.account, post=row.id), viewer.token)
    await server.do(posts, DeletePost(post=row.id, deleter=viewer.account), viewer.token)
    await server.media.release(row.id, for_good=asked.delete_media)
    left = {name: value for name, value in _decoded(row.revision).items() if name != "content"}
    row = row._replace(statuses=row.statuses - (row.visibility != "direct"))
    revision = msgspec.json.encode({**left, "text": found.text or ""}).decode()[1:-1]
    return json("{" + entities.status_inside(row, revision, viewer.account) + "}", found.headers)


async def _number(request: Request[Any, Any, Any], viewer: Viewer, server: Book) -> int:
    """The id to publish under: the one of the first request with this key, else a new one."""
    key, number = request.headers.get("idempotency-key"), server.ids.next()
    if not key:
        return number
    return await server.idempotency.first(viewer.account, key[:IDEMPOTENCY_KEY_CHARACTERS_MAX], number)


async def _said_before(server: Book, viewer: Viewer, number: int) -> StatusRow | None:
    """What was posted under this key, as it is now; None while it can't be read."""
    # Whoever posted it may not have noted its position yet, so the head is waited for.
    position, _ = await server.reads.head()
    await server.reads.caught_up(position)
    found = await one(server.reads.view(), viewer, number)
    return None if found is None else found.row


def _decoded(inside: str) -> dict[str, Any]:
    return msgspec.json.decode(f"{{{inside}}}")
