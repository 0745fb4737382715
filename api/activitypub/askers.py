"""Who fetches: the remote account whose signature is on a GET, if one we know of holds.

A signature can only show somebody more, or hide what its signer's posts are hidden from: a broken one counts as none,
and a header of the answer says why. It is judged before anything is looked up, so that neither what comes back nor
what we fetch meanwhile tells whether a post is there (GHSA-gwhw-gcjx-72v8).

Nobody is asked for a key unless the actor it would be of is an account already known here: nobody else can be a
follower or be addressed, and strangers can't make us knock at others' doors. Our own actors are served without looking
at signatures, so two servers that check everything never wait for each other.
"""

import asyncio
import re
from collections.abc import Hashable
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.types import HTTPScope

from adapters.activitypub.remote_keys import KeyProblem
from adapters.activitypub.signatures import (
    CheckedRequest,
    Headers,
    PublicKey,
    SignatureRefused,
    SignedRequest,
    VerifiedRequest,
    check,
    headers_from_bytes,
    parse_signature,
    prove,
)
from adapters.activitypub.urls import without_fragment
from api.activitypub.federation import Federation
from projections.actor_documents import remote_account
from projections.touched import account

KEY_WAIT_S_MAX: Final = 5.0
VARY: Final = "Accept, Signature"
FRESH: Final = "public, max-age=180"
# Who may see what can change at once, and what one signer sees is no other's.
UNSHARED: Final = "private, no-store"
# Where the key is of a URL of its own, as GoToSocial's are.
_KEY_PATHS: Final = ("/main-key", "/publickey")
_REASON_CHARS_MAX: Final = 200
_UNPRINTABLE: Final = re.compile(r"[^ -~]")

AnyRequest = Request[Any, Any, Any]


class Asker(msgspec.Struct, frozen=True):
    """Who asks: `account` is the id of the remote account that proved itself, None is anybody.

    `signed` is whether a signature came with the request, `unproven` why it is not believed.
    """

    account: int | None = None
    signed: bool = False
    unproven: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Of an answer that depends on who asks."""
        headers = {"Vary": VARY, "Cache-Control": UNSHARED if self.signed else FRESH}
        if self.unproven is not None:
            headers["Daybook-Signature"] = f"ignored: {_UNPRINTABLE.sub('?', self.unproven)[:_REASON_CHARS_MAX]}"
        return headers

    @property
    def refusal(self) -> dict[str, str]:
        """Of the answer that there is no such thing, for this one at least."""
        return {**self.headers, "Cache-Control": UNSHARED}


class _Unknown(Exception):
    """The key is of nobody that we know."""


async def asker_of(request: AnyRequest, federation: Federation) -> Asker:
    """Who sent a GET. Raises Unavailable."""
    proven: Asker | None = request.scope["state"].get("asker")
    if proven is not None:
        return proven
    headers = headers_from_bytes(request.scope["headers"])
    return await _judged(request.scope, headers, federation) if any(map(_is_signature, headers)) else Asker()


def known_asker(scope: HTTPScope, federation: Federation) -> Asker | None:
    """Who sent a signed GET, if that shows without asking anybody; None says nothing of it."""
    try:
        checked = _checked(scope, headers_from_bytes(scope["headers"]), federation)
        key = federation.keys.held(checked.parameters.key_id)
        signer = None if key is None else federation.pages.find(_name_of(key.actor))
        if key is None or signer is None:
            return None
        prove(checked, key)
    except SignatureRefused:
        return None
    return Asker(account=int(signer.body), signed=True)


async def _judged(scope: HTTPScope, headers: Headers, federation: Federation) -> Asker:
    try:
        checked = _checked(scope, headers, federation)
        async with asyncio.timeout(KEY_WAIT_S_MAX):
            verified = await _proven(checked, federation)
    except SignatureRefused as problem:
        return Asker(signed=True, unproven=problem.reason)
    except KeyProblem as problem:
        return Asker(signed=True, unproven=problem.reason)
    except TimeoutError:
        return Asker(signed=True, unproven="The key did not come in time.")
    except _Unknown:
        return Asker(signed=True, unproven="Nobody is known by that key.")
    return Asker(account=await _account_of(verified.signer, federation), signed=True)


def _checked(scope: HTTPScope, headers: Headers, federation: Federation) -> CheckedRequest:
    """Raises SignatureRefused."""
    parameters = parse_signature(headers)
    asked = SignedRequest("GET", _target(scope), headers)
    return check(asked, parameters, authorities=frozenset({federation.settings.domain}), now=federation.now())


async def _account_of(actor: str, federation: Federation) -> int | None:
    """The account of a remote actor; kept like a page, since whoever asks for one document asks for more."""
    kept = federation.pages.find(_name_of(actor))
    if kept is not None:
        return int(kept.body)
    made = federation.pages.begin()
    row = await federation.reads.view().row(remote_account([actor]))
    if row is None:
        return None
    made.all_of(account(row[0]))
    federation.pages.keep(_name_of(actor), made, (), str(row[0]).encode())
    return row[0]


def _name_of(actor: str) -> Hashable:
    return "account of", actor


async def _proven(checked: CheckedRequest, federation: Federation) -> VerifiedRequest:
    """Raises SignatureRefused, _Unknown, and what finding a key raises."""
    key = await _key(checked.parameters.key_id, federation)
    try:
        return prove(checked, key)
    except SignatureRefused:
        # The actor may have a new key under the same id.
        other = await federation.keys.refetch(key)
        if other is None:
            raise
        return prove(checked, other)


async def _key(key_id: str, federation: Federation) -> PublicKey:
    known = await federation.keys.known(key_id)
    if known is not None:
        return known
    actor = without_fragment(key_id)
    owners = [actor, *(actor.removesuffix(path) for path in _KEY_PATHS if actor.endswith(path))]
    if await federation.reads.view().row(remote_account(owners)) is None:
        raise _Unknown
    return await federation.keys.find(key_id)


def _is_signature(line: tuple[str, str]) -> bool:
    name, value = line
    if name == "authorization":
        return value[:10].lower() == "signature "
    return name in ("signature", "signature-input")


def _target(scope: HTTPScope) -> str:
    query = scope["query_string"]
    path = scope["raw_path"].partition(b"?")[0]
    return (path + b"?" + query if query else path).decode("latin-1")
