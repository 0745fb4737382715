"""GET of what belongs to an actor: outbox, followers, following, what is featured."""

from litestar import Response, get
from litestar.params import FromPath

from adapters.activitypub.collections import (
    empty_collection,
    fitting,
    ordered_collection,
    ordered_page,
    paged_collection,
)
from adapters.activitypub.documents import collection_document
from api.activitypub.actors import standing_actor
from api.activitypub.askers import FRESH, AnyRequest, Asker, asker_of
from api.activitypub.federation import Federation, TheFederation
from api.activitypub.negotiation import VARY, answer
from api.activitypub.statuses import activities_of, notes_of
from api.pagination import Page
from api.pagination import page as asked_page
from projections.actor_documents import LocalActor, LocalStatus, outbox_part, pinned_by
from projections.status_queries import ID_MAX, Slice

HEADERS = {"Cache-Control": FRESH, **VARY}
PAGE_ITEMS_MAX = 20


@get("/ap/users/{account_id:str}/outbox")
async def outbox(account_id: FromPath[str], request: AnyRequest, federation: TheFederation) -> Response[bytes]:
    """What an account said for everybody, newest first; how many posts there are, unless a page is asked for."""
    found = await standing_actor(federation, account_id)
    uri = f"{found.uri}/outbox"
    if request.query_params.get("page") != "true":
        return answer(paged_collection(uri, found.statuses), HEADERS)
    asker = await asker_of(request, federation)
    part = asked_page(request, default=PAGE_ITEMS_MAX, most=PAGE_ITEMS_MAX)
    return await _outbox_page(federation, found, uri, asker, part)


async def _outbox_page(
    federation: Federation, found: LocalActor, uri: str, asker: Asker, asked: Page
) -> Response[bytes]:
    part = Slice(
        below=ID_MAX if asked.max_id is None else asked.max_id,
        above=asked.min_id or 0,
        limit=PAGE_ITEMS_MAX + 1,
        ascending=asked.ascending,
    )
    view = federation.reads.view()
    rows = [LocalStatus(*row) for row in await view.rows(outbox_part(found.id, asker.account, part))]
    items = fitting(await activities_of(view, rows[:PAGE_ITEMS_MAX], federation.settings.domain))
    shown, more = [row.id for row in rows[: len(items)]], len(rows) > len(items)
    if asked.ascending:
        items, shown = items[::-1], shown[::-1]
        # Below what was read upwards there is what it was read upwards from, unless that is the very beginning.
        more = bool(asked.min_id)
    page = ordered_page(
        uri,
        _query(asked),
        items,
        following=f"page=true&max_id={shown[-1]}" if shown and more else None,
        preceding=f"page=true&min_id={shown[0]}" if shown else None,
    )
    return answer(page, asker.headers)


@get("/ap/users/{account_id:str}/followers")
async def followers(account_id: FromPath[str], federation: TheFederation) -> Response[bytes]:
    """How many follow; who they are is nobody's business."""
    found = await standing_actor(federation, account_id)
    return answer(collection_document(f"{found.uri}/followers", found.followers), HEADERS)


@get("/ap/users/{account_id:str}/following")
async def following(account_id: FromPath[str], federation: TheFederation) -> Response[bytes]:
    """How many are followed."""
    found = await standing_actor(federation, account_id)
    return answer(collection_document(f"{found.uri}/following", found.following), HEADERS)


@get("/ap/users/{account_id:str}/collections/featured")
async def featured(account_id: FromPath[str], request: AnyRequest, federation: TheFederation) -> Response[bytes]:
    """The posts that an account pinned, whole, as far as the asker may see them."""
    found = await standing_actor(federation, account_id)
    asker = await asker_of(request, federation)
    view = federation.reads.view()
    rows = [LocalStatus(*row) for row in await view.rows(pinned_by(found.id, asker.account))]
    notes = await notes_of(view, rows, federation.settings.domain)
    return answer(ordered_collection(f"{found.uri}/collections/featured", notes), asker.headers)


@get("/ap/users/{account_id:str}/collections/tags")
async def featured_tags(account_id: FromPath[str], federation: TheFederation) -> Response[bytes]:
    """The hashtags that an account features: none, until that can be done here."""
    found = await standing_actor(federation, account_id)
    return answer(empty_collection(f"{found.uri}/collections/tags"), HEADERS)


def _query(asked: Page) -> str:
    bounds = (("max_id", asked.max_id), ("min_id", asked.min_id))
    return "&".join(["page=true", *(f"{name}={number}" for name, number in bounds if number is not None)])
