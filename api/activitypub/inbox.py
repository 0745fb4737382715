"""POST /inbox, /ap/users/{id}/inbox and /actor/inbox: check, prove, append, 202.

The 202 promises that the activity is in the log and nothing else: what it means is found out later, and stands there as
a fact. Nothing unproven is stored; what is turned away is counted. The body is read here rather than by the framework:
the signature is over its bytes, and what is too long must not be read to its end.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Request, Response, post
from litestar.params import FromPath
from litestar.types import HTTPScope, Receive

from adapters.activitypub.json_guard import JsonObject, JsonRefused, decode_json_object
from adapters.activitypub.remote_keys import ActorGone, KeyRefused, KeyUnavailable
from adapters.activitypub.shapes import many, reference
from adapters.activitypub.signatures import (
    Headers,
    MessageSignature,
    SignatureParameters,
    SignatureRefused,
    SignedRequest,
    VerifiedRequest,
    check,
    headers_from_bytes,
    parse_signature,
    prove,
)
from adapters.activitypub.urls import origin_of, same_origin
from adapters.postgres.refusals import Reason
from api.activitypub.federation import Federation, TheFederation
from api.activitypub.numbers import number_of
from api.errors import ApiError, BadRequest, NotFound, TooLarge

AnyRequest = Request[Any, Any, Any]

BODY_BYTES_MAX = 1_000_000
ACCEPTED = 202
# For as long a key that could not be fetched is not asked for again.
RETRY_AFTER_S = 300
ACTIVITY_TYPES = frozenset({"application/activity+json", "application/ld+json"})
OF_ITSELF = frozenset({"Delete", "Update"})
TO_BE_SIGNED = "(request-target) host date digest"


class Unproven(ApiError):
    """401: no signature that holds, or none by a key that is the actor's."""

    status = 401

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, headers={"WWW-Authenticate": f'Signature realm="inbox",headers="{TO_BE_SIGNED}"'})


class KeyNotThere(ApiError):
    """503: the sender's server did not hand out the key; the activity is welcome once it does."""

    status = 503

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, headers={"Retry-After": str(RETRY_AFTER_S)})


class WrongType(ApiError):
    """415: not what ActivityPub section 7 wants POSTed."""

    status = 415
    sentence = "Activities are application/activity+json or application/ld+json"


class Activity(msgspec.Struct, frozen=True):
    """What the door reads of an activity: its first type, who acts, on what, and its id."""

    kind: str
    actor: str
    object: str | None
    id: str | None

    @property
    def of_itself(self) -> bool:
        """Whether the actor deletes or updates the actor."""
        return self.kind in OF_ITSELF and self.object == self.actor


@post(["/inbox", "/actor/inbox"])
async def shared_inbox(request: AnyRequest, federation: TheFederation) -> Response[bytes]:
    """For whomever here an activity concerns."""
    # As the routes spell it: another spelling of the same inbox is not another inbox.
    path = "/actor/inbox" if request.scope["path"].startswith("/actor") else "/inbox"
    return await _Door(federation).answer(request, path)


@post("/ap/users/{account_id:str}/inbox")
async def personal_inbox(account_id: FromPath[str], request: AnyRequest, federation: TheFederation) -> Response[bytes]:
    """For one local account; 404 when nobody here has that id."""
    if not await federation.actor_keys.is_local(number_of(account_id)):
        raise NotFound
    return await _Door(federation).answer(request, f"/ap/users/{account_id}/inbox")


class _Door:
    """The way in, for one request."""

    def __init__(self, server: Federation) -> None:
        self._server = server
        self._authorities = frozenset({server.settings.domain})

    async def answer(self, request: AnyRequest, inbox: str) -> Response[bytes]:
        scope = request.scope
        headers = headers_from_bytes(scope["headers"])
        body = await self._body(headers, request.receive)
        await self._take(SignedRequest("POST", _target(scope), headers, body), inbox)
        return Response(b"", status_code=ACCEPTED)

    async def _body(self, headers: Headers, receive: Receive) -> bytes:
        """The raw bytes. Raises TooLarge as soon as that is known, and WrongType before anything is read."""
        kind = _header(headers, "content-type").partition(";")[0].strip().lower()
        # Plain JSON may be anything; signed, it is meant for an inbox.
        if kind not in ACTIVITY_TYPES and (kind != "application/json" or not _header(headers, "signature")):
            raise self._refused(WrongType(), "content type", headers)
        length = _header(headers, "content-length")
        if length.isdecimal() and (len(length) > len(str(BODY_BYTES_MAX)) or int(length) > BODY_BYTES_MAX):
            raise self._refused(TooLarge(), "size", headers)
        parts: list[bytes] = []
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise BadRequest("The request was broken off")
            parts.append(message["body"])
            size += len(message["body"])
            if size > BODY_BYTES_MAX:
                raise self._refused(TooLarge(), "size", headers)
            more = message["more_body"]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _take(self, request: SignedRequest, inbox: str) -> None:
        """Store the activity, or drop what is of no use to anybody; returns when it may be answered 202."""
        try:
            activity = _read(decode_json_object(request.body))
        except JsonRefused as problem:
            raise self._refused(BadRequest(problem.reason), "not JSON", request.headers) from None
        if activity is None:
            self._count("no activity", request.headers)
            return
        # Servers say goodbye, account by account, to all they ever heard of: asking each for its key helps nobody.
        if activity.of_itself and not await self._server.actor_keys.knows(activity.actor):
            self._count("unknown actor", request.headers)
            return
        verified = await self._proven(request, activity)
        if verified is not None:
            await self._server.inbox.receive(verified, activity.id, activity.kind, inbox, self._server.now())
            await self._server.host_life.heard_from(verified.signer)

    async def _proven(self, request: SignedRequest, activity: Activity) -> VerifiedRequest | None:
        """The proof of who sent it; None for the deletion of an actor whose server says that they are gone."""
        try:
            parameters = parse_signature(request.headers)
            return await self._verified(request, parameters)
        except SignatureRefused as problem:
            raise self._refused(Unproven(problem.reason), "signature", request.headers) from None
        except KeyRefused as problem:
            raise self._refused(Unproven(problem.reason), "no key", request.headers) from None
        except KeyUnavailable as problem:
            raise self._refused(KeyNotThere(problem.reason), "key not there", request.headers) from None
        except ActorGone as problem:
            refused = self._refused(Unproven(problem.reason), "gone", request.headers)
            key_id = parse_signature(request.headers).key_id
            if activity.of_itself and activity.kind == "Delete" and same_origin(activity.actor, key_id):
                return None
            raise refused from None

    async def _verified(
        self, request: SignedRequest, parameters: SignatureParameters | MessageSignature
    ) -> VerifiedRequest:
        """Raises SignatureRefused, and what finding a key raises."""
        checked = check(request, parameters, authorities=self._authorities, now=self._server.now())
        keys = self._server.keys
        key = await keys.find(parameters.key_id)
        try:
            return prove(checked, key)
        except SignatureRefused:
            # The actor may have a new key under the same id.
            other = await keys.refetch(key)
            if other is None:
                raise
            return prove(checked, other)

    def _refused(self, error: ApiError, reason: Reason, headers: Headers) -> ApiError:
        self._count(reason, headers)
        return error

    def _count(self, reason: Reason, headers: Headers) -> None:
        self._server.refusals.count(_claimed_host(headers), reason)


def _read(body: JsonObject) -> Activity | None:
    """The activity that a JSON object is; None when it has no type or nobody acts."""
    kind = next((kind for kind in many(body.get("type")) if isinstance(kind, str) and kind), None)
    actor = reference(body.get("actor"))
    if kind is None or actor is None:
        return None
    name: object = body.get("id")
    return Activity(kind, actor, reference(body.get("object")), name if isinstance(name, str) else None)


def _target(scope: HTTPScope) -> str:
    query = scope["query_string"]
    path = scope["raw_path"].partition(b"?")[0]
    return (path + b"?" + query if query else path).decode("latin-1")


def _header(headers: Sequence[tuple[str, str]], wanted: str) -> str:
    return next((value for name, value in headers if name == wanted), "")


def _claimed_host(headers: Headers) -> str:
    """The host of the key that a request names, believed by nobody; "" where it names none."""
    try:
        return (origin_of(parse_signature(headers).key_id) or "").partition("://")[2]
    except SignatureRefused:
        return ""
