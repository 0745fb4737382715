"""WebFinger, host-meta and NodeInfo: how a handle becomes an actor, and a server says what it is."""

import importlib.metadata
import re
from typing import Any

import msgspec
from litestar import Request, Response, get

from adapters.activitypub.discovery import (
    NODEINFO,
    Document,
    account_descriptor,
    host_meta_json,
    host_meta_xml,
    nodeinfo_document,
    nodeinfo_links,
)
from adapters.config import host_of
from api.activitypub.federation import Federation, TheFederation
from api.asked_again import making
from api.errors import BadRequest, Gone, NotFound
from projections.actor_documents import LocalActor, local_actor, local_actor_named
from projections.query import Query
from projections.touched import account

RESOURCE_CHARS_MAX = 2_048
JRD = "application/jrd+json; charset=utf-8"
THREE_DAYS = {"Cache-Control": "public, max-age=259200"}
HALF_AN_HOUR = {"Cache-Control": "public, max-age=1800"}

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+")
_ACCT = re.compile(r"acct:@?(?P<name>[A-Za-z0-9_.:-]+)@(?P<domain>[^@/?#\s]+)", re.IGNORECASE)
_ACTOR_PATH = re.compile(r"/ap/users/([1-9][0-9]{0,17})")
_PAGE_PATH = re.compile(r"/@([A-Za-z0-9_.-]+)")


@get("/.well-known/webfinger")
async def webfinger(request: Request[Any, Any, Any], federation: TheFederation) -> Response[bytes]:
    """The JRD of a local account or of the instance (RFC 7033).

    400 for what is no URI, 404 for whom we don't know, 410 for who is gone.
    """
    asked = request.query_params.getall("resource", [])
    if len(asked) != 1 or len(asked[0]) > RESOURCE_CHARS_MAX or not _URI.fullmatch(asked[0]):
        raise BadRequest("The parameter resource must be one URI, as acct:name@host")
    rels = request.query_params.getall("rel", [])
    settings, resource = federation.settings, asked[0]
    if _is_instance(federation, resource):
        handle = f"{host_of(settings.domain)}@{settings.domain}"
        return _jrd(account_descriptor(handle, f"{settings.origin}/actor", f"{settings.origin}/", rels))
    query = _account_meant(federation, resource)
    row = await federation.reads.view().row(query) if query is not None else None
    if row is None:
        raise NotFound
    found = LocalActor(*row)
    if found.deleted:
        raise Gone
    handle = f"{found.username}@{settings.domain}"
    making(request).all_of(account(found.id))
    return _jrd(account_descriptor(handle, found.uri, found.url, rels))


@get("/.well-known/host-meta")
async def host_meta(federation: TheFederation) -> Response[bytes]:
    """RFC 6415; Phanpy and the Android app find a server's API by its first link."""
    content = host_meta_xml(federation.settings.origin).encode()
    return Response(content, media_type="application/xrd+xml; charset=utf-8", headers=THREE_DAYS)


@get("/.well-known/host-meta.json")
async def host_meta_as_json(federation: TheFederation) -> Response[bytes]:
    """The same as JSON."""
    return _jrd(host_meta_json(federation.settings.origin))


@get("/.well-known/nodeinfo")
async def nodeinfo(federation: TheFederation) -> Response[bytes]:
    """Where the documents below are."""
    return _json(nodeinfo_links(federation.settings.origin), "application/json", THREE_DAYS)


@get(["/nodeinfo/2.0", "/nodeinfo/2.1"])
async def nodeinfo_version(request: Request[Any, Any, Any], federation: TheFederation) -> Response[bytes]:
    """What runs here, and how many use it."""
    version = request.scope["path"].rpartition("/")[2]
    software = importlib.metadata.version("daybook")
    document = nodeinfo_document(version, software, federation.settings.domain, await federation.usage())
    return _json(document, f'application/json; profile="{NODEINFO}{version}#"', HALF_AN_HOUR)


def _is_instance(federation: Federation, resource: str) -> bool:
    """The instance is asked for by its address, its actor, or as host@host (FEP-d556)."""
    settings = federation.settings
    if resource in (settings.origin, f"{settings.origin}/", f"{settings.origin}/actor"):
        return True
    named = _ACCT.fullmatch(resource)
    return (
        named is not None
        and named["domain"].lower() == settings.domain
        and named["name"].lower() in (settings.domain, host_of(settings.domain))
    )


def _account_meant(federation: Federation, resource: str) -> Query | None:
    named = _ACCT.fullmatch(resource)
    if named is not None:
        return local_actor_named(named["name"]) if named["domain"].lower() == federation.settings.domain else None
    origin = federation.settings.origin
    if not resource.startswith(f"{origin}/"):
        return None
    path = resource[len(origin) :]
    if by_id := _ACTOR_PATH.fullmatch(path):
        return local_actor(int(by_id[1]))
    by_name = _PAGE_PATH.fullmatch(path)
    return local_actor_named(by_name[1]) if by_name else None


def _jrd(document: Document) -> Response[bytes]:
    return _json(document, JRD, THREE_DAYS)


def _json(document: Document, media_type: str, headers: dict[str, str]) -> Response[bytes]:
    return Response(msgspec.json.encode(document), media_type=media_type, headers=headers)
