"""From a handle to the actor it means (WebFinger, RFC 7033), believed only where the handle's own host says so.

`acct:u@h` is A's handle when WebFinger of `u@h` names A as `self`; an answer about another subject sends us there,
once, and that one must name the same actor (federation §6.1, attack A16). host-meta is asked on 404 alone.
"""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote

from adapters.activitypub.fetch import FetchedPage, Fetcher, Wanted
from adapters.activitypub.fetch_documents import FetchNotFound, FetchRefused
from adapters.activitypub.json_guard import JsonRefused, decode_json_object
from adapters.activitypub.shapes import Json, objects, text
from adapters.activitypub.urls import origin_of

LINKS_MAX: Final = 100
USERNAME_MAX: Final = 255
HANDLE_MAX: Final = 512
PLACEHOLDER: Final = "{uri}"
SELF_TYPES: Final = frozenset(
    {"application/activity+json", 'application/ld+json; profile="https://www.w3.org/ns/activitystreams"'}
)
_USERNAME: Final = re.compile(r"[A-Za-z0-9_]+(?:[A-Za-z0-9_.-]*[A-Za-z0-9_]+)?")
_LINK: Final = re.compile(r"<Link\b([^<>]{0,4096})>")
_ATTRIBUTE: Final = re.compile(r"""\b(rel|template)\s{0,8}=\s{0,8}(?:"([^"<>]*)"|'([^'<>]*)')""")


def _is_one_of(*types: str) -> Callable[[str], bool]:
    return lambda content_type: content_type.partition(";")[0].strip().lower() in types


_JRD: Final = Wanted(
    "application/jrd+json, application/json", _is_one_of("application/jrd+json", "application/json"), "a JRD"
)
_HOST_META: Final = Wanted(
    "application/xrd+xml, application/xml",
    _is_one_of("application/xrd+xml", "application/xml", "text/xml"),
    "host metadata",
)


@dataclass(frozen=True, slots=True)
class Handle:
    """A name at a host (with its port where it isn't the scheme's own), as `acct:` URIs and people write it."""

    name: str
    host: str

    def __str__(self) -> str:
        return f"{self.name}@{self.host}"

    def is_same(self, other: "Handle") -> bool:
        """Whether both mean the same: names are compared in any case, as everybody does."""
        return (self.name.lower(), self.host) == (other.name.lower(), other.host)


@dataclass(frozen=True, slots=True)
class Binding:
    """`handle` is the actor's at the URI `actor`: the last of `pages` is where the handle's own host says so."""

    handle: Handle
    actor: str
    pages: tuple[FetchedPage, ...]


def handle_in(written: str) -> Handle | None:
    """The handle that somebody wrote: `bob@b.test`, `@bob@b.test`, `acct:bob@b.test`; None when it is none.

    ASCII names only, hosts in their one spelling: a lookalike is no handle.
    """
    bare = written.strip().removeprefix("acct:").removeprefix("@")
    name, at, host = bare.partition("@")
    if not at or len(bare) > HANDLE_MAX or len(name) > USERNAME_MAX or _USERNAME.fullmatch(name) is None:
        return None
    if "/" in host or "?" in host or "#" in host:
        return None
    origin = origin_of(f"https://{host}/")
    return Handle(name, origin.removeprefix("https://")) if origin is not None else None


def handle_of(actor: Json, uri: str) -> Handle | None:
    """What an actor's document says that its handle is (FEP-2c59, else its name at its own host); proven by nobody."""
    said = handle_in(text(actor.get("webfinger")))
    name, origin = text(actor.get("preferredUsername")), origin_of(uri)
    return said or (handle_in(f"{name}@{origin.partition('://')[2]}") if origin is not None else None)


class WebFinger:
    """Asks hosts whose a handle is. `is_plain` says which hosts are reached by http, in trials alone."""

    def __init__(self, fetcher: Fetcher, is_plain: Callable[[str], bool]) -> None:
        self._fetcher = fetcher
        self._is_plain = is_plain

    async def find(self, handle: Handle) -> Binding:
        """The actor of a handle, and what the handle really is. Raises FetchRefused, FetchGone, FetchFailed."""
        found, subject = await self._ask(handle)
        if subject.is_same(handle):
            return found
        proven, says = await self._ask(subject)
        if proven.actor != found.actor or not says.is_same(subject):
            raise FetchRefused(f"{subject.host} does not say that {subject} is who {handle.host} means.")
        return replace(proven, pages=(*found.pages, *proven.pages))

    async def _ask(self, handle: Handle) -> tuple[Binding, Handle]:
        """Whom the handle's host names, and the subject that it says so about."""
        page = await self._page(handle)
        try:
            descriptor = decode_json_object(page.body)
        except JsonRefused as problem:
            raise FetchRefused(problem.reason) from None
        subject = descriptor.get("subject")
        said = handle_in(subject) if isinstance(subject, str) and subject.startswith("acct:") else None
        # Without a subject that is a handle it answers what was asked.
        return Binding(handle, _self_of(descriptor), (page,)), said or handle

    async def _page(self, handle: Handle) -> FetchedPage:
        base = f"{'http' if self._is_plain(handle.host) else 'https'}://{handle.host}/.well-known/"
        resource = quote(f"acct:{handle}", safe="")
        url = f"{base}webfinger?resource={resource}"
        try:
            return await self._fetcher.get_page(url, _JRD)
        except FetchNotFound:
            meta = await self._fetcher.get_page(f"{base}host-meta", _HOST_META)
            elsewhere = _template_in(meta).replace(PLACEHOLDER, resource)
            if elsewhere == url:
                raise
            found = await self._fetcher.get_page(elsewhere, _JRD)
            # The host said where: what is found there counts as found at its own well-known place.
            return FetchedPage(url, found.final_url, found.body, found.content_type, found.fetched_at)


def _self_of(descriptor: Json) -> str:
    for link in list(objects(descriptor.get("links")))[:LINKS_MAX]:
        href = link.get("href")
        if link.get("rel") == "self" and text(link.get("type")) in SELF_TYPES and isinstance(href, str):
            if origin_of(href) is None:
                break
            return href
    raise FetchRefused("The JRD names no actor.")


def _template_in(page: FetchedPage) -> str:
    """The template of the first `lrdd` link. Read without an XML parser: two attributes are all that is wanted."""
    for link in _LINK.finditer(page.body.decode("utf-8", "replace")):
        found = {name: html.unescape(double or single) for name, double, single in _ATTRIBUTE.findall(link[1])}
        if found.get("rel") == "lrdd" and PLACEHOLDER in found.get("template", ""):
            return found["template"]
    raise FetchNotFound("The host's metadata leads nowhere.")
