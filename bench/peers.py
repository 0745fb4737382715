"""What other servers write: actors, Notes and what is done with them, in Mastodon's shapes and sizes.

Everything is a function of its arguments and of the random generator handed in, so a seed gives the same bytes.
"""

import random
from datetime import datetime
from typing import Any

import msgspec

HOSTS = 50
TRANSLATED_SHARE = 0.3
CONTEXT = [
    "https://www.w3.org/ns/activitystreams",
    {
        "ostatus": "http://ostatus.org#",
        "atomUri": "ostatus:atomUri",
        "inReplyToAtomUri": "ostatus:inReplyToAtomUri",
        "conversation": "ostatus:conversation",
        "sensitive": "as:sensitive",
        "toot": "http://joinmastodon.org/ns#",
    },
]
PUBLIC = "https://www.w3.org/ns/activitystreams#Public"
BEGINNINGS = ("al", "ber", "con", "dé", "ex", "für", "gra", "hol", "in", "jo", "kø", "lan", "mor", "ni", "o", "pre")
ENDINGS = ("", "a", "bel", "ción", "der", "en", "ful", "gt", "ing", "keit", "ly", "ment", "ne", "ous", "ro", "ße")
WORDS = [beginning + ending for beginning in BEGINNINGS for ending in ENDINGS]


def author_uri(number: int) -> str:
    """The id of a remote author."""
    return f"https://peer{number % HOSTS}.example/users/author{number}"


def note_uri(author: int, number: int) -> str:
    """The id of an author's Note."""
    return f"{author_uri(author)}/statuses/{112_000_000_000_000_000 + number}"


def key_id(author: int) -> str:
    """The id of an author's key."""
    return f"{author_uri(author)}#main-key"


def actor(author: int, public_key_pem: str) -> dict[str, Any]:
    """An actor's document."""
    uri = author_uri(author)
    host = f"https://peer{author % HOSTS}.example"
    return {
        "@context": ["https://www.w3.org/ns/activitystreams", "https://w3id.org/security/v1"],
        "id": uri,
        "type": "Person",
        "following": f"{uri}/following",
        "followers": f"{uri}/followers",
        "inbox": f"{uri}/inbox",
        "outbox": f"{uri}/outbox",
        "preferredUsername": f"author{author}",
        "name": f"Author {author}",
        "summary": f"<p>I write things, {author} of them so far.</p>",
        "url": f"{host}/@author{author}",
        "manuallyApprovesFollowers": False,
        "discoverable": True,
        "published": "2024-03-01T00:00:00Z",
        "publicKey": {"id": key_id(author), "owner": uri, "publicKeyPem": public_key_pem},
        "attachment": [{"type": "PropertyValue", "name": "Site", "value": f'<a href="{host}/">{host}</a>'}],
        "endpoints": {"sharedInbox": f"{host}/inbox"},
        "icon": {"type": "Image", "mediaType": "image/png", "url": f"{host}/media/{author}.png"},
    }


def create(
    dice: random.Random,
    author: int,
    number: int,
    when: datetime,
    *,
    answers: str | None = None,
    names: str | None = None,
) -> dict[str, Any]:
    """A Create of a public Note of some 1.2 to 1.6 kB in JSON; `answers` is a Note's URI, `names` an actor's."""
    uri, note = author_uri(author), note_uri(author, number)
    published = _time(when)
    to, cc = [PUBLIC], [f"{uri}/followers", *([names] if names else [])]
    said: dict[str, Any] = {
        "id": note,
        "type": "Note",
        "summary": None,
        "inReplyTo": answers,
        "published": published,
        "url": f"https://peer{author % HOSTS}.example/@author{author}/{number}",
        "attributedTo": uri,
        "to": to,
        "cc": cc,
        "sensitive": False,
        "atomUri": note,
        "inReplyToAtomUri": answers,
        "conversation": f"tag:peer{author % HOSTS}.example,2026:objectId={number}:objectType=Conversation",
        "content": f"<p>{text(dice)}</p>",
        "attachment": [],
        "tag": [{"type": "Mention", "href": names, "name": "@somebody@here.example"}] if names else [],
    }
    if dice.random() < TRANSLATED_SHARE:
        said["contentMap"] = {"en": said["content"]}
    return {
        "@context": CONTEXT,
        "id": f"{note}/activity",
        "type": "Create",
        "actor": uri,
        "published": published,
        "to": to,
        "cc": cc,
        "object": said,
    }


def update(dice: random.Random, author: int, created: dict[str, Any], when: datetime) -> dict[str, Any]:
    """An Update of a Note that says something else now."""
    changed = {**created["object"], "content": f"<p>{text(dice)}</p>", "updated": _time(when)}
    return {**created, "id": f"{changed['id']}#updates/{_time(when)}", "type": "Update", "object": changed}


def small(kind: str, author: int, number: int, about: object) -> dict[str, Any]:
    """A Like, Announce, Follow, Undo, Accept or Delete: an id, an actor, an object."""
    uri = author_uri(author)
    return {
        "@context": CONTEXT[0],
        "id": f"{uri}#{kind.lower()}s/{number}",
        "type": kind,
        "actor": uri,
        "object": about,
    }


def encoded(activity: dict[str, Any]) -> bytes:
    """As it goes over the wire."""
    return msgspec.json.encode(activity)


def text(dice: random.Random) -> str:
    """Some ten to sixty words."""
    return " ".join(dice.choices(WORDS, k=dice.randint(10, 60)))


def _time(when: datetime) -> str:
    return when.isoformat(timespec="seconds").replace("+00:00", "Z")
