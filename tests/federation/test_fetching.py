"""What others refer to is fetched, understood, and shown: boosted posts, threads above an answer, what a URL names."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.embedded.valkey import EmbeddedValkey
from tests.database import Database
from tests.federation.peer import ACTIVITY_JSON, CONTEXT, PUBLIC, Peer, running_peer
from tests.instance import LiveInstance, running_instance

TIMEOUT_S = 20.0


@pytest.fixture
def bob() -> Iterator[Peer]:
    with running_peer("bob", "bob.test") as peer:
        yield peer


@pytest.fixture
def carol() -> Iterator[Peer]:
    with running_peer("carol", "carol.test") as peer:
        yield peer


@pytest.fixture
def instance(
    database: Database, valkey_server: EmbeddedValkey, tmp_path: Path, bob: Peer, carol: Peer
) -> Iterator[LiveInstance]:
    with running_instance(database, valkey_server.url, tmp_path, bob, carol) as running:
        yield running


def becomes(found: Callable[[], Any]) -> Any:
    """What is found, as soon as it is."""
    for _ in range(int(TIMEOUT_S / 0.05)):
        if value := found():
            return value
        threading.Event().wait(0.05)
    raise AssertionError("it never came")


def search(instance: LiveInstance, sought: str, *, resolve: bool = False) -> Any:
    answer = instance.client.get("/api/v2/search", params={"q": sought, "resolve": resolve})
    assert answer.status_code == 200, answer.text
    return answer.json()


def status_at(instance: LiveInstance, uri: str) -> Any:
    """The status of that URI as it is known here, if it is."""
    found = search(instance, uri)["statuses"]
    return found[0] if found else None


def test_an_unknown_post_that_somebody_followed_boosts_is_fetched_and_shown(
    instance: LiveInstance, bob: Peer, carol: Peer
) -> None:
    instance.befriend(bob)
    note = carol.publish("Worth a boost")
    boost = bob.activity("Announce", note, to=[PUBLIC], cc=[f"{bob.actor}/followers"])
    assert bob.post(instance.inbox, boost).status == 202
    shown = becomes(lambda: status_at(instance, note))
    assert (shown["content"], shown["account"]["acct"]) == ("<p>Worth a boost</p>", carol.acct)

    def boosted() -> Any:
        home = instance.client.get("/api/v1/timelines/home").json()
        return [status for status in home if status["reblog"] is not None]

    (seen,) = becomes(boosted)
    assert (seen["account"]["acct"], seen["reblog"]["uri"]) == (bob.acct, note)


def test_the_thread_above_an_answer_is_fetched(instance: LiveInstance, bob: Peer, carol: Peer) -> None:
    instance.befriend(bob)
    root = carol.publish("Root")
    parent = carol.publish("Parent", inReplyTo=root)
    answer = bob.note("Answer")
    answer["object"]["inReplyTo"] = parent
    assert bob.post(instance.inbox, answer).status == 202
    assert becomes(lambda: status_at(instance, root))["account"]["acct"] == carol.acct
    said = status_at(instance, answer["object"]["id"])
    context = instance.client.get(f"/api/v1/statuses/{said['id']}/context").json()
    assert [status["uri"] for status in context["ancestors"]] == [root, parent]


def test_a_post_that_a_url_names_is_found_alone(instance: LiveInstance, carol: Peer) -> None:
    note = carol.publish("Found by its URL", url=f"{carol.origin}/@carol/1")
    found = search(instance, note, resolve=True)
    assert [status["content"] for status in found["statuses"]] == ["<p>Found by its URL</p>"]
    assert found["accounts"] == []


def test_a_page_that_leads_to_a_post_finds_it(instance: LiveInstance, carol: Peer) -> None:
    note = carol.publish("Behind a page")
    carol.pages["/@carol/1"] = carol.pages[note.removeprefix(carol.origin)]
    found = search(instance, f"{carol.origin}/@carol/1", resolve=True)
    assert [status["uri"] for status in found["statuses"]] == [note]


def test_what_was_said_before_is_fetched_once_somebody_is_followed_and_comes_into_no_home(
    instance: LiveInstance, bob: Peer, carol: Peer
) -> None:
    before, pinned, elsewhere = bob.publish("Said before"), bob.publish("Pinned"), carol.publish("Elsewhere")
    create = bob.activity("Create", {"id": before, "type": "Note"})
    boost = bob.activity("Announce", elsewhere)
    stolen = bob.activity("Create", {"id": elsewhere, "type": "Note"})
    box = {"type": "OrderedCollection", "orderedItems": [create, boost, stolen]}
    featured = {"type": "OrderedCollection", "orderedItems": [{"id": pinned, "type": "Note", "content": "Forged"}]}
    for name, collection in (("outbox", box), ("featured", featured)):
        uri = f"{bob.actor}/{name}"
        document = {"@context": CONTEXT, "id": uri, **collection}
        bob.pages[uri.removeprefix(bob.origin)] = 200, ACTIVITY_JSON, document
    actor = {**bob.document(), "outbox": f"{bob.actor}/outbox", "featured": f"{bob.actor}/featured"}
    bob.pages[f"/users/{bob.name}"] = 200, ACTIVITY_JSON, actor
    instance.befriend(bob)
    assert becomes(lambda: status_at(instance, before))["content"] == "<p>Said before</p>"
    assert becomes(lambda: status_at(instance, pinned))["content"] == "<p>Pinned</p>"
    assert not {"<p>Said before</p>", "<p>Pinned</p>"} & set(instance.home())
    assert status_at(instance, elsewhere) is None


def test_a_create_that_a_url_names_leads_to_its_post(instance: LiveInstance, carol: Peer) -> None:
    note = carol.publish("Published")
    create = {**carol.activity("Create", {"id": note, "type": "Note", "content": "Forged"}), "id": f"{note}/activity"}
    carol.pages[f"{note}/activity".removeprefix(carol.origin)] = 200, ACTIVITY_JSON, create
    found = search(instance, f"{note}/activity", resolve=True)
    assert [status["content"] for status in found["statuses"]] == ["<p>Published</p>"]


def test_who_is_mentioned_without_being_known_is_met(instance: LiveInstance, bob: Peer, carol: Peer) -> None:
    carol.answers["/.well-known/webfinger?resource=acct%3Acarol%40carol.test"] = 500
    sent = {"status": f"Hello @{bob.acct}, @{carol.acct} and @nobody"}
    answer = instance.client.post("/api/v1/statuses", json=sent)
    assert answer.status_code == 200, answer.text
    posted = answer.json()
    assert [(one["acct"], one["username"]) for one in posted["mentions"]] == [(bob.acct, "bob")]
    assert f'href="{bob.actor}"' in posted["content"]
    assert bob.got.get(timeout=TIMEOUT_S)["object"]["id"] == posted["uri"]
