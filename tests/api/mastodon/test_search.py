"""Searching: by handle and name among whom is known, by handle and URL elsewhere too; nobody's silence is an error."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from domain.account import Profile
from domain.activity import DocumentFetched
from tests.adapters.interpreter.peers import actor, fetched
from tests.api.mastodon.world import World
from tests.database import Database
from tests.federation.peer import ACTIVITY_JSON, Peer, running_peer

pytestmark = pytest.mark.anyio
NOTHING = {"accounts": [], "statuses": [], "hashtags": []}
_EVENTS = """
    SELECT e.originator_id, e.topic, e.state, k.wrapped_key
    FROM log.events e JOIN keys.event_keys k ON k.position = e.notification_id ORDER BY e.notification_id
"""


@pytest.fixture
def bob() -> Iterator[Peer]:
    with running_peer("bob") as made:
        yield made


@pytest.fixture
def mal() -> Iterator[Peer]:
    with running_peer("mal") as made:
        yield made


def documents(world: World, database: Database) -> list[str]:
    """The URIs of the documents in the log, in its order."""
    with psycopg.connect(database.owner) as owner:
        events = [world.server.codec.open(*row) for row in owner.execute(_EVENTS).fetchall()]
    return [event.uri for event in events if isinstance(event, DocumentFetched)]


def accts(found: Any) -> list[str]:
    return [account["acct"] for account in (found["accounts"] if isinstance(found, dict) else found)]


def webfinger_of(handle: str) -> str:
    return f"/.well-known/webfinger?resource={quote(f'acct:{handle}', safe='')}"


def says(peer: Peer, handle: str, actor: str, subject: str | None = None) -> None:
    """Let the peer's WebFinger say so."""
    links = [{"rel": "self", "type": ACTIVITY_JSON, "href": actor}]
    answer = {"subject": f"acct:{subject or handle}", "links": links}
    peer.pages[webfinger_of(handle)] = 200, "application/jrd+json", answer


async def test_people_are_found_by_the_beginnings_of_handles_and_names(world: World) -> None:
    alice = await world.person("alice", Profile(display_name="Alice Liddell"))
    await world.person("albert", Profile(display_name="Prince of Cats"))
    await world.person("carol", Profile(display_name="Müller-Alm, Carol"))
    ask = "/api/v1/accounts/search"
    assert accts(await alice.get(ask, q="al")) == ["alice", "albert", "carol"]
    assert accts(await alice.get(ask, q="@AL")) == ["alice", "albert"]
    assert accts(await alice.get(ask, q="carol mü")) == ["carol"]
    assert accts(await alice.get(ask, q="prince alice")) == []
    assert accts(await alice.get(ask, q="al", limit=1, offset=1)) == ["albert"]
    assert accts(await alice.get("/api/v2/search", q="cats")) == ["albert"]
    assert await alice.get("/api/v2/search", q="cats", type="statuses") == NOTHING
    for nothing in ("%", "_", "@", "@@", "\\", "'", "  x  ", "\U0010ffff"):
        assert await alice.get(ask, q=nothing) == []


async def test_a_name_of_before_finds_nobody(world: World) -> None:
    alice = await world.person("alice", Profile(display_name="Before"))
    assert accts(await alice.get("/api/v1/accounts/search", q="bef")) == ["alice"]
    await world.rename(alice, "After")
    assert accts(await alice.get("/api/v1/accounts/search", q="bef")) == []
    assert accts(await alice.get("/api/v1/accounts/search", q="aft")) == ["alice"]


async def test_the_exact_handle_comes_first_then_whom_one_follows(world: World) -> None:
    alice = await world.person("alice")
    people = [await world.person(name) for name in ("bobby", "bob", "bobcat")]
    await alice.follow(people[2])
    await world.settled()
    assert accts(await alice.get("/api/v1/accounts/search", q="bob")) == ["bob", "bobcat", "bobby"]
    assert accts(await alice.get("/api/v1/accounts/search", q="bob", following=True)) == ["bobcat"]


async def test_who_blocks_the_viewer_is_not_found(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    await bob.ask("POST", f"/api/v1/accounts/{alice.id}/block")
    await world.settled()
    assert await alice.get("/api/v1/accounts/search", q="bob") == []
    assert await alice.get("/api/v2/search", q="@bob") == NOTHING
    assert accts(await bob.get("/api/v1/accounts/search", q="alice")) == ["alice"]


async def test_a_url_of_ours_is_found_alone(world: World) -> None:
    alice = await world.person("alice")
    posted = await alice.post("Hello")
    await world.settled()
    for url in (posted["url"], posted["uri"]):
        found = await alice.get("/api/v2/search", q=url)
        assert [status["id"] for status in found["statuses"]] == [posted["id"]] and not found["accounts"]
    account = await alice.get(f"/api/v1/accounts/{alice.id}")
    assert accts(await alice.get("/api/v2/search", q=account["url"])) == ["alice"]
    secret = await alice.post("Secret", visibility="direct")
    assert await (await world.person("bob")).get("/api/v2/search", q=secret["url"]) == NOTHING
    assert await alice.get("/api/v2/search", q=f"{account['url']}/9999999999999999999") == NOTHING


async def test_a_handle_is_resolved_elsewhere_once(world: World, bob: Peer) -> None:
    alice = await world.person("alice")
    assert await alice.get("/api/v2/search", q=f"@{bob.acct}") == NOTHING
    assert bob.fetched == []
    for _ in range(2):
        assert accts(await alice.get("/api/v2/search", q=f"@{bob.acct}", resolve=True)) == [bob.acct]
    assert bob.fetched == [webfinger_of(bob.acct), f"/users/{bob.name}"]
    assert (await alice.get("/api/v1/accounts/lookup", acct=bob.acct))["acct"] == bob.acct
    assert accts(await alice.get("/api/v2/search", q=bob.actor)) == [bob.acct]


async def test_an_actor_is_resolved_by_its_url(world: World, bob: Peer) -> None:
    alice = await world.person("alice")
    assert accts(await alice.get("/api/v1/accounts/search", q=bob.actor, resolve=True)) == [bob.acct]


async def test_a_post_is_resolved_by_its_url_with_its_author_before_it(
    world: World, database: Database, bob: Peer
) -> None:
    alice = await world.person("alice")
    note = bob.publish("Found by its URL")
    found = await alice.get("/api/v2/search", q=note, resolve=True)
    assert documents(world, database) == [bob.actor, note]
    assert found["accounts"] == []
    jobs = await world.jobs()
    assert jobs == []


async def test_what_a_resolved_post_answers_and_mentions_is_asked_for(world: World, bob: Peer) -> None:
    alice = await world.person("alice")
    parent = bob.publish("Parent")
    tag = [{"type": "Mention", "href": f"{bob.origin}/users/else", "name": "@else"}]
    await alice.get("/api/v2/search", q=bob.publish("Answer", inReplyTo=parent, tag=tag), resolve=True)
    assert await world.jobs() == [("fetch", f"{bob.origin}/users/else"), ("thread", parent)]


async def test_resolving_is_for_people_who_are_logged_in(world: World, bob: Peer) -> None:
    anybody = world.anybody()
    assert "without authentication" in (await anybody.get("/api/v2/search", 401, q=bob.actor, resolve=True))["error"]
    await anybody.get("/api/v2/search", 401, q="bob", offset=20)
    assert await anybody.get("/api/v2/search", q=bob.actor) == NOTHING
    assert bob.fetched == []


async def test_a_peer_that_does_not_answer_gives_an_empty_list(world: World, bob: Peer) -> None:
    alice = await world.person("alice")
    bob.answers |= {webfinger_of(bob.acct): 500, f"/users/{bob.name}": 404}
    for sought in (
        *(f"@{bob.acct}", bob.actor, f"{bob.origin}/nothing", "http://127.0.0.1:1/users/x", "x@127.0.0.1:1"),
        *("https://nowhere.invalid/x", "x@nowhere.invalid", "http://[", "https://", "@@@", "a@b@c"),
        "http://localhost:3000/x",
    ):
        assert await alice.get("/api/v2/search", q=sought, resolve=True) == NOTHING, sought


async def test_a_document_of_another_id_is_asked_for_where_it_belongs(world: World, bob: Peer, mal: Peer) -> None:
    alice = await world.person("alice")
    forged = {**mal.document(), "id": bob.actor, "preferredUsername": "bob", "name": "Forged"}
    mal.pages["/x"] = 200, ACTIVITY_JSON, forged
    found = await alice.get("/api/v2/search", q=f"{mal.origin}/x", resolve=True)
    assert accts(found) == [bob.acct]
    assert found["accounts"][0]["display_name"] != "Forged"


async def test_a_post_attributed_to_somebody_of_another_host_is_not_taken(
    world: World, database: Database, bob: Peer, mal: Peer
) -> None:
    alice = await world.person("alice")
    note = mal.publish("Never said", attributedTo=bob.actor)
    assert await alice.get("/api/v2/search", q=note, resolve=True) == NOTHING
    assert documents(world, database) == []


async def test_a_handle_on_another_host_than_its_actor_is_proven_in_the_log(
    world: World, database: Database, bob: Peer, mal: Peer
) -> None:
    alice, elsewhere = await world.person("alice"), f"bob@{mal.acct.partition('@')[2]}"
    says(mal, elsewhere, bob.actor)
    says(bob, bob.acct, bob.actor, subject=elsewhere)
    assert len(accts(await alice.get("/api/v2/search", q=elsewhere, resolve=True))) == 1
    assert documents(world, database) == [
        bob.actor,
        f"{bob.origin}{webfinger_of(bob.acct)}",
        f"{mal.origin}{webfinger_of(elsewhere)}",
    ]


async def test_a_host_can_lend_its_name_to_nobody_elses_actor(
    world: World, database: Database, bob: Peer, mal: Peer
) -> None:
    alice, lent = await world.person("alice"), f"bob@{mal.acct.partition('@')[2]}"
    says(mal, lent, bob.actor)
    assert accts(await alice.get("/api/v2/search", q=lent, resolve=True)) == [bob.acct]
    assert f"{mal.origin}{webfinger_of(lent)}" not in documents(world, database)


async def test_what_is_known_is_found_without_asking(world: World) -> None:
    alice = await world.person("alice")
    await world.hear(fetched("https://far.test/u/ann", actor("https://far.test/u/ann")))
    assert accts(await alice.get("/api/v2/search", q="ann@far.test", resolve=True)) == ["ann@far.test"]
    assert accts(await alice.get("/api/v2/search", q="https://far.test/u/ann", resolve=True)) == ["ann@far.test"]


async def test_an_actor_that_somebody_looks_at_is_fetched_anew_after_a_day(
    world: World, database: Database, bob: Peer
) -> None:
    alice = await world.person("alice")
    (found,) = (await alice.get("/api/v2/search", q=bob.actor, resolve=True))["accounts"]
    with psycopg.connect(database.owner) as owner:
        owner.execute("UPDATE app.remote_keys SET fetched_at = fetched_at - interval '2 days'")
    await world.anybody().get(f"/api/v1/accounts/{found['id']}")
    assert await world.jobs() == []
    await alice.get(f"/api/v1/accounts/{found['id']}")
    assert await world.jobs() == [("fetch", bob.actor)]
    with psycopg.connect(database.owner) as owner:
        owner.execute("DELETE FROM app.jobs")
    await alice.get(f"/api/v1/accounts/{found['id']}")
    assert await world.jobs() == [], "it was looked into a moment ago"
