"""Who wants the ActivityPub document and who the page: the Accept header (RFC 9110, section 12.5.1).

Browsers name text/html, peers one of the JSON types. What says neither (`*/*`, or nothing) gets the page.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Request, Response

ACCEPT_CHARS_MAX = 1_000
ACTIVITY = "application/activity+json; charset=utf-8"
VARY = {"Vary": "Accept"}
OK, FOUND = 200, 302

_AS_DOCUMENT = frozenset({"application/activity+json", "application/ld+json", "application/json"})
_AS_PAGE = frozenset({"text/html", "application/xhtml+xml"})
_Q = re.compile(r"\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*", re.IGNORECASE)


def wants_document(accept: str) -> bool:
    """Whether the sender of this Accept header prefers JSON over HTML; equally liked, JSON it is."""
    document = page = 0.0
    for media_range in accept[:ACCEPT_CHARS_MAX].split(","):
        kind, *parameters = media_range.split(";")
        kind = kind.strip().lower()
        if kind in _AS_DOCUMENT:
            document = max(document, _quality(parameters))
        elif kind in _AS_PAGE:
            page = max(page, _quality(parameters))
    return document > 0 and document >= page


def for_peers(request: Request[Any, Any, Any]) -> bool:
    """Whether the document is asked for, rather than the page."""
    return wants_document(request.headers.get("accept", ""))


def answer(document: Mapping[str, Any], headers: Mapping[str, str], status_code: int = OK) -> Response[bytes]:
    """A document."""
    return encoded(msgspec.json.encode(document), headers, status_code)


def encoded(document: bytes, headers: Mapping[str, str], status_code: int = OK) -> Response[bytes]:
    """A document that is JSON already."""
    return Response(document, status_code=status_code, media_type=ACTIVITY, headers=dict(headers))


def led_to(url: str, headers: Mapping[str, str] = VARY) -> Response[bytes]:
    """There is something at another address for whoever asked like that."""
    return Response(b"", status_code=FOUND, headers={**headers, "Location": url})


def _quality(parameters: list[str]) -> float:
    found = next((match for parameter in parameters if (match := _Q.fullmatch(parameter))), None)
    return 1.0 if found is None else min(float(found[1]), 1.0)
