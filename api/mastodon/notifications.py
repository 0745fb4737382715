"""/api/v1/notifications: what the viewer is told of (Mastodon documentation, methods/notifications)."""

from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath

from adapters.postgres.reads import View
from api.auth import TheViewer, Viewer, needs
from api.errors import NotFound
from api.mastodon import entities
from api.mastodon.accounts import entities_of
from api.mastodon.lists import part_of, shown
from api.mastodon.reading import current, id_in, ids_among, json
from api.pagination import link
from api.pagination import page as asked_page
from api.params import params
from api.server import Book, TheBook
from domain import notification as notifications
from domain.notification import ClearNotifications, DismissNotification
from projections import notification_queries, status_queries
from projections.accounts import AccountRow
from projections.notification_queries import KINDS, NOTIFICATION_COLUMNS, Chosen, NotificationRow

PAGE = 40
COUNT = 100
COUNT_MAX = 1_000


class Asked(msgspec.Struct, frozen=True):
    """Which kinds are wanted, or are not, and of whom alone."""

    types: list[str] = []
    exclude_types: list[str] = []
    account_id: str | None = None


class Counted(msgspec.Struct, frozen=True):
    """The same, and how far is counted."""

    types: list[str] = []
    exclude_types: list[str] = []
    account_id: str | None = None
    limit: int = COUNT


@get("/api/v1/notifications", opt=needs("read:notifications"))
async def show_notifications(request: Request[Any, Any, Any], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """What the viewer is told of, the latest first."""
    chosen = _chosen(viewer, await params(request, Asked))
    headers = await current(server, viewer)
    asked, view = asked_page(request, default=PAGE), server.reads.view()
    read = await part_of(
        asked,
        view,
        lambda part: notification_queries.page(chosen, part),
        lambda part: notification_queries.boundary(chosen, part),
    )
    first, last = read.cursors([row[0] for row in read.rows])
    links = link(request, server.settings.origin, first=first, last=last)
    return json(entities.array(await _entities(server, view, viewer, read.rows)), {**headers, **links})


@get("/api/v1/notifications/unread_count", opt=needs("read:notifications"))
async def count_unread(request: Request[Any, Any, Any], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """How many came after the one that the viewer has read last, as their clients have noted it."""
    asked = await params(request, Counted)
    chosen = _chosen(viewer, Asked(asked.types, asked.exclude_types, asked.account_id))
    headers = await current(server, viewer)
    markers = await server.markers.of(viewer.account, ["notifications"])
    above = markers[0].last_read_id if markers else 0
    most = max(1, min(abs(asked.limit), COUNT_MAX))
    found = await server.reads.view().row(notification_queries.unread(chosen, above, most))
    return json(f'{{"count":{found[0] if found else 0}}}', headers)


@get("/api/v1/notifications/{notification_id:str}", opt=needs("read:notifications"))
async def show_notification(notification_id: FromPath[str], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """One of them."""
    number = id_in(notification_id)
    headers = await current(server, viewer)
    view = server.reads.view()
    found = await _entities(server, view, viewer, await view.rows(notification_queries.one(viewer.account, number)))
    if not found:
        raise NotFound
    return json(found[0], headers)


@post("/api/v1/notifications/clear", opt=needs("write:notifications"), status_code=200)
async def clear_notifications(viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """Be rid of all that there are now."""
    headers = await current(server, viewer)
    found = await server.reads.view().row(notification_queries.newest(viewer.account))
    if found is not None and found[0] is not None:
        await server.do(notifications, ClearNotifications(account=viewer.account, up_to=found[0]), viewer.token)
    return json("{}", headers)


@post("/api/v1/notifications/{notification_id:str}/dismiss", opt=needs("write:notifications"), status_code=200)
async def dismiss_notification(notification_id: FromPath[str], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """Be rid of one; a second time there is none."""
    number = id_in(notification_id)
    headers = await current(server, viewer)
    if await server.reads.view().row(notification_queries.one(viewer.account, number)) is None:
        raise NotFound
    await server.do(notifications, DismissNotification(account=viewer.account, notification=number), viewer.token)
    return json("{}", headers)


def _chosen(viewer: Viewer, asked: Asked) -> Chosen:
    kinds = [kind for kind in KINDS if (not asked.types or kind in asked.types) and kind not in asked.exclude_types]
    if asked.account_id is None:
        return Chosen(viewer.account, kinds)
    # What is no id is nobody's.
    return Chosen(viewer.account, kinds, next(iter(ids_among([asked.account_id])), 0))


async def _entities(server: Book, view: View, viewer: Viewer, rows: list[tuple[Any, ...]]) -> list[str]:
    """Notifications, each with who did it and the post that it is about: one more query if there are any."""
    found = [NotificationRow._make(row[:NOTIFICATION_COLUMNS]) for row in rows]
    actors = await entities_of(server, [AccountRow._make(row[NOTIFICATION_COLUMNS:]) for row in rows])
    numbers = {row.status for row in found if row.status is not None}
    statuses: dict[int, str] = {}
    if numbers:
        told = await view.rows(status_queries.statuses(numbers, viewer.account))
        rendered = await shown(view, told, viewer.account)
        statuses = {row[0]: one for row, one in zip(told, rendered, strict=True)}
    return [
        _entity(row, actor, statuses.get(row.status or 0))
        for row, actor in zip(found, actors, strict=True)
        if row.status is None or row.status in statuses
    ]


def _entity(row: NotificationRow, actor: str, status: str | None) -> str:
    about = "" if status is None else f',"status":{status}'
    return (
        f'{{"id":"{row.id}","type":"{row.kind}","created_at":"{row.created_at}","group_key":"ungrouped-{row.id}",'
        f'"account":{actor}{about}}}'
    )
