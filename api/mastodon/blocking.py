"""Having nothing to do with somebody, or not seeing them for a while: block, mute, and the lists of both.

A block ends the follows between the two, both ways, at once; a reactor says so again, for what comes from elsewhere or
was cut short between the two.
"""

import logging
from datetime import timedelta
from typing import Any

import msgspec
from litestar import Request, Response, post
from litestar.params import FromPath

from api.auth import TheViewer, Viewer, needs
from api.mastodon import entities
from api.mastodon.reading import current, id_in, json
from api.mastodon.relationships import as_followee, as_follower, relation
from api.params import params
from api.server import Book, TheBook
from domain import block as blocks
from domain import follow as following
from domain import mute as mutes
from domain.block import BlockAccount, UnblockAccount
from domain.follow import INITIAL, EndFollow, RejectFollow
from domain.mute import MuteAccount, UnmuteAccount
from domain.ports import Conflict, FactsBehind

log = logging.getLogger(__name__)

# A century: more would be beyond what a date can say.
MUTE_S_MAX = 100 * 365 * 24 * 3_600


class Muting(msgspec.Struct, frozen=True):
    """Whether their notifications are muted too, and for how many seconds; 0 is for good."""

    notifications: bool = True
    duration: int = 0


@post("/api/v1/accounts/{account_id:str}/block", opt=needs("write:blocks"), status_code=200)
async def block(account_id: FromPath[str], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """Neither sees the other any more, nor follows them."""
    number = id_in(account_id)
    headers = await current(server, viewer)
    row = await relation(server, viewer, number)
    activity = f"{server.settings.origin}/ap/users/{viewer.account}/blocks/{server.ids.next()}"
    await server.do(blocks, BlockAccount(blocker=viewer.account, blocked=number, activity=activity), viewer.token)
    await _part(server, viewer, number)
    row = as_followee(as_follower(row, INITIAL), INITIAL)._replace(blocking=True)
    return json(entities.relationship(row), headers)


@post("/api/v1/accounts/{account_id:str}/unblock", opt=needs("write:blocks"), status_code=200)
async def unblock(account_id: FromPath[str], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """Block them no longer; what ended then stays ended."""
    number = id_in(account_id)
    headers = await current(server, viewer)
    row = await relation(server, viewer, number)
    await server.do(blocks, UnblockAccount(blocker=viewer.account, blocked=number), viewer.token)
    return json(entities.relationship(row._replace(blocking=False)), headers)


@post("/api/v1/accounts/{account_id:str}/mute", opt=needs("write:mutes"), status_code=200)
async def mute(
    request: Request[Any, Any, Any], account_id: FromPath[str], viewer: TheViewer, server: TheBook
) -> Response[bytes]:
    """See nothing of them for so long; whom one mutes already is muted as asked for now."""
    number, asked = id_in(account_id), await params(request, Muting)
    headers = await current(server, viewer)
    row = await relation(server, viewer, number)
    until = None
    if asked.duration > 0:
        until = server.now() + timedelta(seconds=min(asked.duration, MUTE_S_MAX))
    command = MuteAccount(muter=viewer.account, muted=number, notifications=asked.notifications, expires_at=until)
    await server.do(mutes, command, viewer.token)
    row = row._replace(muting=True, muting_notifications=asked.notifications, muting_expires_at=until)
    return json(entities.relationship(row), headers)


@post("/api/v1/accounts/{account_id:str}/unmute", opt=needs("write:mutes"), status_code=200)
async def unmute(account_id: FromPath[str], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """See them again."""
    number = id_in(account_id)
    headers = await current(server, viewer)
    row = await relation(server, viewer, number)
    await server.do(mutes, UnmuteAccount(muter=viewer.account, muted=number), viewer.token)
    row = row._replace(muting=False, muting_notifications=False, muting_expires_at=None)
    return json(entities.relationship(row), headers)


async def _part(server: Book, viewer: Viewer, number: int) -> None:
    """End the follows between the two. What can't be decided on in time is left to the reactor: the block stands."""
    try:
        await server.do(following, EndFollow(follower=viewer.account, followee=number), viewer.token)
        await server.do(following, RejectFollow(follower=number, followee=viewer.account), viewer.token)
    except (FactsBehind, Conflict) as error:
        log.warning("the follows between %d and %d end later: %r", viewer.account, number, error)
