"""The one gate for documents from elsewhere (no other code of ours asks a peer for anything).

A GET through the guard, within limits of time, size, depth and redirects; and what comes back is believed only about
the URL that it came from. Documents are asked for with the instance actor's signature; what leads to them (WebFinger,
host-meta) without, as everybody may read it.
"""

import asyncio
import zlib
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import httpx

from adapters.activitypub.fetch_documents import (
    FetchedDocument,
    FetchError,
    FetchFailed,
    FetchGone,
    FetchNotFound,
    FetchRefused,
    claims_to_be,
    is_activity_media_type,
    read_document,
)
from adapters.activitypub.guard import GuardedTransport, UrlRefused, canonical_url
from adapters.activitypub.signatures_sign import ACCEPT, SigningKey, sign_cavage
from adapters.activitypub.urls import origin_of

__all__ = [
    "FetchError",
    "FetchFailed",
    "FetchGone",
    "FetchLimits",
    "FetchNotFound",
    "FetchRefused",
    "FetchedDocument",
    "FetchedPage",
    "Fetcher",
    "Wanted",
]

BODY_BYTES_MAX: Final = 1_000_000
REDIRECTS_MAX: Final = 3
RESPONSE_HEADERS_MAX: Final = 128
UNREACHABLE_HOSTS_MAX: Final = 10_000
UNREACHABLE_FOR: Final = timedelta(minutes=5)
USER_AGENT: Final = "Daybook"

_Value = TypeVar("_Value")
_GZIP: Final = 16 + zlib.MAX_WBITS
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_TEMPORARY: Final = frozenset({408, 425, 429})
_OK, _NOT_FOUND, _GONE, _SERVER_ERROR = 200, 404, 410, 500


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """How long a peer may take, in seconds: to connect, between two reads, and for everything together."""

    connect_s: float = 5.0
    read_s: float = 10.0
    total_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: the Accept header, which Content-Type headers will do, and what it is `called`."""

    accept: str
    fits: Callable[[str], bool]
    called: str


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """What a URL was answered with: `url` is what was asked, `final_url` where it was found, `body` decompressed."""

    url: str
    final_url: str
    body: bytes
    content_type: str
    fetched_at: datetime


_DOCUMENT: Final = Wanted(ACCEPT, is_activity_media_type, "an ActivityPub document")


class Fetcher:
    """Fetches documents. `signer` is the instance actor's key, None for unsigned requests.

    `own_origin` (as `https://our.test`) is never asked. One Fetcher a process: it remembers hosts that did not answer.
    """

    def __init__(
        self,
        transport: GuardedTransport,
        *,
        own_origin: str,
        clock: Callable[[], datetime],
        signer: SigningKey | None = None,
        limits: FetchLimits | None = None,
    ) -> None:
        self._transport = transport
        self._own_origin = own_origin
        self._clock = clock
        self._signer = signer
        self._limits = limits or FetchLimits()
        self._unreachable: OrderedDict[str, datetime] = OrderedDict()

    async def get_document(self, url: str) -> FetchedDocument:
        """The document that `url` names, proven to be that one's; a fragment of `url` is not sent.

        When what is found belongs to another URL by its id, that one is asked, once. Raises FetchRefused, FetchGone
        (410) and FetchFailed (temporary).
        """
        return await self._in_time(url, self._get_proven(url))

    async def get_page(self, url: str, wanted: Wanted) -> FetchedPage:
        """What `url` names, unsigned, as one of the media types that are wanted. Raises as `get_document` does, and
        FetchNotFound (a FetchRefused) for 404.
        """
        return await self._in_time(url, self._follow(_split(url)[0], wanted))

    async def _in_time(self, url: str, work: Coroutine[Any, Any, _Value]) -> _Value:
        try:
            async with asyncio.timeout(self._limits.total_s):
                return await work
        except TimeoutError:
            self._remember_unreachable(url)
            raise FetchFailed("The peer took too long altogether.") from None

    async def _get_proven(self, url: str) -> FetchedDocument:
        asked, fragment = _split(url)
        found = _document_of(await self._follow(asked, _DOCUMENT))
        belongs_to = claims_to_be(found.document, found.final_url, fragment)
        if belongs_to is None:
            return found
        asked, fragment = _split(belongs_to)
        found = _document_of(await self._follow(asked, _DOCUMENT))
        if claims_to_be(found.document, found.final_url, fragment) is not None:
            raise FetchRefused("The document's id is not the URL that it comes from.")
        return found

    async def _follow(self, asked: str, wanted: Wanted) -> FetchedPage:
        url = asked
        for _ in range(REDIRECTS_MAX + 1):
            self._check_origin(url)
            try:
                answer = await self._ask(url, wanted)
            except UrlRefused as problem:
                raise FetchRefused(problem.reason) from None
            except httpx.TransportError as problem:
                if _is_unreachable(problem):
                    self._remember_unreachable(url)
                raise FetchFailed(f"The peer cannot be reached: {problem}") from None
            if isinstance(answer, _Page):
                return FetchedPage(asked, url, answer.body, answer.content_type, self._clock())
            url = _redirected(url, answer)
        raise FetchRefused(f"The peer redirects more than {REDIRECTS_MAX} times.")

    async def _ask(self, url: str, wanted: Wanted) -> "_Page | str":
        """The page at `url`, or the Location that its answer names."""
        response = await self._transport.handle_async_request(self._request(url, wanted))
        try:
            if len(response.headers.raw) > RESPONSE_HEADERS_MAX:
                raise FetchRefused("The peer sends too many headers.")
            if response.status_code in _REDIRECTS:
                return response.headers.get("location", "")
            _check_status(response.status_code)
            content_type = response.headers.get("content-type", "")
            if len(response.headers.get_list("content-type")) != 1 or not wanted.fits(content_type):
                raise FetchRefused(f"The answer is not {wanted.called} by its content type.")
            return _Page(await _read(response), content_type)
        finally:
            await response.aclose()

    def _request(self, url: str, wanted: Wanted) -> httpx.Request:
        headers = {"Accept": wanted.accept}
        if self._signer is not None and wanted is _DOCUMENT:
            headers = sign_cavage("GET", url, None, self._signer.key_id, self._signer.private_key, self._clock())
        headers |= {"Accept-Encoding": "gzip", "User-Agent": f"{USER_AGENT} (+{self._own_origin}/)"}
        limits = self._limits
        timeout = httpx.Timeout(limits.read_s, connect=limits.connect_s)
        return httpx.Request("GET", url, headers=headers, extensions={"timeout": timeout.as_dict()})

    def _check_origin(self, url: str) -> None:
        origin = origin_of(url) or ""
        if origin == self._own_origin:
            raise FetchRefused("Our own documents are not fetched.")
        until = self._unreachable.get(origin)
        if until is not None and self._clock() < until:
            raise FetchFailed("The peer did not answer a short while ago.")

    def _remember_unreachable(self, url: str) -> None:
        origin = origin_of(url)
        if origin is None:
            return
        self._unreachable[origin] = self._clock() + UNREACHABLE_FOR
        self._unreachable.move_to_end(origin)
        if len(self._unreachable) > UNREACHABLE_HOSTS_MAX:
            self._unreachable.popitem(last=False)


@dataclass(frozen=True, slots=True)
class _Page:
    body: bytes
    content_type: str


def _document_of(page: FetchedPage) -> FetchedDocument:
    document = read_document(page.body)
    return FetchedDocument(page.url, page.final_url, page.body, document, page.content_type, page.fetched_at)


def _split(url: str) -> tuple[str, str]:
    try:
        asked, _, fragment = canonical_url(url).partition("#")
    except UrlRefused as problem:
        raise FetchRefused(problem.reason) from None
    return asked, fragment


def _is_unreachable(problem: httpx.TransportError) -> bool:
    """Whether the host is to blame: a broken connection may be chance, and a full pool is our own."""
    return isinstance(problem, httpx.ConnectError | httpx.TimeoutException) and not isinstance(
        problem, httpx.PoolTimeout
    )


def _redirected(url: str, location: str) -> str:
    """Where a Location leads from `url`; http after https is a downgrade that anyone on the way could have made."""
    if not location or not location.isascii() or not location.isprintable() or " " in location or "\\" in location:
        raise FetchRefused("The peer redirects to something that is no URL.")
    try:
        target, _, _ = canonical_url(str(httpx.URL(url).join(location))).partition("#")
    except (UrlRefused, httpx.InvalidURL, ValueError):
        raise FetchRefused("The peer redirects to a URL that we do not follow.") from None
    if url.startswith("https:") and not target.startswith("https:"):
        raise FetchRefused("The peer redirects from https to http.")
    return target


def _check_status(status: int) -> None:
    if status == _GONE:
        raise FetchGone("The peer says that this is gone.")
    if status == _NOT_FOUND:
        raise FetchNotFound("The peer answered 404.")
    if status >= _SERVER_ERROR or status in _TEMPORARY:
        raise FetchFailed(f"The peer answered {status}.")
    if status != _OK:
        raise FetchRefused(f"The peer answered {status}.")


async def _read(response: httpx.Response) -> bytes:
    """The decompressed body. Both sides of the decompression are counted, as either could go on for ever."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("gzip", "identity"):
        raise FetchRefused("The answer is compressed in a way that we did not offer.")
    unzip = zlib.decompressobj(_GZIP) if encoding == "gzip" else None
    body = bytearray()
    received = 0
    async for part in response.aiter_raw():
        received += len(part)
        try:
            body += part if unzip is None else unzip.decompress(part, BODY_BYTES_MAX + 1 - len(body))
        except zlib.error:
            raise FetchRefused("The answer is not the gzip that it says it is.") from None
        if received > BODY_BYTES_MAX or len(body) > BODY_BYTES_MAX:
            raise FetchRefused(f"The document is longer than {BODY_BYTES_MAX:,} bytes.")
    if unzip is not None and not unzip.eof:
        raise FetchRefused("The answer is cut short, or compressed beyond measure.")
    return bytes(body)
