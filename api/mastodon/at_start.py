"""What clients ask for when they start, and nothing is behind yet: empty lists rather than errors, which they show."""

from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from api.auth import PUBLIC, Opt, may_have, needs
from api.errors import NotFound
from api.mastodon.accounts import account_row
from api.mastodon.reading import id_in, json
from api.server import TheBook

CACHED = {"Cache-Control": "max-age=300, public, stale-while-revalidate=30", "Vary": "Origin"}
EMPTY: dict[str, Opt] = {
    "/api/v1/announcements": needs("read:accounts"),
    "/api/v1/conversations": needs("read:statuses"),
    "/api/v1/directory": PUBLIC,
    "/api/v1/domain_blocks": needs("read:blocks"),
    "/api/v1/endorsements": needs("read:accounts"),
    "/api/v1/featured_tags": needs("read:accounts"),
    "/api/v1/featured_tags/suggestions": needs("read:accounts"),
    "/api/v1/filters": needs("read:filters"),
    "/api/v2/filters": needs("read:filters"),
    "/api/v1/followed_tags": needs("read:follows"),
    "/api/v1/instance/activity": PUBLIC,
    "/api/v1/instance/domain_blocks": PUBLIC,
    "/api/v1/instance/languages": PUBLIC,
    "/api/v1/instance/peers": PUBLIC,
    "/api/v1/instance/rules": PUBLIC,
    "/api/v1/lists": needs("read:lists"),
    "/api/v1/scheduled_statuses": needs("read:statuses"),
    "/api/v1/suggestions": needs("read"),
    "/api/v2/suggestions": needs("read"),
    "/api/v1/trends": PUBLIC,
    "/api/v1/trends/links": PUBLIC,
    "/api/v1/trends/statuses": PUBLIC,
    "/api/v1/trends/tags": PUBLIC,
}
# The same of one account.
EMPTY_OF_ACCOUNT: dict[str, Opt] = {
    "endorsements": may_have("read:accounts"),
    "featured_tags": may_have("read:accounts"),
    "lists": needs("read:lists"),
}


@get("/api/v1/custom_emojis", opt=PUBLIC)
async def custom_emojis() -> Response[bytes]:
    """There are none."""
    return json("[]", CACHED)


@get("/api/v1/push/subscription", opt=needs("push"))
async def push_subscription() -> Response[bytes]:
    """Nobody has one; clients expect 404 then."""
    raise NotFound


@get("/api/v1/instance/translation_languages", opt=PUBLIC)
async def translation_languages() -> dict[str, Any]:
    """Nothing is translated."""
    return {}


@get("/api/v1/instance/extended_description", opt=PUBLIC)
async def extended_description() -> dict[str, Any]:
    """Nobody has written one yet."""
    return {"updated_at": None, "content": ""}


def empty_lists() -> list[HTTPRouteHandler]:
    """A route for each list that is always empty."""
    of_accounts = [
        _empty_of_account(f"/api/v1/accounts/{{account_id:str}}/{what}", opt) for what, opt in EMPTY_OF_ACCOUNT.items()
    ]
    return [*(_empty(path, opt) for path, opt in EMPTY.items()), *of_accounts]


def _empty(path: str, opt: Opt) -> HTTPRouteHandler:
    async def nothing() -> Response[bytes]:
        return json("[]")

    return get(path, opt=opt)(nothing)


def _empty_of_account(path: str, opt: Opt) -> HTTPRouteHandler:
    async def nothing(account_id: FromPath[str], server: TheBook) -> Response[bytes]:
        await account_row(server, id_in(account_id))
        return json("[]")

    return get(path, opt=opt)(nothing)
