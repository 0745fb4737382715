"""How peers and clients find their way here: WebFinger (RFC 7033), host-meta (RFC 6415), NodeInfo 2.0 and 2.1. Pure."""

from collections.abc import Sequence
from typing import Any, Final
from xml.sax.saxutils import quoteattr

from projections.usage import Usage

Document = dict[str, Any]

SELF: Final = "self"
PROFILE_PAGE: Final = "http://webfinger.net/rel/profile-page"
NODEINFO: Final = "http://nodeinfo.diaspora.software/ns/schema/"
NODEINFO_VERSIONS: Final = ("2.0", "2.1")
APPLICATION: Final = "https://www.w3.org/ns/activitystreams#Application"


def account_descriptor(handle: str, uri: str, page: str, rels: Sequence[str] = ()) -> Document:
    """The JRD of an actor: `handle` as name@domain. With `rels` only links of these relations (RFC 7033, 4.3)."""
    links = [
        {"rel": PROFILE_PAGE, "type": "text/html", "href": page},
        {"rel": SELF, "type": "application/activity+json", "href": uri},
    ]
    return {
        "subject": f"acct:{handle}",
        "aliases": [page, uri],
        "links": [link for link in links if not rels or link["rel"] in rels],
    }


def host_meta_xml(origin: str) -> str:
    """The XRD that leads to WebFinger."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<XRD xmlns="http://docs.oasis-open.org/ns/xri/xrd-1.0">'
        f'<Link rel="lrdd" template={quoteattr(_template(origin))}/></XRD>\n'
    )


def host_meta_json(origin: str) -> Document:
    """The same as a JRD."""
    return {"links": [{"rel": "lrdd", "template": _template(origin)}]}


def nodeinfo_links(origin: str) -> Document:
    """Where the NodeInfo documents are, and the instance actor (FEP-2677)."""
    links = [{"rel": f"{NODEINFO}{version}", "href": f"{origin}/nodeinfo/{version}"} for version in NODEINFO_VERSIONS]
    return {"links": [*links, {"rel": APPLICATION, "href": f"{origin}/actor"}]}


def nodeinfo_document(version: str, software: str, name: str, usage: Usage) -> Document:
    """NodeInfo in one of its versions; `software` is ours, `name` what the instance calls itself.

    `metadata.upstream` names the client API that is spoken: clients made with megalodon recognise a server by
    `software.name`, know a fixed list of names, and refuse every other one that does not say so.
    """
    return {
        "version": version,
        "software": {"name": "daybook", "version": software},
        "protocols": ["activitypub"],
        "services": {"inbound": [], "outbound": []},
        "usage": {"users": {"total": usage.users, "activeMonth": usage.active_month}, "localPosts": usage.statuses},
        "openRegistrations": False,
        "metadata": {"nodeName": name, "upstream": {"name": "mastodon"}},
    }


def _template(origin: str) -> str:
    return f"{origin}/.well-known/webfinger?resource={{uri}}"
