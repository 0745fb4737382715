"""GET /api/v2/search: accounts by their exact handle; nothing else can be searched yet."""

from typing import Any, Literal

import msgspec
from litestar import Request, Response, get

from api.auth import AnyViewer, may_have
from api.mastodon import entities
from api.mastodon.accounts import acct_of
from api.mastodon.reading import current, json
from api.params import params
from api.server import TheBook
from projections import accounts
from projections.accounts import AccountRow


class Search(msgspec.Struct, frozen=True):
    """What is searched for, and which kind of thing; without a kind, all of them."""

    q: str
    type: Literal["accounts", "hashtags", "statuses"] | None = None
    offset: int = 0


@get("/api/v2/search", opt=may_have("read:search"))
async def search(request: Request[Any, Any, Any], viewer: AnyViewer, server: TheBook) -> Response[bytes]:
    """All three lists, always: clients read each of them."""
    asked = await params(request, Search)
    headers = await current(server, viewer)
    found = None
    if asked.type in (None, "accounts") and asked.offset <= 0:
        acct = acct_of(asked.q, server.settings.domain)
        found = await server.reads.view().row(accounts.account_named(acct))
    hits = "" if found is None else entities.account(AccountRow._make(found))
    return json(f'{{"accounts":[{hits}],"statuses":[],"hashtags":[]}}', headers)
