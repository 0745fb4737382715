"""GET of posts: the Note for whoever may see it, nothing for everybody else.

What the asker may not see was never there (404: GHSA-gwhw-gcjx-72v8), and what only some may see is in no shared
cache (GHSA-ccpr-m53r-mfwr).
"""

from collections.abc import Sequence

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from adapters.activitypub.collections import reply_collection, reply_page
from adapters.activitypub.documents import (
    Document,
    announce_document,
    collection_document,
    create_document,
    note_document,
    tombstone_document,
)
from adapters.postgres.reads import View
from api.activitypub.askers import AnyRequest, Asker, asker_of
from api.activitypub.federation import TheFederation
from api.activitypub.negotiation import answer, encoded, for_peers, led_to
from api.activitypub.numbers import number_of
from api.activitypub.signed_again import lines_for_signers, name_of_note
from api.asked_again import making
from api.errors import NotFound
from api.pagination import page
from projections.actor_documents import LocalStatus, Mentioned, answers_to, mentioned_by_each, served_status
from projections.touched import account, seen_by, status

GONE = 410
REPLIES_MAX = 40


@get("/ap/users/{account_id:str}/statuses/{status_id:str}")
async def note(
    account_id: FromPath[str], status_id: FromPath[str], request: AnyRequest, federation: TheFederation
) -> Response[bytes]:
    """A post as a Note; its Tombstone with 410 once it is deleted; for people, the page. Of a boost the Announce."""
    asker = await asker_of(request, federation)
    name, peers = name_of_note(account_id, status_id, asker.account), for_peers(request)
    kept = federation.pages.find(name) if peers else None
    if kept is not None:
        return encoded(kept.body, asker.headers)
    made, view = federation.pages.begin(), federation.reads.view()
    found = await _visible(view, asker, account_id, status_id)
    if found.deleted:
        return answer(tombstone_document(found.uri), asker.headers, GONE)
    if not peers:
        return led_to(_page_of(found), asker.headers)
    if found.boosted is not None:
        return led_to(found.uri, asker.headers)
    (document,) = await notes_of(view, [found], federation.settings.domain)
    body, author = msgspec.json.encode(document), account(number_of(account_id))
    if asker.signed:
        # Who asks has to be found out each time, and so before there is a page for them.
        made.all_of(status(found.id), author, *seen_by(asker.account))
        federation.pages.keep(name, made, lines_for_signers(body), body, route=request.scope["path_template"])
    else:
        making(request).all_of(status(found.id), author)
    return encoded(body, asker.headers)


@get("/ap/users/{account_id:str}/statuses/{status_id:str}/activity")
async def activity(
    account_id: FromPath[str], status_id: FromPath[str], request: AnyRequest, federation: TheFederation
) -> Response[bytes]:
    """The Create that brought a post, or the Announce that a boost is; there for whom the post is."""
    asker = await asker_of(request, federation)
    view = federation.reads.view()
    found = await _visible(view, asker, account_id, status_id)
    if found.deleted:
        return answer(tombstone_document(_activity_of(found)), asker.headers, GONE)
    if not for_peers(request):
        return led_to(_page_of(found), asker.headers)
    (document,) = await activities_of(view, [found], federation.settings.domain)
    return answer(document, asker.headers)


@get("/ap/users/{account_id:str}/statuses/{status_id:str}/replies")
async def replies(
    account_id: FromPath[str], status_id: FromPath[str], request: AnyRequest, federation: TheFederation
) -> Response[bytes]:
    """What answers a post for everybody to see, as ids, oldest first."""
    asker = await asker_of(request, federation)
    view = federation.reads.view()
    found = await _standing_post(view, asker, account_id, status_id)
    uri = f"{found.uri}/replies"
    if request.query_params.get("page") != "true":
        return answer(reply_collection(uri), asker.headers)
    above = page(request).min_id
    rows = await view.rows(answers_to(found.uri, asker.account, above or 0, REPLIES_MAX + 1))
    shown = rows[:REPLIES_MAX]
    asked = "page=true" if above is None else f"page=true&min_id={above}"
    following = f"page=true&min_id={shown[-1][0]}" if len(rows) > len(shown) else None
    return answer(reply_page(uri, asked, [row[1] for row in shown], following=following), asker.headers)


@get(
    [
        "/ap/users/{account_id:str}/statuses/{status_id:str}/likes",
        "/ap/users/{account_id:str}/statuses/{status_id:str}/shares",
    ]
)
async def reactions(
    account_id: FromPath[str], status_id: FromPath[str], request: AnyRequest, federation: TheFederation
) -> Response[bytes]:
    """How many like a post, or passed it on; who they are is theirs to say."""
    asker = await asker_of(request, federation)
    found = await _standing_post(federation.reads.view(), asker, account_id, status_id)
    name = request.scope["path"].rpartition("/")[2]
    total = found.likes if name == "likes" else found.shares
    return answer(collection_document(f"{found.uri}/{name}", total, "Collection"), asker.headers)


async def activities_of(view: View, rows: Sequence[LocalStatus], domain: str) -> list[Document]:
    """The Creates of these posts and the Announces that these boosts are, in that order."""
    posts = [row for row in rows if row.boosted is None]
    notes = dict(zip((row.id for row in posts), await notes_of(view, posts, domain), strict=True))
    return [announce_document(row) if row.boosted else create_document(notes[row.id]) for row in rows]


async def notes_of(view: View, rows: Sequence[LocalStatus], domain: str) -> list[Document]:
    """These posts as Notes, in that order."""
    mentioned: dict[int, list[Mentioned]] = {row.id: [] for row in rows}
    for *columns, number in await view.rows(mentioned_by_each(list(mentioned))) if rows else ():
        mentioned[number].append(Mentioned(*columns))
    return [note_document(row, mentioned[row.id], domain) for row in rows]


async def _visible(view: View, asker: Asker, account_id: str, status_id: str) -> LocalStatus:
    """Raises NotFound for what the asker may not see."""
    row = await view.row(served_status(number_of(account_id), number_of(status_id), asker.account))
    if row is None:
        raise NotFound(headers=asker.refusal)
    return LocalStatus(*row)


async def _standing_post(view: View, asker: Asker, account_id: str, status_id: str) -> LocalStatus:
    """Raises NotFound for boosts, too, and what was deleted."""
    found = await _visible(view, asker, account_id, status_id)
    if found.deleted or found.boosted is not None:
        raise NotFound(headers=asker.refusal)
    return found


def _activity_of(status: LocalStatus) -> str:
    """The URI of what brought it; a boost's own is that already."""
    return status.uri if status.boosted is not None else f"{status.uri}/activity"


def _page_of(status: LocalStatus) -> str:
    return status.boosted_page or msgspec.json.decode(f"{{{status.json}}}")["url"]
