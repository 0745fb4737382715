"""/api/v1/accounts: who somebody is, and what they have written (Mastodon documentation, methods/accounts)."""

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath

from adapters.postgres.users import Role
from api.auth import AnyViewer, TheViewer, may_have, needs
from api.errors import NotFound
from api.mastodon import entities
from api.mastodon.lists import answered
from api.mastodon.reading import current, id_in, json, up_to_now
from api.params import params
from api.server import Book, TheBook
from projections import accounts, follows, pins, timelines
from projections.accounts import AccountRow

_encode = msgspec.json.encode

# Mastodon's role ids. Permissions are those of its admin API, which is not there yet.
_ROLES: dict[Role, tuple[str, str]] = {
    "user": ("-99", ""),
    "moderator": ("1", "Moderator"),
    "admin": ("2", "Admin"),
    "owner": ("3", "Owner"),
}


class Handle(msgspec.Struct, frozen=True):
    """A handle: "bob", "@bob", "bob@host.example"."""

    acct: str


class StatusesAsked(msgspec.Struct, frozen=True):
    """Which of an account's statuses are meant."""

    exclude_replies: bool = False
    only_media: bool = False
    pinned: bool = False
    exclude_reblogs: bool = False


@get("/api/v1/accounts/verify_credentials", opt=needs("profile", "read:accounts"))
async def verify_credentials(viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """The viewer's own account, with what only its owner is told."""
    headers = await current(server, viewer)
    view = server.reads.view()
    found = await view.row(accounts.account(viewer.account))
    if found is None:
        await up_to_now(server)
        found = await view.row(accounts.account(viewer.account))
    if found is None:
        raise NotFound
    row = AccountRow._make(found)
    user = await server.users.by_account(viewer.account)
    note = await view.row(accounts.note_as_typed(viewer.account))
    asked = await view.row(follows.requests_to(viewer.account))
    source = _source(row, note[0] if note else "", asked[0] if asked else 0)
    role = _role("user" if user is None else user.role)
    body = f'{{{entities.account_inside(row)},"source":{_text(source)},"role":{_text(role)}}}'
    return json(body, headers)


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
async def show_account(account_id: FromPath[str], viewer: AnyViewer, server: TheBook) -> Response[bytes]:
    """One account."""
    number = id_in(account_id)
    headers = await current(server, viewer)
    (shown,) = await entities_of(server, [await account_row(server, number)])
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
    if asked.pinned:
        return await answered(request, server, viewer, pins.pinned_by(number, viewer_id), next_when_full=True)
    listing = timelines.of_account(
        number,
        viewer_id,
        without_replies=asked.exclude_replies,
        without_boosts=asked.exclude_reblogs,
        only_media=asked.only_media,
    )
    return await answered(request, server, viewer, listing, next_when_full=True)


async def account_row(server: Book, number: int) -> AccountRow:
    """The account with this id. Raises NotFound."""
    found = await server.reads.view().row(accounts.account(number))
    if found is None:
        raise NotFound
    return AccountRow._make(found)


async def entities_of(server: Book, rows: Sequence[AccountRow]) -> list[str]:
    """Accounts, in order; those that have moved with where they are now."""
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


def _source(row: AccountRow, note: str, requests: int) -> dict[str, Any]:
    """What the owner edits: text as typed, and the defaults of what they post."""
    profile: dict[str, Any] = msgspec.json.decode(f"{{{row.profile}}}")
    return {
        "privacy": "public",
        "sensitive": False,
        "language": None,
        "note": note,
        "fields": profile["fields"],
        "follow_requests_count": requests,
        "hide_collections": profile["hide_collections"],
        "discoverable": profile["discoverable"],
        "indexable": profile["indexable"],
        "attribution_domains": [],
        "quote_policy": "nobody",
    }


def _role(role: Role) -> dict[str, Any]:
    number, name = _ROLES[role]
    return {"id": number, "name": name, "permissions": "0", "color": "", "highlighted": role != "user"}


def _text(value: dict[str, Any]) -> str:
    return _encode(value).decode()
