"""Lists of accounts: followers, followed, follow requests, blocked, muted."""

from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath

from api.auth import AnyViewer, TheViewer, Viewer, may_have, needs
from api.mastodon import entities
from api.mastodon.accounts import account_row, entities_of
from api.mastodon.reading import current, id_in, ids_among, json
from api.mastodon.relationships import Asked
from api.pagination import link
from api.pagination import page as asked_page
from api.params import params
from api.server import Book, TheBook
from projections import account_lists, accounts
from projections.account_lists import AccountListing
from projections.accounts import AccountRow
from projections.rendering import api_time
from projections.status_queries import ID_MAX, Slice

PAGE = 40
FAMILIAR_ASKED_MAX = 40
FAMILIAR_MAX = 20


@get("/api/v1/accounts/{account_id:str}/followers", opt=may_have("read:accounts"))
async def followers(
    request: Request[Any, Any, Any], account_id: FromPath[str], viewer: AnyViewer, server: TheBook
) -> Response[bytes]:
    """Who follows an account; nobody, when it shows this to nobody."""
    number = id_in(account_id)
    return await _of_another(request, server, viewer, number, account_lists.followers_of(number, _id(viewer)))


@get("/api/v1/accounts/{account_id:str}/following", opt=may_have("read:accounts"))
async def followed(
    request: Request[Any, Any, Any], account_id: FromPath[str], viewer: AnyViewer, server: TheBook
) -> Response[bytes]:
    """Whom an account follows; nobody, when it shows this to nobody."""
    number = id_in(account_id)
    return await _of_another(request, server, viewer, number, account_lists.followed_by(number, _id(viewer)))


@get("/api/v1/accounts/familiar_followers", opt=needs("read:follows"))
async def familiar_followers(request: Request[Any, Any, Any], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """For each account asked about, whom the viewer follows that follows it; of those that show who does."""
    numbers = ids_among((await params(request, Asked)).id)[:FAMILIAR_ASKED_MAX]
    headers = await current(server, viewer)
    view = server.reads.view()
    targets = [AccountRow._make(row) for row in await view.rows(accounts.several(numbers))]
    shown = [row.id for row in targets if not _hides_collections(row)]
    rows = await view.rows(account_lists.familiar_followers(viewer.account, shown, FAMILIAR_MAX))
    found = await entities_of(server, [AccountRow._make(columns) for _, *columns in rows])
    familiar: dict[int, list[str]] = {}
    for (number, *_), one in zip(rows, found, strict=True):
        familiar.setdefault(number, []).append(one)
    return json(
        entities.array(f'{{"id":"{number}","accounts":[{",".join(familiar.get(number, ()))}]}}' for number in numbers),
        headers,
    )


@get("/api/v1/follow_requests", opt=needs("read:follows"))
async def follow_requests(request: Request[Any, Any, Any], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """Who waits for the viewer's answer."""
    return await accounts_answered(request, server, viewer, account_lists.requests_to(viewer.account))


@get("/api/v1/blocks", opt=needs("read:blocks"))
async def blocked(request: Request[Any, Any, Any], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """Whom the viewer blocks."""
    return await accounts_answered(request, server, viewer, account_lists.blocked_by(viewer.account))


@get("/api/v1/mutes", opt=needs("read:mutes"))
async def muted(request: Request[Any, Any, Any], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """Whom the viewer mutes, each with the time when that is over, or null."""
    return await accounts_answered(request, server, viewer, account_lists.muted_by(viewer.account), says_until=True)


async def _of_another(
    request: Request[Any, Any, Any], server: Book, viewer: Viewer | None, number: int, listing: AccountListing
) -> Response[bytes]:
    headers = await current(server, viewer)
    row = await account_row(server, number)
    if _hides_collections(row) and number != _id(viewer):
        return json("[]", headers)
    return await accounts_answered(request, server, viewer, listing)


async def accounts_answered(
    request: Request[Any, Any, Any],
    server: Book,
    viewer: Viewer | None,
    listing: AccountListing,
    *,
    says_until: bool = False,
) -> Response[bytes]:
    """A page; an unfinished one has no `next`."""
    headers = await current(server, viewer)
    asked = asked_page(request, default=PAGE)
    part = Slice(
        below=ID_MAX if asked.max_id is None else asked.max_id,
        above=asked.above or 0,
        limit=asked.limit,
        ascending=asked.ascending,
    )
    found = asked.newest_first(await server.reads.view().rows(account_lists.page(listing, part)))
    shown = await entities_of(server, [AccountRow._make(columns) for _, _, *columns in found])
    if says_until:
        shown = [
            f'{one[:-1]},"mute_expires_at":{"null" if ends_at is None else _quoted(api_time(ends_at))}}}'
            for one, (_, ends_at, *_) in zip(shown, found, strict=True)
        ]
    first = found[0][0] if found else None
    last = found[-1][0] if len(found) == part.limit else None
    links = link(request, server.settings.origin, first=first, last=last, newer="since_id")
    return json(entities.array(shown), {**headers, **links})


def _hides_collections(row: AccountRow) -> bool:
    profile: dict[str, Any] = msgspec.json.decode(f"{{{row.profile}}}")
    return bool(profile["hide_collections"])


def _quoted(text: str) -> str:
    return f'"{text}"'


def _id(viewer: Viewer | None) -> int | None:
    return None if viewer is None else viewer.account
