"""GET of posts: the Note for whoever may see it, nothing for everybody else.

What the asker may not see was never there (404: GHSA-gwhw-gcjx-72v8), and what only some may see is in no shared
cache (GHSA-ccpr-m53r-mfwr).
"""

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from adapters.activitypub.documents import note_document, tombstone_document
from adapters.postgres.reads import View
from api.activitypub.askers import AnyRequest, Asker, asker_of
from api.activitypub.federation import TheFederation
from api.activitypub.negotiation import answer, for_peers, led_to
from api.activitypub.numbers import number_of
from api.errors import NotFound
from projections.actor_documents import LocalStatus, Mentioned, mentioned_by, served_note

GONE = 410


@get("/ap/users/{account_id:str}/statuses/{status_id:str}")
async def note(
    account_id: FromPath[str], status_id: FromPath[str], request: AnyRequest, federation: TheFederation
) -> Response[bytes]:
    """A post as a Note; its Tombstone with 410 once it is deleted; for people, the page."""
    asker = await asker_of(request, federation)
    view = federation.reads.view()
    found = await _visible(view, asker, account_id, status_id)
    if found.deleted:
        return answer(tombstone_document(found.uri), asker.headers, GONE)
    if not for_peers(request):
        return led_to(msgspec.json.decode(f"{{{found.json}}}")["url"], asker.headers)
    mentioned = [Mentioned(*each) for each in await view.rows(mentioned_by(found.id))]
    return answer(note_document(found, mentioned, federation.settings.domain), asker.headers)


async def _visible(view: View, asker: Asker, account_id: str, status_id: str) -> LocalStatus:
    """Raises NotFound for what the asker may not see."""
    row = await view.row(served_note(number_of(account_id), number_of(status_id), asker.account))
    if row is None:
        raise NotFound(headers=asker.refusal)
    return LocalStatus(*row)
