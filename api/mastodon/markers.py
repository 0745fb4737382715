"""/api/v1/markers: how far the viewer has read, so that another client goes on there (methods/markers)."""

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post

from adapters.postgres.markers import Marker
from api.auth import TheViewer, needs
from api.errors import Stale
from api.mastodon.reading import json
from api.params import params
from api.server import TheBook
from projections.rendering import api_time, json_text
from projections.status_queries import ID_MAX

TIMELINES = ("home", "notifications")
Id = Annotated[int, msgspec.Meta(ge=0, le=ID_MAX)]


class Asked(msgspec.Struct, frozen=True):
    """Of which timelines the markers are wanted."""

    timeline: list[str] = []


class Read(msgspec.Struct, frozen=True):
    """How far."""

    last_read_id: Id


class Moved(msgspec.Struct, frozen=True):
    """How far in each of the timelines that there are markers for."""

    home: Read | None = None
    notifications: Read | None = None


@get("/api/v1/markers", opt=needs("read:statuses"))
async def markers(request: Request[Any, Any, Any], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """The markers asked for, as far as they were ever set."""
    asked = await params(request, Asked)
    wanted = [timeline for timeline in TIMELINES if timeline in asked.timeline]
    return json(_entities(await server.markers.of(viewer.account, wanted)))


@post("/api/v1/markers", opt=needs("write:statuses"), status_code=200)
async def move_markers(request: Request[Any, Any, Any], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """Set some. Raises Stale when another client of the viewer's did so meanwhile."""
    asked = await params(request, Moved)
    moved: list[Marker] = []
    for timeline, read in (("home", asked.home), ("notifications", asked.notifications)):
        if read is None:
            continue
        before = await server.markers.of(viewer.account, [timeline])
        version = before[0].version + 1 if before else 1
        marker = Marker(timeline, read.last_read_id, version, server.now())
        if not await server.markers.move(viewer.account, marker):
            raise Stale
        moved.append(marker)
    return json(_entities(moved))


def _entities(found: Iterable[Marker]) -> str:
    return json_text(
        {
            marker.timeline: {
                "last_read_id": str(marker.last_read_id),
                "version": marker.version,
                "updated_at": api_time(marker.updated_at),
            }
            for marker in found
        }
    )
