"""/@name and /@name/{id}: what `url` of an account and of a status lead to, for people without a client.

Only what everybody may see, and only of people here. Peers that ask for ActivityPub are sent to the document.
"""

from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from markupsafe import Markup

from api.activitypub.negotiation import VARY, wants_document
from api.auth import PUBLIC
from api.errors import NotFound
from api.mastodon import entities
from api.mastodon.reading import id_in
from api.pagination import page as asked_page
from api.server import Book, TheBook
from api.web.pages import ThePages
from projections import accounts, status_queries, timelines
from projections.accounts import AccountRow
from projections.status_queries import COLUMNS, ID_MAX, Slice, StatusRow

HEADERS = {"Cache-Control": "public, max-age=15", **VARY}
HANDLE_CHARACTERS_MAX = 64
SHOWN_MAX = 20


@get("/{handle:str}", opt=PUBLIC)
async def profile_page(
    request: Request[Any, Any, Any], handle: FromPath[str], server: TheBook, pages: ThePages
) -> Response[bytes]:
    """Somebody, and what they have written for everybody, newest first."""
    row = await _local(server, handle)
    if wants_document(request.headers.get("accept", "")):
        return _to_document(row.uri)
    below = asked_page(request).max_id
    part = Slice(below=ID_MAX if below is None else below, limit=SHOWN_MAX)
    listing = timelines.of_account(row.id, None, without_replies=False, without_boosts=True)
    found = await server.reads.view().rows(status_queries.page(listing, part))
    posts = [_post(StatusRow._make(columns[:COLUMNS])) for columns in found]
    account = msgspec.json.decode(entities.account(row))
    return pages.answer(
        "profile.html",
        headers=HEADERS,
        account=account,
        note=Markup(account["note"]),  # noqa: S704 - formatted by us from text, all of it escaped
        posts=posts,
        older=posts[-1]["id"] if len(posts) == SHOWN_MAX else None,
    )


@get("/{handle:str}/{status_id:str}", opt=PUBLIC)
async def post_page(
    request: Request[Any, Any, Any], handle: FromPath[str], status_id: FromPath[str], server: TheBook, pages: ThePages
) -> Response[bytes]:
    """One post that everybody may see, under its author's name and no other; of a boost what it passes on."""
    author = await _local(server, handle)
    if wants_document(request.headers.get("accept", "")):
        # Whether or not it is there: the document's own address knows who may see it, and who asks.
        return _to_document(f"{author.uri}/statuses/{id_in(status_id)}")
    found = await server.reads.view().row(status_queries.status(id_in(status_id), None))
    if found is None or found[1] != author.id:
        raise NotFound
    *columns, _, _ = found
    row = StatusRow._make(columns)
    if row.reblog_of is not None:
        return await _to_boosted(server, row.reblog_of)
    return pages.answer("post.html", headers=HEADERS, post=_post(row))


async def _local(server: Book, handle: str) -> AccountRow:
    """The account of "@name".

    Raises NotFound when there is none, NotFoundException for paths that are no handle and lead here too.
    """
    name = handle.removeprefix("@")
    if name == handle:
        raise NotFoundException
    if "@" in name or len(handle) > HANDLE_CHARACTERS_MAX or "\x00" in name:
        raise NotFound
    found = await server.reads.view().row(accounts.account_named(name))
    if found is None:
        raise NotFound
    return AccountRow._make(found)


def _to_document(uri: str) -> Response[bytes]:
    return Response(b"", status_code=302, headers={"Location": uri, **HEADERS})


async def _to_boosted(server: Book, number: int) -> Response[bytes]:
    """To the page of what a boost passes on, wherever that is."""
    found = await server.reads.view().row(status_queries.status(number, None))
    if found is None:
        raise NotFound
    *columns, _, _ = found
    boosted = msgspec.json.decode(f"{{{StatusRow._make(columns).json}}}")
    return Response(b"", status_code=302, headers={"Location": boosted["url"], **HEADERS})


def _post(row: StatusRow) -> dict[str, Any]:
    """A Status as the template takes it: its HTML is ours or sanitised, so it is not escaped again."""
    status: dict[str, Any] = msgspec.json.decode(entities.status(row, None))
    html = Markup(status["content"])  # noqa: S704 - sanitised when it came, or formatted by us
    return {**status, "html": html, "when": status["created_at"][:16].replace("T", " ") + " UTC"}
