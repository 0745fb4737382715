"""GET of actors, public posts and their collections. Unsigned: everybody may read what everybody may see.

Followers-only and direct posts are not there for anybody (404, as for what never was: GHSA-gwhw-gcjx-72v8).
"""

from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath

from adapters.activitypub.documents import (
    Document,
    actor_document,
    collection_document,
    instance_actor_document,
    note_document,
    tombstone_document,
)
from adapters.config import host_of
from api.activitypub.federation import Federation, TheFederation
from api.activitypub.negotiation import ACTIVITY, VARY, wants_document
from api.activitypub.numbers import number_of
from api.errors import NotFound
from projections.actor_documents import LocalActor, LocalStatus, Mentioned, local_actor, mentioned_by, served_note

OK, FOUND, GONE = 200, 302, 410
FRESH = {"Cache-Control": "public, max-age=180"}

AnyRequest = Request[Any, Any, Any]


@get("/ap/users/{account_id:str}")
async def actor(account_id: FromPath[str], request: AnyRequest, federation: TheFederation) -> Response[bytes]:
    """A local account: the actor for peers, a redirect to the profile for people."""
    found = await _actor(federation, account_id)
    if not _for_peers(request):
        return _page(found.url)
    key = await federation.actor_keys.of_local(found.id)
    if key is None:
        # Between the name and the key: nothing can be verified by this actor yet.
        raise NotFound
    settings = federation.settings
    return _answer(actor_document(found, key.key_id, key.public_pem, origin=settings.origin, domain=settings.domain))


@get("/actor")
async def instance_actor(federation: TheFederation) -> Response[bytes]:
    """The instance itself, which signs what is fetched from here."""
    settings = federation.settings
    return _answer(
        instance_actor_document(settings.origin, host_of(settings.domain), settings.domain, federation.instance_pem)
    )


@get("/actor/outbox")
async def instance_outbox(federation: TheFederation) -> Response[bytes]:
    """Every actor must have one; the instance publishes nothing."""
    return _answer(collection_document(f"{federation.settings.origin}/actor/outbox", 0))


@get("/ap/users/{account_id:str}/statuses/{status_id:str}")
async def note(
    account_id: FromPath[str], status_id: FromPath[str], request: AnyRequest, federation: TheFederation
) -> Response[bytes]:
    """A public or unlisted post as a Note; its Tombstone with 410 once it is deleted."""
    view = federation.reads.view()
    row = await view.row(served_note(number_of(account_id), number_of(status_id), None))
    if row is None:
        raise NotFound
    found = LocalStatus(*row)
    if found.deleted:
        return _answer(tombstone_document(found.uri), GONE)
    if not _for_peers(request):
        return _page(msgspec.json.decode(f"{{{found.json}}}")["url"])
    mentioned = [Mentioned(*each) for each in await view.rows(mentioned_by(found.id))]
    return _answer(note_document(found, mentioned, federation.settings.domain))


@get("/ap/users/{account_id:str}/outbox")
async def outbox(account_id: FromPath[str], federation: TheFederation) -> Response[bytes]:
    """How many posts there are."""
    found = await _actor(federation, account_id)
    return _answer(collection_document(f"{found.uri}/outbox", found.statuses))


@get("/ap/users/{account_id:str}/followers")
async def followers(account_id: FromPath[str], federation: TheFederation) -> Response[bytes]:
    """How many follow; who they are is nobody's business."""
    found = await _actor(federation, account_id)
    return _answer(collection_document(f"{found.uri}/followers", found.followers))


@get("/ap/users/{account_id:str}/following")
async def following(account_id: FromPath[str], federation: TheFederation) -> Response[bytes]:
    """How many are followed."""
    found = await _actor(federation, account_id)
    return _answer(collection_document(f"{found.uri}/following", found.following))


async def _actor(federation: Federation, account_id: str) -> LocalActor:
    row = await federation.reads.view().row(local_actor(number_of(account_id)))
    if row is None:
        raise NotFound
    return LocalActor(*row)


def _for_peers(request: AnyRequest) -> bool:
    return wants_document(request.headers.get("accept", ""))


def _answer(document: Document, status_code: int = OK) -> Response[bytes]:
    return Response(
        msgspec.json.encode(document), status_code=status_code, media_type=ACTIVITY, headers={**FRESH, **VARY}
    )


def _page(url: str) -> Response[bytes]:
    return Response(b"", status_code=FOUND, headers={**VARY, "Location": url})
