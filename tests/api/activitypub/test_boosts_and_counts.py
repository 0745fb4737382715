"""Boosts as peers fetch them, and how many like a post or passed it on."""

from typing import Any

import httpx
import pytest

from tests.federation.peer import PUBLIC, Peer
from tests.instance import LiveInstance

AS_PEER = {"Accept": "application/activity+json"}
AS_PERSON = {"Accept": "text/html"}


def fetched(url: str) -> Any:
    answer = httpx.get(url, headers=AS_PEER)
    assert answer.status_code == 200, answer.text
    return answer.json()


def done(instance: LiveInstance, path: str, **more: Any) -> Any:
    answer = instance.client.post(path, json=more)
    assert answer.status_code == 200, answer.text
    instance.settled()
    return answer.json()


def posted(instance: LiveInstance, **more: Any) -> Any:
    return done(instance, "/api/v1/statuses", status="Pass this on", **more)


@pytest.fixture
def elsewhere(instance: LiveInstance, peer: Peer) -> Any:
    """A status from elsewhere, as it is known here."""
    create = peer.note("From elsewhere")
    assert peer.post(instance.inbox, create).status == 202
    instance.settled()
    ((number,),) = instance.rows("SELECT id FROM statuses WHERE uri = %s", create["object"]["id"])
    return {"id": str(number), "uri": create["object"]["id"], "author": peer.actor}


def boosted(instance: LiveInstance, status: Any, **more: Any) -> str:
    """The address of the boost's own page of activity."""
    return done(instance, f"/api/v1/statuses/{status['id']}/reblog", **more)["uri"]


@pytest.mark.parametrize("visibility", ["public", "unlisted"])
def test_a_boost_is_an_announce_under_its_own_address(
    instance: LiveInstance, account: Any, elsewhere: Any, visibility: str
) -> None:
    uri = boosted(instance, elsewhere, visibility=visibility)
    announce = fetched(uri)
    assert (announce["type"], announce["id"], announce["actor"]) == ("Announce", uri, account["uri"])
    assert announce["object"] == elsewhere["uri"]
    assert PUBLIC in announce["to" if visibility == "public" else "cc"]
    assert elsewhere["author"] in announce["cc"]
    (listed,) = [one for one in fetched(f"{account['uri']}/outbox?page=true")["orderedItems"] if one["id"] == uri]
    assert {"@context": announce["@context"], **listed} == announce


def test_what_is_no_activity_of_a_boost_leads_to_it_or_to_what_it_passes_on(
    instance: LiveInstance, account: Any
) -> None:
    status = posted(instance)
    uri = boosted(instance, status)
    itself = uri.removesuffix("/activity")
    number = itself.rpartition("/")[2]
    led = httpx.get(itself, headers=AS_PEER)
    assert (led.status_code, led.headers["location"]) == (302, uri)
    for address in (itself, uri, f"{account['url']}/{number}"):
        page = httpx.get(address, headers=AS_PERSON)
        assert (page.status_code, page.headers["location"]) == (302, status["url"])
    for name in ("replies", "likes", "shares"):
        assert httpx.get(f"{itself}/{name}", headers=AS_PEER).status_code == 404


def test_a_boost_that_was_undone_is_gone(instance: LiveInstance, account: Any, elsewhere: Any) -> None:
    uri = boosted(instance, elsewhere)
    done(instance, f"/api/v1/statuses/{elsewhere['id']}/unreblog")
    answer = httpx.get(uri, headers=AS_PEER)
    assert (answer.status_code, answer.json()["type"], answer.json()["id"]) == (410, "Tombstone", uri)
    assert uri not in [one["id"] for one in fetched(f"{account['uri']}/outbox?page=true")["orderedItems"]]


def test_a_boost_of_ones_own_for_followers_is_for_followers(instance: LiveInstance, account: Any) -> None:
    uri = boosted(instance, posted(instance, visibility="private"))
    assert httpx.get(uri, headers=AS_PEER).status_code == 404
    assert uri not in [one["id"] for one in fetched(f"{account['uri']}/outbox?page=true")["orderedItems"]]


def test_likes_and_shares_are_counted_and_name_nobody(instance: LiveInstance) -> None:
    status = posted(instance)
    note = fetched(status["uri"])
    for name in ("likes", "shares"):
        assert fetched(note[name]) | {"@context": ""} == {
            "@context": "",
            "id": note[name],
            "type": "Collection",
            "totalItems": 0,
        }
    done(instance, f"/api/v1/statuses/{status['id']}/favourite")
    boosted(instance, status)
    assert [fetched(note[name])["totalItems"] for name in ("likes", "shares")] == [1, 1]
    hidden = posted(instance, visibility="private")
    assert [httpx.get(f"{hidden['uri']}/{name}", headers=AS_PEER).status_code for name in ("likes", "shares")] == [
        404
    ] * 2
