"""How the viewer and others stand to each other, and changing it: follow, unfollow."""

from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath

from api.auth import TheViewer, Viewer, needs
from api.errors import NotFound
from api.mastodon import entities
from api.mastodon.accounts import account_row
from api.mastodon.reading import current, id_in, ids_among, json
from api.params import params
from api.server import Book, TheBook
from domain import follow as following
from domain.follow import EndFollow, Follow, RequestFollow, Stage
from projections import follows
from projections.follows import RelationRow

ASKED_MAX = 200


class Asked(msgspec.Struct, frozen=True):
    """Whom the viewer asks about."""

    id: list[str] = []


@get("/api/v1/accounts/relationships", opt=needs("read:follows"))
async def relationships(request: Request[Any, Any, Any], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """One Relationship for each of the accounts that is known, in the order they were asked about."""
    asked = await params(request, Asked)
    numbers = ids_among(asked.id)[:ASKED_MAX]
    headers = await current(server, viewer)
    rows = {row[0]: row for row in await server.reads.view().rows(follows.relations(viewer.account, numbers))}
    found = [RelationRow._make(rows[number]) for number in numbers if number in rows]
    return json(entities.array(map(entities.relationship, found)), headers)


@post("/api/v1/accounts/{account_id:str}/follow", opt=needs("write:follows"), status_code=200)
async def follow(account_id: FromPath[str], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """Follow at once whoever is open and lives here; ask everybody else."""
    number = id_in(account_id)
    headers = await current(server, viewer)
    target = await account_row(server, number)
    origin = server.settings.origin
    command = RequestFollow(
        follower=viewer.account,
        followee=number,
        request=f"{origin}/ap/users/{viewer.account}/follows/{server.ids.next()}",
        needs_approval=target.locked or target.domain is not None,
    )
    decided = await server.do(following, command, viewer.token)
    return json(await _after(server, viewer, number, decided.after), headers)


@post("/api/v1/accounts/{account_id:str}/unfollow", opt=needs("write:follows"), status_code=200)
async def unfollow(account_id: FromPath[str], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """Follow no longer, or take the request back."""
    number = id_in(account_id)
    headers = await current(server, viewer)
    await account_row(server, number)
    decided = await server.do(following, EndFollow(follower=viewer.account, followee=number), viewer.token)
    return json(await _after(server, viewer, number, decided.after), headers)


async def _after(server: Book, viewer: Viewer, number: int, state: Follow) -> str:
    """The Relationship as last read, but for what was just decided."""
    found = await server.reads.view().row(follows.relations(viewer.account, [number]))
    if found is None:
        raise NotFound
    return entities.relationship(
        RelationRow._make(found)._replace(
            following=state.stage is Stage.FOLLOWING, requested=state.stage is Stage.REQUESTED
        )
    )
