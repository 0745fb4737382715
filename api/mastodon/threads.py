"""Threads: what came before and after a status, muting it all, and what the status said before it was edited.

Mastodon documentation, methods/statuses: context, mute, source, history.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath

from adapters.pages import Making
from adapters.postgres.reads import View
from api.asked_again import making
from api.auth import AnyViewer, TheViewer, Viewer, may_have, needs
from api.mastodon import entities
from api.mastodon.lists import told
from api.mastodon.reading import json
from api.mastodon.seen import Seen, changed, seen_post
from api.server import Book, TheBook
from domain import conversation as conversations
from domain.conversation import MuteConversation, UnmuteConversation
from projections import status_queries, threads
from projections.threads import WALKED_MAX
from projections.touched import status
from projections.visibility import SHOWN

# Mastodon's limits for who is not logged in.
ANCESTORS_MAX = 40
DESCENDANTS_MAX = 60
DEPTH_MAX = 20

Children = Mapping[int, Sequence[int]]


@get("/api/v1/statuses/{status_id:str}/context", opt=may_have("read:statuses"))
async def context(
    request: Request[Any, Any, Any], status_id: FromPath[str], viewer: AnyViewer, server: TheBook
) -> Response[bytes]:
    """What it answers, the root first, and what answers it, each answer followed by its own.

    What is not for the viewer, or not wanted by them, is left out; what answers that is not.
    """
    page = making(request)
    found = await seen_post(server, viewer, status_id, page)
    view, number = server.reads.view(), found.row.id
    limits = (WALKED_MAX, WALKED_MAX, WALKED_MAX) if viewer else (ANCESTORS_MAX, DESCENDANTS_MAX, DEPTH_MAX)
    over = await view.rows(threads.above(number))
    ancestors = list(reversed(_chain(number, over)[1 : limits[0] + 1]))
    rows = await view.rows(threads.below(number))
    descendants = in_order(number, _children(rows), limits[2])[: limits[1]]
    descendants = promoted(number, found.row.account, descendants, {one: (to, by) for one, to, by in rows})
    shown = await _visible(view, viewer, [*ancestors, *descendants], page)
    parts = [b",".join(shown[one] for one in some if one in shown) for some in (ancestors, descendants)]
    # What is not shown holds the thread together, too, and an answer touches what it answers.
    page.of(*(status(row[0]) for row in (*over, *rows)))
    page.all = True
    return json(b'{"ancestors":[%b],"descendants":[%b]}' % (parts[0], parts[1]), found.headers)


@post("/api/v1/statuses/{status_id:str}/mute", opt=needs("write:mutes"), status_code=200)
async def mute_conversation(status_id: FromPath[str], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """No more notifications from this thread."""
    found = await seen_post(server, viewer, status_id)
    root = await _root(server, found)
    if not found.row.muted:
        command = MuteConversation(account=viewer.account, conversation=root)
        await server.do(conversations, command, viewer.token)
    return changed(viewer, found, found.row._replace(muted=True))


@post("/api/v1/statuses/{status_id:str}/unmute", opt=needs("write:mutes"), status_code=200)
async def unmute_conversation(status_id: FromPath[str], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """Notifications again, whichever post it was by which the thread was muted."""
    found = await seen_post(server, viewer, status_id)
    rows = await server.reads.view().rows(threads.muted_above(found.row.id, viewer.account))
    for muted in {await _root(server, found), *(row[0] for row in rows)}:
        await server.do(conversations, UnmuteConversation(account=viewer.account, conversation=muted), viewer.token)
    return changed(viewer, found, found.row._replace(muted=False))


@get("/api/v1/statuses/{status_id:str}/source", opt=needs("read:statuses"))
async def source(status_id: FromPath[str], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """The text as typed; of a remote status its HTML, which is all there is."""
    found = await seen_post(server, viewer, status_id)
    said = _decoded(found.row.revision)
    text = said.get("content", "") if found.text is None else found.text
    body = {"id": str(found.row.id), "text": text, "spoiler_text": said.get("spoiler_text", "")}
    return json(msgspec.json.encode(body), found.headers)


@get("/api/v1/statuses/{status_id:str}/history", opt=may_have("read:statuses"))
async def history(status_id: FromPath[str], viewer: AnyViewer, server: TheBook) -> Response[bytes]:
    """What it said, the oldest first, and now; each with the time from which it did."""
    found = await seen_post(server, viewer, status_id)
    rows = await server.reads.view().rows(threads.revisions(found.row.id))
    published = _decoded(found.row.json)["created_at"]
    account = entities.account(found.row)
    edits = [_edit(_decoded(row[0]), published, account) for row in rows]
    return json(entities.array(edits), found.headers)


def in_order(root: int, children: Children, depth: int) -> list[int]:
    """All below `root`, down to `depth`: each followed by all below it, older answers first."""
    ordered: list[int] = []
    met = {root}
    waiting = [(child, 1) for child in reversed(children.get(root, ()))]
    while waiting:
        one, deep = waiting.pop()
        if one in met:
            continue
        met.add(one)
        ordered.append(one)
        if deep < depth:
            waiting.extend((child, deep + 1) for child in reversed(children.get(one, ())))
    return ordered


def promoted(root: int, author: int, ordered: Sequence[int], known: Mapping[int, tuple[int, int]]) -> list[int]:
    """What the thread's author answered themselves, without anybody between, in front; else the order stays.

    `known` says of each what it answers, and who wrote it.
    """
    chain = {root}
    for one in ordered:
        parent, by = known[one]
        if by == author and parent in chain:
            chain.add(one)
    return sorted(ordered, key=lambda one: one not in chain)


def _chain(number: int, rows: Sequence[tuple[Any, ...]]) -> list[int]:
    """From this status upwards, itself first, each once."""
    answers: dict[int, int | None] = {one: parent for one, parent in rows}
    chain: dict[int, None] = {}
    one: int | None = number
    while one is not None and one in answers and one not in chain:
        chain[one] = None
        one = answers[one]
    return list(chain)


def _children(rows: Sequence[tuple[Any, ...]]) -> Children:
    children: dict[int, list[int]] = {}
    for one, parent, _ in sorted(rows):
        children.setdefault(parent, []).append(one)
    return children


async def _visible(view: View, viewer: Viewer | None, numbers: Sequence[int], page: Making) -> dict[int, bytes]:
    """Those that are shown to the viewer, as Statuses."""
    if not numbers:
        return {}
    viewer_id = None if viewer is None else viewer.account
    query = status_queries.statuses(numbers, viewer_id, SHOWN)
    rows = await told(view, await view.rows(query), viewer_id, page)
    return {row.id: entities.status(row, viewer_id).encode() for row in rows}


async def _root(server: Book, found: Seen) -> int:
    """The topmost post of the thread that is known."""
    return _chain(found.row.id, await server.reads.view().rows(threads.above(found.row.id)))[-1]


def _edit(said: dict[str, Any], published: str, account: str) -> str:
    """A StatusEdit."""
    kept = {name: said[name] for name in ("content", "spoiler_text", "sensitive", "media_attachments")}
    body: dict[str, Any] = {**kept, "created_at": said["edited_at"] or published, "emojis": []}
    return f'{msgspec.json.encode(body).decode()[:-1]},"account":{account}}}'


def _decoded(inside: str) -> dict[str, Any]:
    return msgspec.json.decode(f"{{{inside}}}")
