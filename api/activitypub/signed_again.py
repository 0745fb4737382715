"""Notes that a signer asks for again, handed out before anything is routed (docs/adr/0019-pages-are-kept.md).

Every signature is verified, and before it is known whether there is such a page: else the time that an answer takes
would tell whether a post is there. Only who is proven by what this process holds already (the key, whose account it
is) gets a page here. All else goes the long way, and is judged there.
"""

from collections.abc import Hashable
from functools import lru_cache
from typing import Any, Final

from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from adapters.pages import Headers
from api.activitypub.askers import Asker, known_asker
from api.activitypub.federation import Federation
from api.activitypub.negotiation import ACTIVITY, wants_document

OK: Final = 200
ACCEPTS_MAX: Final = 256
ACCEPT_BYTES_MAX: Final = 256

_PREFIX: Final = "/ap/users/"
# "/ap/users/1/statuses/2"
_PARTS: Final = 6
_SIGNATURES: Final = (b"signature", b"signature-input", b"authorization")


def name_of_note(account_id: str, status_id: str, asker: int | None) -> Hashable:
    """What a Note is kept under, by the ids in its path and the account that asks for it (None: nobody known)."""
    return "note", account_id, status_id, asker


def lines_for_signers(body: bytes) -> Headers:
    """The headers of a Note for a signer that is proven."""
    kept = [(b"content-type", ACTIVITY.encode()), (b"content-length", str(len(body)).encode())]
    return kept + [(name.lower().encode(), value.encode()) for name, value in Asker(signed=True).headers.items()]


class SignedAgain:
    """The ASGI application around the routes; who is proven on the way is not judged again behind it."""

    def __init__(self, app: ASGIApp, federation: Federation) -> None:
        self._app = app
        self._federation = federation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers with the Note that it has for whoever asks."""
        parts = _note_asked_for(scope) if scope["type"] == "http" else None
        asker = known_asker(scope, self._federation) if parts and scope["type"] == "http" else None
        if parts is None or asker is None:
            await self._app(scope, receive, send)
            return
        page = self._federation.pages.answer(name_of_note(parts[3], parts[5], asker.account))
        if page is None:
            state: dict[str, Any] = scope.get("state", {})  # pyright: ignore[reportUnknownMemberType]
            scope["state"] = {**state, "asker": asker}
            await self._app(scope, receive, send)
            return
        # Whoever counts requests does so by their routes.
        scope["path_template"] = page.route
        await send({"type": "http.response.start", "status": OK, "headers": list(page.headers)})
        await send({"type": "http.response.body", "body": page.body, "more_body": False})


def _note_asked_for(scope: HTTPScope) -> list[str] | None:
    """The parts of the path of a signed GET of a Note as a document; None for everything else."""
    path = scope["path"]
    if scope["method"] != "GET" or not path.startswith(_PREFIX):
        return None
    parts = path.split("/")
    if len(parts) != _PARTS or parts[4] != "statuses":
        return None
    accept, signed = None, False
    for name, value in scope["headers"]:
        if name == b"accept":
            if accept is not None or len(value) > ACCEPT_BYTES_MAX:
                return None
            accept = value
        signed = signed or name in _SIGNATURES
    return parts if signed and _means_document(accept or b"") else None


@lru_cache(ACCEPTS_MAX)
def _means_document(accept: bytes) -> bool:
    """Servers say the same each time."""
    return wants_document(accept.decode("latin-1"))
