"""GET of actors. Nobody is asked who they are: everybody may read what is here."""

from litestar import Response, get
from litestar.params import FromPath

from adapters.activitypub.documents import (
    Document,
    actor_document,
    collection_document,
    instance_actor_document,
    tombstone_document,
)
from adapters.config import host_of
from api.activitypub.askers import FRESH, AnyRequest
from api.activitypub.federation import Federation, TheFederation
from api.activitypub.negotiation import VARY, answer, for_peers, led_to
from api.activitypub.numbers import number_of
from api.asked_again import making
from api.errors import Gone, NotFound
from projections.actor_documents import LocalActor, local_actor
from projections.touched import account

GONE = 410
HEADERS = {"Cache-Control": FRESH, **VARY}


@get("/ap/users/{account_id:str}")
async def actor(account_id: FromPath[str], request: AnyRequest, federation: TheFederation) -> Response[bytes]:
    """A local account: the actor for peers, a redirect to the profile for people; a Tombstone of one that is gone."""
    found = await _actor_row(federation, account_id)
    if found.deleted:
        return answer(tombstone_document(found.uri), HEADERS, GONE)
    if not for_peers(request):
        return led_to(found.url)
    key = await federation.actor_keys.of_local(found.id)
    if key is None:
        # Between the name and the key: nothing can be verified by this actor yet.
        raise NotFound
    settings = federation.settings
    document = actor_document(found, key.key_id, key.public_pem, origin=settings.origin, domain=settings.domain)
    making(request).all_of(account(found.id))
    return answer(document, HEADERS)


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


async def standing_actor(federation: Federation, account_id: str) -> LocalActor:
    """The local account of that id, as in a URL. Raises NotFound, and Gone for one that was deleted."""
    found = await _actor_row(federation, account_id)
    if found.deleted:
        raise Gone
    return found


async def _actor_row(federation: Federation, account_id: str) -> LocalActor:
    row = await federation.reads.view().row(local_actor(number_of(account_id)))
    if row is None:
        raise NotFound
    return LocalActor(*row)


def _answer(document: Document) -> Response[bytes]:
    return answer(document, HEADERS)
