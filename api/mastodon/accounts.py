"""/api/v1/accounts: who somebody is, and what they have written (Mastodon documentation, methods/accounts)."""

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath

from adapters.pages import Making
from api.asked_again import making
from api.auth import AnyViewer, may_have
from api.errors import NotFound
from api.mastodon import entities
from api.mastodon.lists import answered
from api.mastodon.reading import current, id_in, json
from api.params import params
from api.server import Book, TheBook
from domain.text import hashtag_key
from projections import accounts, pins, timelines
from projections.accounts import AccountRow
from projections.touched import account, posts_of, seen_by

# Looking at somebody from elsewhere has what they say asked for again, now and then.
LOOKED_AT_S = 60.0


class Handle(msgspec.Struct, frozen=True):
    """A handle: "bob", "@bob", "bob@host.example"."""

    acct: str


class StatusesAsked(msgspec.Struct, frozen=True):
    """Which of an account's statuses are meant."""

    exclude_replies: bool = False
    only_media: bool = False
    pinned: bool = False
    exclude_reblogs: bool = False
    tagged: str | None = None


@get("/api/v1/accounts/lookup", opt=may_have("read:accounts"))
async def lookup(request: Request[Any, Any, Any], viewer: AnyViewer, server: TheBook) -> Response[bytes]:
    """The account of a handle that is known here; nobody else is asked."""
    asked = await params(request, Handle)
    headers = await current(server, viewer)
    found = await server.reads.view().row(accounts.account_named(acct_of(asked.acct, server.settings.domain)))
    if found is None:
        raise NotFound
    (shown,) = await entities_of(server, [AccountRow._make(found)])
    return json(shown, headers)


@get("/api/v1/accounts/{account_id:str}", opt=may_have("read:accounts"))
async def show_account(
    request: Request[Any, Any, Any], account_id: FromPath[str], viewer: AnyViewer, server: TheBook
) -> Response[bytes]:
    """One account."""
    number, page = id_in(account_id), making(request)
    headers = await current(server, viewer)
    row = await account_row(server, number)
    if row.domain is not None and viewer is not None:
        await server.resolver.refresh(row.uri)
        page.life_s = LOOKED_AT_S
    (shown,) = await entities_of(server, [row], page)
    page.all = True
    return json(shown, headers)


@get("/api/v1/accounts/{account_id:str}/statuses", opt=may_have("read:statuses"))
async def account_statuses(
    request: Request[Any, Any, Any],
    account_id: FromPath[str],
    viewer: AnyViewer,
    server: TheBook,
) -> Response[bytes]:
    """What an account has written and boosted, or features, as the viewer may see it."""
    number, asked = id_in(account_id), await params(request, StatusesAsked)
    await account_row(server, number)
    viewer_id = None if viewer is None else viewer.account
    making(request).all_of(account(number), posts_of(number), *seen_by(viewer_id))
    if asked.pinned:
        return await answered(request, server, viewer, pins.pinned_by(number, viewer_id), next_when_full=True)
    listing = timelines.of_account(
        number,
        viewer_id,
        without_replies=asked.exclude_replies,
        without_boosts=asked.exclude_reblogs,
        only_media=asked.only_media,
        tagged=hashtag_key(asked.tagged) if asked.tagged else None,
    )
    return await answered(request, server, viewer, listing, next_when_full=True)


async def account_row(server: Book, number: int) -> AccountRow:
    """The account with this id. Raises NotFound."""
    found = await server.reads.view().row(accounts.account(number))
    if found is None:
        raise NotFound
    return AccountRow._make(found)


async def entities_of(server: Book, rows: Sequence[AccountRow], page: Making | None = None) -> list[str]:
    """Accounts, in order; those that have moved with where they are now."""
    if page is not None:
        page.of(*(account(number) for row in rows for number in (row.id, row.moved_to) if number is not None))
    targets = [row.moved_to for row in rows if row.moved_to is not None]
    found: dict[int, str] = {}
    if targets:
        moved = map(AccountRow._make, await server.reads.view().rows(accounts.several(targets)))
        found = {row.id: entities.account(row) for row in moved}
    return [entities.account(row, found.get(row.moved_to or 0)) for row in rows]


def acct_of(handle: str, domain: str) -> str:
    """A handle as accounts are named here: without "@" at its front, and without our own domain."""
    name, _, host = handle.strip().removeprefix("acct:").removeprefix("@").partition("@")
    return name if host.lower() in ("", domain.lower()) else f"{name}@{host}"
