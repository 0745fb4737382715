"""Searching: people by handle and name, anything by its URL, here and, if asked to resolve, elsewhere.

GET /api/v2/search and /api/v1/accounts/search (Mastodon documentation, methods/search and methods/accounts#search).
"""

import asyncio
import re
from typing import Any, Literal, LiteralString

import msgspec
from litestar import Request, Response, get

from adapters.postgres.reads import View
from api.auth import AnyViewer, TheViewer, Viewer, may_have, needs
from api.errors import Unauthorized
from api.mastodon import entities
from api.mastodon.accounts import acct_of
from api.mastodon.lists import shown
from api.mastodon.reading import current, json
from api.mastodon.tags import tags_shown
from api.params import params
from api.server import Book, TheBook
from domain.text import hashtag_key
from projections import accounts, documents, finding, status_queries, tags
from projections.accounts import AccountRow
from projections.status_queries import ID_MAX
from projections.tags import TAG_BYTES_MAX, TagRow
from projections.visibility import MAY_SEE, SHOWN

LIMIT_MAX = 40
ACCOUNTS_LIMIT_MAX = 80
OFFSET_MAX = 10_000
SOUGHT_MAX = 2_048
NO_RESOLVE = "Search queries that resolve remote resources are not supported without authentication"
NO_OFFSET = "Search queries pagination is not supported without authentication"

_PAGE = re.compile(r"/@([A-Za-z0-9_.-]+)(?:/([0-9]{1,19}))?/?")
Kind = Literal["accounts", "hashtags", "statuses"]


class Search(msgspec.Struct, frozen=True):
    """What is searched for, and which kind of thing; without a kind, all of them."""

    q: str
    type: Kind | None = None
    offset: int = 0
    limit: int = 20
    resolve: bool = False
    following: bool = False

    def wants(self, kind: Kind) -> bool:
        """Whether things of this kind are searched for."""
        return self.type in (None, kind)


class AccountSearch(msgspec.Struct, frozen=True):
    """Who is searched for."""

    q: str
    offset: int = 0
    limit: int = 40
    resolve: bool = False
    following: bool = False


@get("/api/v2/search", opt=may_have("read:search"))
async def search(request: Request[Any, Any, Any], viewer: AnyViewer, server: TheBook) -> Response[bytes]:
    """All three lists, always: clients read each of them. What a URL names is found alone."""
    asked = await params(request, Search)
    if viewer is None and (asked.resolve or asked.offset > 0):
        raise Unauthorized(NO_RESOLVE if asked.resolve else NO_OFFSET)
    sought = asked.q.strip()[:SOUGHT_MAX]
    headers = await current(server, viewer)
    resolve = asked.resolve and asked.offset <= 0 and asked.type != "hashtags"
    exact = await _exact(server, sought, viewer, resolve=resolve)
    people: list[str] = []
    statuses: list[str] = []
    if exact is not None and exact[0] == "status":
        statuses = await _statuses(server.reads.view(), [exact[1]], viewer) if asked.wants("statuses") else []
    elif asked.wants("accounts"):
        people = await _people(server, sought, viewer, exact, _part(asked, LIMIT_MAX))
    if viewer is not None and asked.wants("statuses") and not _is_url(sought):
        statuses = await _saying(server, sought, viewer, _part(asked, LIMIT_MAX))
    hashtags: list[dict[str, Any]] = []
    if asked.wants("hashtags") and not _is_url(sought):
        hashtags = await _hashtags(server, sought, viewer, _part(asked, LIMIT_MAX))
    found = msgspec.json.encode(hashtags).decode()
    body = f'{{"accounts":[{",".join(people)}],"statuses":[{",".join(statuses)}],"hashtags":{found}}}'
    return json(body, headers)


@get("/api/v1/accounts/search", opt=needs("read:accounts"))
async def search_accounts(request: Request[Any, Any, Any], viewer: TheViewer, server: TheBook) -> Response[bytes]:
    """People alone."""
    asked = await params(request, AccountSearch)
    sought = asked.q.strip()[:SOUGHT_MAX]
    headers = await current(server, viewer)
    exact = await _exact(server, sought, viewer, resolve=asked.resolve and asked.offset <= 0)
    return json(entities.array(await _people(server, sought, viewer, exact, _part(asked, ACCOUNTS_LIMIT_MAX))), headers)


class _Part(msgspec.Struct, frozen=True):
    limit: int
    offset: int
    following: bool


def _part(asked: Search | AccountSearch, most: int) -> _Part:
    limit, offset = max(1, min(abs(asked.limit), most)), max(0, min(asked.offset, OFFSET_MAX))
    return _Part(limit, offset, asked.following)


async def _exact(server: Book, sought: str, viewer: Viewer | None, *, resolve: bool) -> tuple[str, int] | None:
    """Whom a handle and what a URL names: ("account" or "status", id); asked elsewhere if need be."""
    found = await _known(server, sought, viewer)
    if found is not None or not resolve or not ("@" in sought or _is_url(sought)):
        return found
    uri = await server.resolver.resolve(sought)
    if uri is None:
        return None
    position, _ = await server.reads.head()
    await server.reads.caught_up(position)
    return await _named(server, [uri], viewer)


async def _known(server: Book, sought: str, viewer: Viewer | None) -> tuple[str, int] | None:
    if not _is_url(sought):
        return await _called(server, acct_of(sought, server.settings.domain), viewer)
    page = _PAGE.fullmatch(sought.removeprefix(server.settings.origin))
    if page is None:
        return await _named(server, [sought], viewer)
    if page[2] is not None:
        return "status", min(int(page[2]), ID_MAX)
    return await _called(server, page[1], viewer)


async def _called(server: Book, acct: str, viewer: Viewer | None) -> tuple[str, int] | None:
    row = await server.reads.view().row(finding.called(acct, None if viewer is None else viewer.account))
    return None if row is None else ("account", row[0])


async def _named(server: Book, uris: list[str], viewer: Viewer | None) -> tuple[str, int] | None:
    row = await server.reads.view().row(finding.named_by(uris, None if viewer is None else viewer.account))
    return None if row is None else (row[0], row[1])


async def _people(
    server: Book, sought: str, viewer: Viewer | None, exact: tuple[str, int] | None, part: _Part
) -> list[str]:
    """Accounts: the one that a URL names, else those whose handle or name begins so, the exact one first."""
    view = server.reads.view()
    if _is_url(sought):
        ids = [exact[1]] if exact is not None and exact[0] == "account" and part.offset == 0 else []
    else:
        handle = acct_of(sought, server.settings.domain)
        asked = finding.people(
            "" if "@" in sought else sought,
            handle,
            None if viewer is None else viewer.account,
            following=part.following,
            limit=part.limit,
            offset=part.offset,
        )
        ids = [row[0] for row in await view.rows(asked)] if handle else []
        # A handle may lead to somebody who is called otherwise.
        if exact is not None and exact[1] not in ids and part.offset == 0 and not part.following:
            ids = [exact[1], *ids][: part.limit]
    rows = {row[0]: AccountRow._make(row) for row in await view.rows(accounts.several(ids))}
    return [entities.account(rows[number]) for number in ids if number in rows]


async def _hashtags(server: Book, sought: str, viewer: Viewer | None, part: _Part) -> list[dict[str, Any]]:
    """Those that begin so; a question of several words is for none."""
    key = hashtag_key(sought)
    if not key or any(character.isspace() or character in "@\0" for character in key):
        return []
    view = server.reads.view()
    rows = [TagRow._make(row) for row in await view.rows(tags.beginning(key[:TAG_BYTES_MAX], part.limit, part.offset))]
    return await tags_shown(server, view, rows, viewer) if rows else []


async def _saying(server: Book, sought: str, viewer: Viewer, part: _Part) -> list[str]:
    """Statuses that say these words, as far as this viewer may find them, the newest first."""
    words, view = documents.sought_words(sought), server.reads.view()
    if not words:
        return []
    found = await view.rows(documents.statuses_saying(words, viewer.account, part.offset + part.limit))
    kept = [(number, said) for number, said in await view.rows(documents.kept_by(viewer.account))]
    ids = {row[0] for row in found} | await asyncio.to_thread(documents.saying, kept, words)
    return await _statuses(view, sorted(ids, reverse=True)[part.offset :][: part.limit], viewer, SHOWN)


async def _statuses(view: View, ids: list[int], viewer: Viewer | None, visible: LiteralString = MAY_SEE) -> list[str]:
    viewer_id = None if viewer is None else viewer.account
    rows = {row[0]: row for row in await view.rows(status_queries.statuses(ids, viewer_id, visible))}
    return await shown(view, [rows[number] for number in ids if number in rows], viewer_id)


def _is_url(sought: str) -> bool:
    return sought.startswith(("https://", "http://"))
