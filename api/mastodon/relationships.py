"""How the viewer and others stand to each other, and following: ask, end, answer, remove.

An answer is the Relationship as last read, but for what was just decided.
"""

from collections.abc import Callable
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
from domain.follow import AcceptFollow, EndFollow, Follow, RejectFollow, RequestFollow, Stage
from projections.relations import RelationRow, relations
from projections.rendering import json_text

ASKED_MAX = 200
LANGUAGES_MAX = 100
LANGUAGE_MAX = 16


class Asked(msgspec.Struct, frozen=True):
    """Whom the viewer asks about."""

    id: list[str] = []


class Wanted(msgspec.Struct, frozen=True):
    """What the viewer wants of whom they follow; None leaves it as it is."""

    reblogs: bool | None = None
    notify: bool | None = None
    languages: list[str] | None = None


@get("/api/v1/accounts/relationships", opt=needs("read:follows"))
async def relationships(request: Request[Any, Any, Any], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """One Relationship for each of the accounts that is known, in the order they were asked about."""
    asked = await params(request, Asked)
    numbers = ids_among(asked.id)[:ASKED_MAX]
    headers = await current(server, viewer)
    rows = {row[0]: row for row in await server.reads.view().rows(relations(viewer.account, numbers))}
    found = [RelationRow._make(rows[number]) for number in numbers if number in rows]
    return json(entities.array(map(entities.relationship, found)), headers)


@post("/api/v1/accounts/{account_id:str}/follow", opt=needs("write:follows"), status_code=200)
async def follow(
    request: Request[Any, Any, Any], account_id: FromPath[str], viewer: TheViewer, server: TheBook
) -> Response[bytes]:
    """Follow at once whoever is open and lives here, ask everybody else; say what one wants of them."""
    number, wanted = id_in(account_id), await params(request, Wanted)
    headers = await current(server, viewer)
    target = await account_row(server, number)
    row = await relation(server, viewer, number)
    command = RequestFollow(
        follower=viewer.account,
        followee=number,
        request=f"{server.settings.origin}/ap/users/{viewer.account}/follows/{server.ids.next()}",
        needs_approval=target.locked or target.domain is not None,
        barred=row.blocking or row.blocked_by or target.moved_to is not None,
        reblogs=wanted.reblogs,
        notify=wanted.notify,
        languages=_languages(wanted),
    )
    decided = await server.do(following, command, viewer.token)
    return json(entities.relationship(as_follower(row, decided.after)), headers)


@post("/api/v1/accounts/{account_id:str}/unfollow", opt=needs("write:follows"), status_code=200)
async def unfollow(account_id: FromPath[str], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """Follow no longer, or take the request back."""
    number = id_in(account_id)
    command = EndFollow(follower=viewer.account, followee=number)
    return await _decided(server, viewer, number, command, as_follower)


@post("/api/v1/accounts/{account_id:str}/remove_from_followers", opt=needs("write:follows"), status_code=200)
async def remove_from_followers(account_id: FromPath[str], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """Have them follow no longer."""
    number = id_in(account_id)
    command = RejectFollow(follower=number, followee=viewer.account)
    return await _decided(server, viewer, number, command, as_followee)


@post("/api/v1/follow_requests/{account_id:str}/authorize", opt=needs("write:follows"), status_code=200)
async def authorize_follow(account_id: FromPath[str], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """Let somebody follow who asked to. Raises NotFound when they did not."""
    number = id_in(account_id)
    headers = await current(server, viewer)
    row = await relation(server, viewer, number)
    decided = await server.do(following, AcceptFollow(follower=number, followee=viewer.account), viewer.token)
    if decided.after.stage is Stage.NONE:
        raise NotFound
    return json(entities.relationship(as_followee(row, decided.after)), headers)


@post("/api/v1/follow_requests/{account_id:str}/reject", opt=needs("write:follows"), status_code=200)
async def reject_follow(account_id: FromPath[str], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """Decline. Raises NotFound when nobody waits: whoever follows already is not removed by this."""
    number = id_in(account_id)
    headers = await current(server, viewer)
    row = await relation(server, viewer, number)
    if not row.requested_by:
        raise NotFound
    decided = await server.do(following, RejectFollow(follower=number, followee=viewer.account), viewer.token)
    return json(entities.relationship(as_followee(row, decided.after)), headers)


async def _decided(
    server: Book,
    viewer: Viewer,
    number: int,
    command: EndFollow | RejectFollow,
    after: Callable[[RelationRow, Follow], RelationRow],
) -> Response[bytes]:
    """How the two stand to each other once that is decided."""
    headers = await current(server, viewer)
    row = await relation(server, viewer, number)
    decided = await server.do(following, command, viewer.token)
    return json(entities.relationship(after(row, decided.after)), headers)


def _languages(wanted: Wanted) -> tuple[str, ...] | None:
    """Each once, without blanks; none at all means any."""
    if wanted.languages is None:
        return None
    return tuple(dict.fromkeys(code for code in wanted.languages[:LANGUAGES_MAX] if 0 < len(code) <= LANGUAGE_MAX))


async def relation(server: Book, viewer: Viewer, number: int) -> RelationRow:
    """How the two stand to each other, as last read. Raises NotFound."""
    found = await server.reads.view().row(relations(viewer.account, [number]))
    if found is None:
        raise NotFound
    return RelationRow._make(found)


def as_follower(row: RelationRow, state: Follow) -> RelationRow:
    """With the viewer's own follow as it was just decided."""
    stands, wishes = state.stage is not Stage.NONE, state.wishes
    return row._replace(
        following=state.stage is Stage.FOLLOWING,
        requested=state.stage is Stage.REQUESTED,
        showing_reblogs=stands and wishes.reblogs,
        notifying=stands and wishes.notify,
        languages=None if wishes.languages is None else json_text(wishes.languages),
    )


def as_followee(row: RelationRow, state: Follow) -> RelationRow:
    """With the other's follow of the viewer as it was just decided."""
    return row._replace(followed_by=state.stage is Stage.FOLLOWING, requested_by=state.stage is Stage.REQUESTED)
