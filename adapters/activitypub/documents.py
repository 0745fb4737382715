"""The documents that peers fetch: actors, Notes, Tombstones, collections. Rows in, JSON-LD as plain objects out; pure.

Made from what the read models hold for clients, so that both are shown the same. Shapes: ActivityPub section 4,
Mastodon's "ActivityPub" page for what peers look for beyond it, FEP-2c59 (`webfinger`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from projections.actor_documents import LocalActor, LocalStatus, Mentioned

Document = dict[str, Any]

PUBLIC: Final = "https://www.w3.org/ns/activitystreams#Public"

# Only terms that are used below; the fixed arrays keep JSON-LD processors from losing keys (security/v1 defines them).
_ACTOR_CONTEXT: Final = (
    "https://www.w3.org/ns/activitystreams",
    "https://w3id.org/security/v1",
    "https://www.w3.org/ns/cid/v1",
    "https://purl.archive.org/socialweb/webfinger",
    {
        "toot": "http://joinmastodon.org/ns#",
        "schema": "http://schema.org#",
        "manuallyApprovesFollowers": "as:manuallyApprovesFollowers",
        "discoverable": "toot:discoverable",
        "indexable": "toot:indexable",
        "memorial": "toot:memorial",
        "PropertyValue": "schema:PropertyValue",
        "value": "schema:value",
    },
)
_NOTE_CONTEXT: Final = (
    "https://www.w3.org/ns/activitystreams",
    {
        "ostatus": "http://ostatus.org#",
        "sensitive": "as:sensitive",
        "Hashtag": "as:Hashtag",
        "atomUri": "ostatus:atomUri",
        "inReplyToAtomUri": "ostatus:inReplyToAtomUri",
    },
)
_PLAIN_CONTEXT: Final = "https://www.w3.org/ns/activitystreams"


def actor_document(actor: LocalActor, key_id: str, public_pem: str, *, origin: str, domain: str) -> Document:
    """A Person, or a Service for a bot, with its key. Handles end in `domain`; URLs begin with `origin`."""
    profile, identity = _object(actor.profile), _object(actor.identity)
    document: Document = {
        "@context": _ACTOR_CONTEXT,
        "id": actor.uri,
        "type": "Service" if profile["bot"] else "Person",
        "webfinger": f"{actor.username}@{domain}",
        "inbox": f"{actor.uri}/inbox",
        "outbox": f"{actor.uri}/outbox",
        "followers": f"{actor.uri}/followers",
        "following": f"{actor.uri}/following",
        "endpoints": {"sharedInbox": f"{origin}/inbox"},
        "preferredUsername": actor.username,
        "name": profile["display_name"],
        "summary": profile["note"],
        "url": actor.url,
        "published": _seconds(identity["created_at"]),
        "manuallyApprovesFollowers": profile["locked"],
        "discoverable": bool(profile["discoverable"]),
        "indexable": profile["indexable"],
        "memorial": False,
        "publicKey": {"id": key_id, "owner": actor.uri, "publicKeyPem": public_pem},
        "attachment": [
            {"type": "PropertyValue", "name": field["name"], "value": field["value"]} for field in profile["fields"]
        ],
        "tag": [],
    }
    for name, picture in (("icon", profile["avatar"]), ("image", profile["header"])):
        # Peers take what is named for a picture of one's own; a stand-in is for clients only.
        if not picture.startswith(f"{origin}/{'avatars' if name == 'icon' else 'headers'}/original/missing."):
            document[name] = {"type": "Image", "url": picture}
    return document


def instance_actor_document(origin: str, username: str, domain: str, public_pem: str) -> Document:
    """The actor that fetches are signed by. Readable without a signature, or two strict servers would wait for ever."""
    actor = f"{origin}/actor"
    return {
        "@context": _ACTOR_CONTEXT,
        "id": actor,
        "type": "Application",
        "webfinger": f"{username}@{domain}",
        "inbox": f"{actor}/inbox",
        "outbox": f"{actor}/outbox",
        "endpoints": {"sharedInbox": f"{origin}/inbox"},
        "preferredUsername": username,
        "name": domain,
        "url": f"{origin}/",
        "manuallyApprovesFollowers": True,
        "publicKey": {"id": f"{actor}#main-key", "owner": actor, "publicKeyPem": public_pem},
    }


def note_document(status: LocalStatus, mentioned: Sequence[Mentioned], domain: str) -> Document:
    """A public or unlisted post as a Note."""
    fixed, says = _object(status.json), _object(status.revision)
    to, cc = _addressed(status, mentioned)
    note: Document = {
        "@context": _NOTE_CONTEXT,
        "id": status.uri,
        "type": "Note",
        "attributedTo": status.actor,
        "inReplyTo": status.in_reply_to,
        "published": _seconds(fixed["created_at"]),
        "url": fixed["url"],
        "to": to,
        "cc": cc,
        "sensitive": says["sensitive"],
        "summary": says["spoiler_text"] or None,
        "content": says["content"],
        "atomUri": status.uri,
        "inReplyToAtomUri": status.in_reply_to,
        "attachment": [],
        "tag": [
            *({"type": "Mention", "href": one.uri, "name": _handle(one, domain)} for one in mentioned),
            *({"type": "Hashtag", "href": tag["url"], "name": f"#{tag['name']}"} for tag in says["tags"]),
        ],
    }
    if says["language"]:
        note["contentMap"] = {says["language"]: says["content"]}
    if says["edited_at"]:
        note["updated"] = _seconds(says["edited_at"])
    return note


def tombstone_document(uri: str) -> Document:
    """What is left of a deleted post (ActivityStreams vocabulary, Tombstone); served with 410."""
    return {"@context": _PLAIN_CONTEXT, "id": uri, "type": "Tombstone"}


def collection_document(uri: str, total: int) -> Document:
    """An OrderedCollection that says how many, and names nobody."""
    return {"@context": _PLAIN_CONTEXT, "id": uri, "type": "OrderedCollection", "totalItems": max(total, 0)}


def _addressed(status: LocalStatus, mentioned: Sequence[Mentioned]) -> tuple[list[str], list[str]]:
    followers, named = f"{status.actor}/followers", [one.uri for one in mentioned]
    if status.visibility == "public":
        return [PUBLIC], [followers, *named]
    return [followers], [PUBLIC, *named]


def _handle(mentioned: Mentioned, domain: str) -> str:
    return f"@{mentioned.username}@{mentioned.domain or domain}"


def _object(inside: str) -> Mapping[str, Any]:
    return msgspec.json.decode(f"{{{inside}}}")


def _seconds(api_time: str) -> str:
    """Without the fraction that clients get: some peers parse none."""
    return f"{api_time.partition('.')[0]}Z"
