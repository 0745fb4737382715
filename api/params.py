"""One reader for what clients send: query string, urlencoded, multipart and JSON bodies, merged as Rails does.

`await params(request, Struct)` answers a filled `Struct`. Clients mix all four encodings freely, on every method
(DELETE carries bodies), so routes never look at the request themselves. Unknown names are ignored. Whatever is
sent, the outcome is a Struct or an ApiError of status 400, 413 or 422.
"""

from typing import Any, TypeVar, cast
from urllib.parse import unquote_to_bytes

import msgspec
from litestar import Request

from api.errors import BadRequest, TooLarge
from api.params_form import fields, media_type
from api.params_shape import shaped
from api.params_tree import PAIRS_MAX, Pairs, Tree, cleaned, tree

BODY_BYTES_MAX = 1_048_576

T = TypeVar("T", bound=msgspec.Struct)


async def params(request: Request[Any, Any, Any], into: type[T]) -> T:
    """The request's parameters as an `into`.

    Raises MissingParameter (400) for a required field that is absent or blank, Invalid (422) for a value that does
    not fit, BadRequest (400) for what can't be parsed and TooLarge (413).
    """
    return shaped(await everything(request), into)


async def everything(request: Request[Any, Any, Any]) -> Tree:
    """All parameters as one tree of dicts, lists and scalars; the query string wins over the body, as in Rails."""
    asked = query(request)
    if "content-length" not in request.headers and "transfer-encoding" not in request.headers:
        return asked
    return {**await _body(request), **asked}


def query(request: Request[Any, Any, Any]) -> Tree:
    """The parameters of the query string alone."""
    raw: bytes = request.scope["query_string"]
    return tree(urlencoded(raw)) if raw else {}


def urlencoded(raw: bytes) -> Pairs:
    """`a=1&b[]=2` as decoded pairs, in order. Raises BadRequest for bytes that are not UTF-8."""
    if raw.count(b"&") >= PAIRS_MAX:
        raise BadRequest("Too many parameters")
    pairs: Pairs = []
    for part in raw.split(b"&"):
        if part:
            name, _, value = part.partition(b"=")
            pairs.append((_text(name), _text(value)))
    return pairs


async def _body(request: Request[Any, Any, Any]) -> Tree:
    kind, boundary = media_type(request.headers.get("content-type", ""))
    if kind == "application/json" or kind.endswith("+json"):
        return _json(await _bytes(request))
    if kind == "application/x-www-form-urlencoded":
        return tree(urlencoded(await _bytes(request)))
    if kind == "multipart/form-data":
        return tree([(name, decoded(value)) for name, value in fields(await _bytes(request), boundary)])
    # Anything else holds no parameters. The query string may still hold all that the route needs.
    return {}


async def _bytes(request: Request[Any, Any, Any]) -> bytes:
    """The whole body. Raises TooLarge as soon as the limit is passed, declared or not."""
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared[:20]) > BODY_BYTES_MAX:
        raise TooLarge
    collected = bytearray()
    async for chunk in request.stream():
        collected += chunk
        if len(collected) > BODY_BYTES_MAX:
            raise TooLarge
    return bytes(collected)


def _json(raw: bytes) -> Tree:
    if not raw.strip():
        return {}
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest("The request body is not valid JSON") from error
    if not isinstance(value, dict):
        raise BadRequest("The request body must be a JSON object")
    return cleaned(cast("Tree", value))


def _text(part: bytes) -> str:
    return decoded(unquote_to_bytes(part.replace(b"+", b" ")))


def decoded(raw: bytes) -> str:
    """A form's value as text. Raises BadRequest for bytes that are not UTF-8."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise BadRequest("Invalid parameter encoding: not UTF-8") from error
