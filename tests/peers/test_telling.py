"""What we tell other servers as a strict JSON-LD processor reads it: every kind of activity, and nothing of it lost."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.activitypub.documents import NOTE_CONTEXT
from adapters.activitypub.outgoing import About, acceptance, activity_of, is_told
from domain.catalogue import BY_TOPIC
from domain.events import Event, topic_of
from tests.peers.node import Script
from tests.peers.test_reading import read

GOLDEN = Path(__file__).parent.parent / "domain" / "golden_events.jsonl"
ANN = "https://our.test/ap/users/1"
BOB = "https://b.test/users/bob"
NOTE = f"{ANN}/statuses/2"
PUBLIC = "https://www.w3.org/ns/activitystreams#Public"
KINDS = {
    "post.published": "Create",
    "post.edited": "Update",
    "post.deleted": "Delete",
    "post.boosted": "Announce",
    "post.favourited": "Like",
    "post.pinned": "Add",
    "post.unpinned": "Remove",
    "follow.requested": "Follow",
    "follow.accepted": "Accept",
    "follow.rejected": "Reject",
    "follow.ended": "Undo",
    "account.blocked": "Block",
    "account.profile_changed": "Update",
    "account.key_added": "Update",
    "account.moved": "Move",
    "account.deleted": "Delete",
}


def events() -> list[Event]:
    """One of each kind and shape that other servers are told of."""
    lines = [(line, msgspec.json.decode(line)["type"]) for line in GOLDEN.read_text().splitlines()]
    return [event for line, topic in lines if is_told(event := msgspec.json.decode(line, type=BY_TOPIC[topic]))]


def shown(event: Event) -> dict[str, Any]:
    """The whole Note, or the whole actor, that an activity shows."""
    if topic_of(event).startswith("account."):
        return {"@context": "https://www.w3.org/ns/activitystreams", "id": ANN, "type": "Person", "name": "Ann"}
    addressed = {"to": [PUBLIC], "cc": [f"{ANN}/followers"]}
    said = {"attributedTo": ANN, "content": "Hello", "sensitive": True, "atomUri": NOTE}
    return {"@context": NOTE_CONTEXT, "id": NOTE, "type": "Note", **said, **addressed}


@pytest.mark.parametrize("event", events(), ids=topic_of)
def test_nothing_of_an_activity_is_lost(oracle: Script, event: Event) -> None:
    about = About(
        actor=ANN, object=NOTE if topic_of(event).startswith("post.") else BOB, owner=BOB, document=shown(event)
    )
    kind = read(oracle, msgspec.json.decode(msgspec.json.encode(activity_of(event, about))))
    assert kind == KINDS.get(topic_of(event), "Undo")


def test_nothing_of_an_acceptance_is_lost(oracle: Script) -> None:
    assert read(oracle, acceptance(About(actor=ANN, object=BOB), f"{BOB}/follows/1", again=7)) == "Accept"
