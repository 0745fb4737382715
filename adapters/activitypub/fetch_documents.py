"""What makes a fetched response an ActivityPub document: pure rules, each with the attack that it stops."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from adapters.activitypub.guard import UrlRefused, canonical_url
from adapters.activitypub.json_guard import JsonObject, JsonRefused, decode_json_object, has_activitystreams_context

PROFILE: Final = "https://www.w3.org/ns/activitystreams"
_PARAMETER: Final = re.compile(r'\s*;\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)=(?:"([^"\\]*)"|([^\s;"]*))')


class FetchError(Exception):
    """A document could not be had; `reason` says why in a sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class FetchRefused(FetchError):
    """Asking again will not help: a refused address, a 4xx answer, a document that is not one."""


class FetchNotFound(FetchRefused):
    """The peer says 404: there is nothing, or nothing for us."""


class FetchFailed(FetchError):
    """Asking again later may help: no answer, a 5xx, 408 or 429."""


class FetchGone(FetchError):
    """The peer says 410: what was there has been deleted. (404 says nothing of the kind.)"""


@dataclass(frozen=True, slots=True)
class FetchedDocument:
    """A document that its own origin vouches for.

    `url` is what was asked, `final_url` where it was found (both canonical, without fragment), `body` the decompressed
    bytes, `document` the one tree made from them, `fetched_at` when the answer was complete.
    """

    url: str
    final_url: str
    body: bytes
    document: JsonObject
    content_type: str
    fetched_at: datetime


def is_activity_media_type(content_type: str) -> bool:
    """Whether a Content-Type header announces ActivityStreams (ActivityPub section 3.2).

    `application/json` never does: else any upload on a peer could pose as an actor (GHSA-jhrq-qvrm-qr36).
    """
    media_type, _, _ = content_type.partition(";")
    match media_type.strip().lower():
        case "application/activity+json":
            return True
        case "application/ld+json":
            parameters = _PARAMETER.findall(content_type, len(media_type))
            return any(
                name.lower() == "profile" and PROFILE in (quoted or bare).split() for name, quoted, bare in parameters
            )
        case _:
            return False


def read_document(body: bytes) -> JsonObject:
    """The object in `body`. Raises FetchRefused unless it is JSON within limits, in the AS2 context, and has an id."""
    try:
        document = decode_json_object(body)
    except JsonRefused as problem:
        raise FetchRefused(problem.reason) from None
    if not has_activitystreams_context(document):
        raise FetchRefused("The document is not in the ActivityStreams context.")
    if not isinstance(document.get("id"), str):
        raise FetchRefused("The document has no id.")
    return document


def claims_to_be(document: JsonObject, final_url: str, fragment: str) -> str | None:
    """None when the document's id is the URL that it came from, else the canonical URL that it belongs to.

    Only the host's case and a default port are forgiven, and the fragment that was asked for. A document is what its
    own URL says it is, never what `url` or a redirect says (CVE-2024-23832, CVE-2024-52591). Raises FetchRefused when
    the id is no URL.
    """
    try:
        claimed = canonical_url(document["id"])
    except UrlRefused as problem:
        raise FetchRefused(f"The document's id is refused: {problem.reason}") from None
    if claimed == final_url or (fragment and claimed == f"{final_url}#{fragment}"):
        return None
    return claimed
