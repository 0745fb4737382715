"""How peers publish their keys: read out of an actor's or a key's document, believed by nobody yet.

Shapes (all `publicKey`, object or array, as W3C Security v1 names them): `actor#main-key` inside the actor, a stub
actor or a bare key at a URL of its own (`actor/main-key`), and the actor's id as the key's.
"""

from dataclasses import dataclass
from typing import Final, cast

from adapters.activitypub.json_guard import JsonObject

KEYS_OF_AN_ACTOR_MAX: Final = 10
ACTOR_TYPES: Final = frozenset({"Person", "Service", "Group", "Organization", "Application"})


@dataclass(frozen=True, slots=True)
class KeyClaim:
    """What a document says: this key, by PEM, belongs to that owner."""

    key_id: str
    owner: str
    pem: str


def keys_listed(document: JsonObject) -> list[KeyClaim]:
    """The well-formed ones among the first ten entries of `publicKey`."""
    listed: object = document.get("publicKey")
    entries = cast(list[object], listed) if isinstance(listed, list) else [listed]
    claims = (_claim(cast(JsonObject, entry)) for entry in entries[:KEYS_OF_AN_ACTOR_MAX] if isinstance(entry, dict))
    return [claim for claim in claims if claim is not None]


def claim_of(document: JsonObject, key_id: str) -> KeyClaim | None:
    """What the document says about `key_id`: the entry of that id, the document itself if it is a bare key, or, when
    the actor's id is asked for as a key's (old PeerTubes), the one key that the actor has.
    """
    listed = keys_listed(document)
    for claim in listed:
        if claim.key_id == key_id:
            return claim
    alone = _claim(document)
    if alone is not None and alone.key_id == key_id:
        return alone
    return listed[0] if document.get("id") == key_id and len(listed) == 1 else None


def is_actor(document: JsonObject) -> bool:
    """Whether the document's type, or one of its types, is an actor's (ActivityStreams vocabulary, section 3.2)."""
    kind: object = document.get("type")
    kinds = cast(list[object], kind) if isinstance(kind, list) else [kind]
    return any(isinstance(each, str) and each in ACTOR_TYPES for each in kinds)


def _claim(entry: JsonObject) -> KeyClaim | None:
    key_id, owner, pem = entry.get("id"), entry.get("owner", entry.get("controller")), entry.get("publicKeyPem")
    if isinstance(key_id, str) and isinstance(owner, str) and isinstance(pem, str):
        return KeyClaim(key_id, owner, pem)
    return None
