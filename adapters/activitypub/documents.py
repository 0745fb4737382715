"""The documents that peers fetch: actors, Notes, Tombstones, collections. Rows in, JSON-LD as plain objects out; pure.

Made from what the read models hold for clients, so that both are shown the same. Shapes: ActivityPub section 4,
Mastodon's "ActivityPub" page for what peers look for beyond it, FEP-2c59 (`webfinger`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from adapters.activitypub import attached
from adapters.activitypub.fitting import HASHTAGS_MAX, fitted
from adapters.activitypub.outgoing import About, activity_of
from adapters.media.files import media_type_of
from domain.boost import PostBoosted
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
        "featured": {"@id": "toot:featured", "@type": "@id"},
        "featuredTags": {"@id": "toot:featuredTags", "@type": "@id"},
        "movedTo": {"@id": "as:movedTo", "@type": "@id"},
        "alsoKnownAs": {"@id": "as:alsoKnownAs", "@type": "@id"},
        "PropertyValue": "schema:PropertyValue",
        "value": "schema:value",
    },
)
NOTE_CONTEXT: Final = (
    "https://www.w3.org/ns/activitystreams",
    {
        "ostatus": "http://ostatus.org#",
        "litepub": "http://litepub.social/ns#",
        "sensitive": "as:sensitive",
        "Hashtag": "as:Hashtag",
        "atomUri": "ostatus:atomUri",
        "inReplyToAtomUri": "ostatus:inReplyToAtomUri",
        "directMessage": "litepub:directMessage",
        **attached.CONTEXT,
    },
)
PLAIN_CONTEXT: Final = "https://www.w3.org/ns/activitystreams"


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
        "featured": f"{actor.uri}/collections/featured",
        "featuredTags": f"{actor.uri}/collections/tags",
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
        "alsoKnownAs": msgspec.json.decode(actor.also_known_as),
        "publicKey": {"id": key_id, "owner": actor.uri, "publicKeyPem": public_pem},
        "attachment": [
            {"type": "PropertyValue", "name": field["name"], "value": field["value"]} for field in profile["fields"]
        ],
        "tag": [],
    }
    if actor.moved_to is not None:
        document["movedTo"] = actor.moved_to
    for name, picture in (("icon", profile["avatar"]), ("image", profile["header"])):
        # Peers take what is named for a picture of one's own; a stand-in is for clients only.
        if not picture.startswith(f"{origin}/{'avatars' if name == 'icon' else 'headers'}/original/missing."):
            document[name] = {"type": "Image", "mediaType": media_type_of(picture) or "image/jpeg", "url": picture}
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
    """A post as a Note, for whomever it is addressed to: whether they are, is the caller's to know."""
    fixed, says = _object(status.json), _object(status.revision)
    to, cc = addressed(status.visibility, status.actor, [one.uri for one in mentioned])
    note: Document = {
        "@context": NOTE_CONTEXT,
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
        "replies": f"{status.uri}/replies",
        "likes": f"{status.uri}/likes",
        "shares": f"{status.uri}/shares",
        "attachment": attached.documents(says["media_attachments"]),
        "tag": [
            *({"type": "Mention", "href": one.uri, "name": _handle(one, domain)} for one in mentioned),
            *(
                {"type": "Hashtag", "href": tag["url"], "name": f"#{tag['name']}"}
                for tag in says["tags"][:HASHTAGS_MAX]
            ),
        ],
    }
    if says["language"]:
        note["contentMap"] = {says["language"]: says["content"]}
    if says["edited_at"]:
        # With its fraction: of two edits in one second the later one must win.
        note["updated"] = says["edited_at"]
    if status.visibility == "direct":
        note["directMessage"] = True
    return fitted(note)


def create_document(note: Document) -> Document:
    """The Create of a Note, with the Note in it: of its actor, time and addresses (ActivityPub section 6.2)."""
    says = {name: value for name, value in note.items() if name != "@context"}
    return {
        "@context": note["@context"],
        "id": f"{note['id']}/activity",
        "type": "Create",
        "actor": note["attributedTo"],
        "published": note["published"],
        "to": note["to"],
        "cc": note["cc"],
        "object": says,
    }


def announce_document(boost: LocalStatus) -> Document:
    """The Announce that a boost is, as it was sent."""
    assert boost.boosted is not None and boost.boosted_author is not None, "what is passed on is known"
    event = PostBoosted(
        boost=boost.id,
        account=0,
        post=0,
        uri=boost.uri,
        visibility=boost.visibility,
        boosted_at=datetime.fromisoformat(_object(boost.json)["created_at"]),
    )
    return activity_of(event, About(actor=boost.actor, object=boost.boosted, owner=boost.boosted_author))


def addressed(visibility: str, actor: str, mentioned: Sequence[str]) -> tuple[list[str], list[str]]:
    """`to` and `cc` of what this actor says to these (all URIs), the same on a Note and its Create (federation §9)."""
    followers = f"{actor}/followers"
    match visibility:
        case "public":
            return [PUBLIC], [followers, *mentioned]
        case "unlisted":
            return [followers], [PUBLIC, *mentioned]
        case "private":
            return [followers], [*mentioned]
        case _:
            return [*mentioned], []


def tombstone_document(uri: str) -> Document:
    """What is left of a deleted post or account (ActivityStreams vocabulary, Tombstone); served with 410."""
    return {"@context": PLAIN_CONTEXT, "id": uri, "type": "Tombstone"}


def collection_document(uri: str, total: int, kind: str = "OrderedCollection") -> Document:
    """A collection that says how many, and names nobody."""
    return {"@context": PLAIN_CONTEXT, "id": uri, "type": kind, "totalItems": max(total, 0)}


def _handle(mentioned: Mentioned, domain: str) -> str:
    return f"@{mentioned.username}@{mentioned.domain or domain}"


def _object(inside: str) -> Mapping[str, Any]:
    return msgspec.json.decode(f"{{{inside}}}")


def _seconds(api_time: str) -> str:
    """Without the fraction that clients get: some peers parse none."""
    return f"{api_time.partition('.')[0]}Z"
