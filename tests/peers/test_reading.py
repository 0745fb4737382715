"""Our documents as a strict JSON-LD processor reads them: no term is lost, and Fedify finds what we meant."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.activitypub.documents import actor_document, create_document, note_document
from adapters.postgres.secrets import public_pem
from domain.account import AccountRegistered, Profile
from projections.actor_documents import LocalActor, LocalStatus, Mentioned
from projections.rendering import identity_json, profile_json
from tests.instance import LiveInstance
from tests.peers.node import Script

AS_PEER = {"Accept": 'application/ld+json; profile="https://www.w3.org/ns/activitystreams"'}
# Fedify's objects have no room for these; that they are spelt out as meant is all that can be asked.
UNKNOWN_TO_FEDIFY = {
    "https://purl.archive.org/socialweb/webfinger#webfinger",
    "http://ostatus.org#atomUri",
    "http://ostatus.org#inReplyToAtomUri",
    "http://litepub.social/ns#directMessage",
}


def lost(meant: Any, understood: Any, name: str = "") -> Iterator[str]:
    """The terms whose values, spelt out, are not among what was understood; types may be added, nothing else."""
    if isinstance(meant, dict) and isinstance(understood, dict):
        if "@list" in understood and "@list" not in meant:
            # Fedify writes each member of a list as a list of its own.
            (understood,) = understood["@list"]
        for term, values in meant.items():
            if values and values != [{"@list": []}]:
                yield from lost(values, understood.get(term), term)
    elif isinstance(meant, list) and isinstance(understood, list) and len(meant) == len(understood):
        for one, other in zip(meant, understood, strict=True):
            yield from lost(one, other, name)
    elif _moment(meant) != _moment(understood):
        yield name


def _moment(value: Any) -> Any:
    """A time as a moment: Fedify writes 12:00:00.120 as 12:00:00.12. Anything else as it is."""
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return value


def test_a_time_is_the_same_however_many_digits_it_has_and_another_is_not() -> None:
    meant = {"@value": "2026-05-01T12:00:00.120Z"}
    assert not list(lost(meant, {"@value": "2026-05-01T12:00:00.12Z"}))
    assert list(lost(meant, {"@value": "2026-05-01T12:00:00.121Z"})) == ["@value"]


def read(oracle: Script, document: Any) -> str:
    """Have a document read, and nothing of it lost; gives the kind of thing that it is to Fedify."""
    answer = oracle.ask(ask="read", document=document)
    assert "error" not in answer, answer["error"]
    missing = set(lost(answer["meant"], answer["understood"])) - UNKNOWN_TO_FEDIFY
    assert not missing, ", ".join(sorted(missing))
    return answer["kind"]


@pytest.fixture
def admin(instance: LiveInstance) -> str:
    """The path of admin's actor."""
    return f"/ap/users/{instance.client.get('/api/v1/accounts/verify_credentials').json()['id']}"


def document(instance: LiveInstance, path: str) -> Any:
    return instance.client.get(path, headers=AS_PEER).json()


def posted(instance: LiveInstance, text: str, **more: Any) -> Any:
    answer = instance.client.post("/api/v1/statuses", json={"status": text, **more})
    assert answer.status_code == 200, answer.text
    instance.settled()
    return answer.json()


def test_an_actor_is_a_person_and_the_instance_an_application(
    instance: LiveInstance, oracle: Script, admin: str
) -> None:
    assert read(oracle, document(instance, admin)) == "Person"
    assert read(oracle, document(instance, "/actor")) == "Application"


@pytest.mark.parametrize("name", ["outbox", "followers", "following"])
def test_collections_are_ordered_ones(instance: LiveInstance, oracle: Script, admin: str, name: str) -> None:
    assert read(oracle, document(instance, f"{admin}/{name}")) == "OrderedCollection"


def test_what_can_be_walked_is_collections_and_their_pages(instance: LiveInstance, oracle: Script, admin: str) -> None:
    first = posted(instance, "What do you think?", spoiler_text="cw", language="en")
    posted(instance, "That", in_reply_to_id=first["id"])
    boost = instance.client.post(f"/api/v1/statuses/{first['id']}/reblog").json()
    instance.settled()
    for path, kind in (
        (f"{admin}/outbox?page=true", "OrderedCollectionPage"),
        (f"{admin}/collections/featured", "OrderedCollection"),
        (f"{admin}/collections/tags", "Collection"),
        (f"{first['uri']}/activity", "Create"),
        (boost["uri"], "Announce"),
        (f"{first['uri']}/likes", "Collection"),
        (f"{first['uri']}/shares", "Collection"),
        (f"{first['uri']}/replies", "Collection"),
        (f"{first['uri']}/replies?page=true", "CollectionPage"),
    ):
        assert read(oracle, document(instance, path)) == kind


@pytest.mark.parametrize("visibility", ["private", "direct"])
def test_a_post_for_few_is_a_note_too(oracle: Script, visibility: str) -> None:
    status = LocalStatus(
        7,
        "https://our.test/ap/users/1/statuses/7",
        "https://our.test/ap/users/1",
        visibility,
        False,
        '"created_at":"2026-05-01T12:00:00.000Z","url":"https://our.test/@a/7"',
        '"sensitive":false,"spoiler_text":"","language":"en","edited_at":null,"content":"<p>Hi</p>","tags":[],'
        '"media_attachments":[]',
        None,
    )
    note = note_document(status, [Mentioned("https://b.test/users/bob", "bob", "b.test")], "our.test")
    assert (read(oracle, note), read(oracle, create_document(note))) == ("Note", "Create")


def test_an_account_that_moved_is_a_person(oracle: Script) -> None:
    profile = Profile(also_known_as=("https://b.test/users/a", "https://c.test/users/a"), display_name="A")
    at = datetime(2026, 5, 1, tzinfo=UTC)
    event = AccountRegistered(account=1, username="a", uri="https://our.test/ap/users/1", url="x", registered_at=at)
    actor = LocalActor(
        1,
        "a",
        "https://our.test/ap/users/1",
        "https://our.test/@a",
        identity_json(event),
        profile_json(profile, "Person", "https://our.test"),
        0,
        0,
        0,
        moved_to="https://b.test/users/a",
        also_known_as='["https://b.test/users/a","https://c.test/users/a"]',
    )
    pem = public_pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    found = actor_document(actor, f"{actor.uri}#main-key", pem, origin="https://our.test", domain="our.test")
    assert read(oracle, found) == "Person"


@pytest.mark.parametrize("visibility", ["public", "unlisted"])
def test_a_post_is_a_note_whatever_is_in_it(instance: LiveInstance, oracle: Script, visibility: str) -> None:
    text = "Ünïcode @admin #World https://example.com/?a=1&b=<2>"
    first = posted(instance, text, visibility=visibility, spoiler_text="greeting", language="de")
    reply = posted(instance, "Plain", visibility=visibility, in_reply_to_id=first["id"])
    for status in (first, reply):
        assert read(oracle, document(instance, status["uri"])) == "Note"
    instance.client.put(f"/api/v1/statuses/{first['id']}", json={"status": "Edited"}).raise_for_status()
    instance.settled()
    edited = document(instance, first["uri"])
    assert "updated" in edited
    assert read(oracle, edited) == "Note"


def test_what_is_left_of_a_deleted_post_is_a_tombstone(instance: LiveInstance, oracle: Script) -> None:
    status = posted(instance, "Soon gone")
    instance.client.delete(f"/api/v1/statuses/{status['id']}").raise_for_status()
    instance.settled()
    assert read(oracle, document(instance, status["uri"])) == "Tombstone"


def test_the_reader_sees_what_a_context_leaves_out(instance: LiveInstance, oracle: Script, admin: str) -> None:
    actor = document(instance, admin)
    with pytest.raises(AssertionError, match="_:notATerm"):
        read(oracle, {**actor, "notATerm": "x"})
    with pytest.raises(AssertionError, match="_:publicKey"):
        read(oracle, {**actor, "@context": "https://www.w3.org/ns/activitystreams"})
