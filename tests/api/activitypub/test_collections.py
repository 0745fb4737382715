"""What peers walk through: an actor's outbox, what answers a post. Nothing in there that they could not fetch alone."""

from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from adapters.activitypub.collections import PAGE_BYTES_MAX, fitting
from domain import pin
from domain.pin import PinPost, UnpinPost
from tests.federation.peer import Peer
from tests.instance import LiveInstance

AS_PEER = {"Accept": "application/activity+json"}
VISIBILITIES = ("public", "unlisted", "private", "direct")


def fetched(url: str) -> Any:
    answer = httpx.get(url, headers=AS_PEER)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/activity+json; charset=utf-8")
    return answer.json()


def posted(instance: LiveInstance, text: str, **more: Any) -> Any:
    answer = instance.client.post("/api/v1/statuses", json={"status": text, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def pages(first: str, onwards: str = "next") -> Iterator[Any]:
    """A page after the other; each says which it is, and of what."""
    url: str | None = first
    while url is not None:
        page = fetched(url)
        assert (page["id"], page["partOf"]) == (url, first.partition("?")[0])
        yield page
        url = page.get(onwards)


def object_of(activity: Any) -> str:
    return activity["object"]["id"] if activity["type"] == "Create" else activity["id"]


def without_context(document: Any) -> Any:
    return {name: value for name, value in document.items() if name != "@context"}


@pytest.fixture(scope="module")
def said(instance: LiveInstance) -> list[Any]:
    """Posts of each visibility, oldest first."""
    posts = [posted(instance, f"Said {n}", visibility=VISIBILITIES[n % 4]) for n in range(90)]
    instance.settled()
    return posts


def test_an_outbox_lists_all_that_everybody_may_see_once_and_newest_first(account: Any, said: list[Any]) -> None:
    outbox = fetched(f"{account['uri']}/outbox")
    assert (outbox["type"], outbox["id"]) == ("OrderedCollection", f"{account['uri']}/outbox")
    walked = [page["orderedItems"] for page in pages(outbox["first"])]
    assert {len(items) for items in walked[:-1]} == {20}
    listed = [object_of(activity) for items in walked for activity in items]
    assert len(listed) == len(set(listed))
    expected = [status["uri"] for status in reversed(said) if status["visibility"] in ("public", "unlisted")]
    assert [uri for uri in listed if uri in {status["uri"] for status in said}] == expected


def test_an_outbox_is_walked_from_its_end_too(account: Any, said: list[Any]) -> None:
    outbox = fetched(f"{account['uri']}/outbox")
    down = [activity["id"] for page in pages(outbox["first"]) for activity in page["orderedItems"]]
    up = [activity["id"] for page in pages(outbox["last"], "prev") for activity in reversed(page["orderedItems"])]
    assert up == down[::-1]
    assert "next" not in fetched(outbox["last"])


def test_all_that_an_outbox_lists_can_be_fetched_by_anybody(account: Any, said: list[Any]) -> None:
    for page in pages(f"{account['uri']}/outbox?page=true"):
        context = page["@context"]
        for activity in page["orderedItems"]:
            assert without_context(fetched(activity["id"])) == activity
            if activity["type"] == "Create":
                assert fetched(activity["object"]["id"]) == {"@context": context, **activity["object"]}


@pytest.mark.parametrize("query", ["max_id=x", "max_id=-1", "max_id=" + "9" * 40, "min_id=0&max_id=1", "limit=1000"])
def test_whatever_page_is_asked_for_there_is_one(account: Any, said: list[Any], query: str) -> None:
    assert len(fetched(f"{account['uri']}/outbox?page=true&{query}")["orderedItems"]) <= 20


def test_a_page_holds_as_much_as_others_read_and_one_thing_at_least() -> None:
    small, large = {"@context": "x", "a": "b"}, {"content": "x" * PAGE_BYTES_MAX}
    assert fitting([small, small]) == [msgspec.Raw(b'{"a":"b"}')] * 2
    assert [len(fitting(items)) for items in ([small, large, small], [large, large], [])] == [1, 1, 0]


@pytest.mark.parametrize("visibility", VISIBILITIES)
def test_an_activity_is_there_for_whom_its_post_is(instance: LiveInstance, visibility: str) -> None:
    status = posted(instance, "Brought", visibility=visibility)
    instance.settled()
    answers = [httpx.get(url, headers=AS_PEER) for url in (status["uri"], f"{status['uri']}/activity")]
    assert [answer.status_code for answer in answers] == [200 if visibility in ("public", "unlisted") else 404] * 2
    if answers[0].status_code == 200:
        note, create = (answer.json() for answer in answers)
        assert {"@context": create["@context"], **create["object"]} == note
        page = httpx.get(create["id"], headers={"Accept": "text/html"})
        assert (page.status_code, page.headers["location"]) == (302, status["url"])


def test_of_a_deleted_post_nothing_but_tombstones_is_left(instance: LiveInstance) -> None:
    status = posted(instance, "Soon gone")
    instance.client.delete(f"/api/v1/statuses/{status['id']}").raise_for_status()
    instance.settled()
    create = httpx.get(f"{status['uri']}/activity", headers=AS_PEER)
    assert (create.status_code, create.json()["type"]) == (410, "Tombstone")
    assert httpx.get(f"{status['uri']}/replies", headers=AS_PEER).status_code == 404


def test_replies_are_the_ids_of_what_everybody_may_see(instance: LiveInstance, peer: Peer) -> None:
    status = posted(instance, "What do you think?")
    ours = [
        posted(instance, "That", visibility=VISIBILITIES[n % 4], in_reply_to_id=status["id"])["uri"] for n in range(90)
    ]
    theirs = peer.note("This")
    theirs["object"]["inReplyTo"] = status["uri"]
    assert peer.post(instance.inbox, theirs).status == 202
    instance.settled()
    replies = fetched(fetched(status["uri"])["replies"])
    assert (replies["type"], replies["id"]) == ("Collection", f"{status['uri']}/replies")
    walked = [page["items"] for page in pages(replies["first"])]
    assert [len(items) for items in walked] == [40, 7]
    public = {uri for n, uri in enumerate(ours) if n % 4 < 2}
    assert {uri for items in walked for uri in items} == {*public, theirs["object"]["id"]}


def test_answers_to_what_is_hidden_are_hidden(instance: LiveInstance) -> None:
    status = posted(instance, "For few", visibility="private")
    posted(instance, "For all", in_reply_to_id=status["id"])
    instance.settled()
    for query in ("", "?page=true"):
        assert httpx.get(f"{status['uri']}/replies{query}", headers=AS_PEER).status_code == 404


def test_nobody_features_hashtags(account: Any) -> None:
    assert fetched(f"{account['uri']}/collections/tags")["items"] == []


def test_featured_posts_are_there_whole_the_latest_pin_first(instance: LiveInstance, account: Any) -> None:
    featured = f"{account['uri']}/collections/featured"
    assert fetched(account["uri"])["featured"] == featured
    first, second, hidden = (posted(instance, "Mind this", visibility=each) for each in (*VISIBILITIES[:2], "private"))
    for status in (first, second, hidden):
        number, author = int(status["id"]), int(account["id"])
        command = PinPost(account=author, post=number, author=author, visibility=status["visibility"])
        instance.run(instance.server.do(pin, command))
    instance.settled()
    document = fetched(featured)
    assert (document["type"], document["totalItems"]) == ("OrderedCollection", 2)
    assert [note["id"] for note in document["orderedItems"]] == [second["uri"], first["uri"]]
    assert {"@context": document["@context"], **document["orderedItems"][1]} == fetched(first["uri"])
    for status in (first, second, hidden):
        command = UnpinPost(account=int(account["id"]), post=int(status["id"]))
        instance.run(instance.server.do(pin, command))
    instance.settled()
    assert fetched(featured)["orderedItems"] == []
