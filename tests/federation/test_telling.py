"""What a peer that we did not write is told of what happens here, over a real connection, signed."""

import datetime as dt
import json
import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from adapters.embedded.valkey import EmbeddedValkey
from adapters.postgres.outbox import authority_of
from domain import account
from domain.account import ChangeProfile, Profile
from tests.database import Database
from tests.federation.peer import ACTIVITY_JSON, PUBLIC, Peer, running_peer
from tests.instance import LiveInstance, running_instance

TIMEOUT_S = 10
NOTHING_MORE_S = 0.5


@pytest.fixture
def bob() -> Iterator[Peer]:
    with running_peer("bob", "bob.test") as peer:
        yield peer


@pytest.fixture
def eve() -> Iterator[Peer]:
    with running_peer("eve", "eve.test") as peer:
        yield peer


@pytest.fixture
def instance(
    database: Database, valkey_server: EmbeddedValkey, tmp_path: Path, bob: Peer, eve: Peer
) -> Iterator[LiveInstance]:
    with running_instance(database, valkey_server.url, tmp_path, bob, eve) as running:
        yield running


def told(peer: Peer) -> Any:
    """The next activity that arrives."""
    return peer.got.get(timeout=TIMEOUT_S)


def nothing_more(peer: Peer) -> bool:
    try:
        return peer.got.get(timeout=NOTHING_MORE_S) is None
    except queue.Empty:
        return True


def me(instance: LiveInstance) -> str:
    return instance.client.get("/api/v1/accounts/verify_credentials").json()["uri"]


def follows(bob: Peer, instance: LiveInstance) -> Any:
    """Bob follows admin; gives the Accept."""
    assert bob.post(instance.inbox, bob.activity("Follow", me(instance))).status == 202
    return told(bob)


def post(instance: LiveInstance, text: str, **more: Any) -> Any:
    answer = instance.client.post("/api/v1/statuses", json={"status": text, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_follow_of_an_open_account_is_accepted_by_naming_it(instance: LiveInstance, bob: Peer) -> None:
    follow = bob.activity("Follow", me(instance))
    assert bob.post(instance.inbox, follow).status == 202
    accepted = told(bob)
    assert (accepted["type"], accepted["actor"]) == ("Accept", me(instance))
    inner = {"id": follow["id"], "type": "Follow", "actor": bob.actor, "object": me(instance)}
    assert accepted["object"] == inner
    assert instance.client.get("/api/v1/accounts/verify_credentials").json()["followers_count"] == 1


def test_who_asks_again_because_the_accept_was_lost_gets_another_one(instance: LiveInstance, bob: Peer) -> None:
    first = follows(bob, instance)
    again = follows(bob, instance)
    assert (again["type"], again["object"]["actor"]) == ("Accept", bob.actor)
    assert again["id"] != first["id"] and again["object"]["id"] != first["object"]["id"]


def test_followers_are_told_of_a_post_its_edit_and_its_deletion(instance: LiveInstance, bob: Peer) -> None:
    follows(bob, instance)
    status = post(instance, "Hello")
    created = told(bob)
    assert (created["type"], created["object"]["id"]) == ("Create", status["uri"])
    assert created["to"] == created["object"]["to"] == [PUBLIC]
    edited = instance.client.put(f"/api/v1/statuses/{status['id']}", json={"status": "Hello again"})
    assert edited.status_code == 200
    updated = told(bob)
    assert (updated["type"], updated["object"]["content"]) == ("Update", "<p>Hello again</p>")
    assert instance.client.delete(f"/api/v1/statuses/{status['id']}").status_code == 200
    deleted = told(bob)
    assert (deleted["type"], deleted["object"]["id"]) == ("Delete", status["uri"])


def test_a_direct_post_goes_to_whom_it_mentions_and_to_no_other_follower(
    instance: LiveInstance, bob: Peer, eve: Peer
) -> None:
    follows(bob, instance)
    follows(eve, instance)
    post(instance, f"@{bob.acct} psst", visibility="direct")
    created = told(bob)
    assert (created["to"], created["cc"]) == ([bob.actor], [])
    assert nothing_more(eve)


def test_whom_an_edit_mentions_first_gets_the_post_itself_and_the_others_the_edit(
    instance: LiveInstance, bob: Peer, eve: Peer
) -> None:
    for peer in (bob, eve):
        assert peer.post(instance.inbox, peer.note("First of all")).status == 202
    instance.settled()
    status = post(instance, f"@{bob.acct} hello", visibility="direct")
    assert told(bob)["type"] == "Create"
    said = {"status": f"@{bob.acct} and @{eve.acct} hello"}
    assert instance.client.put(f"/api/v1/statuses/{status['id']}", json=said).status_code == 200
    created, updated = told(eve), told(eve)
    assert (created["type"], updated["type"], told(bob)["type"]) == ("Create", "Update", "Update")
    assert created["object"] == updated["object"] and created["id"] != f"{status['uri']}/activity"
    assert created["to"] == [bob.actor, eve.actor] and created["object"]["updated"]
    assert instance.client.delete(f"/api/v1/statuses/{status['id']}").status_code == 200
    assert told(eve)["type"] == told(bob)["type"] == "Delete"


def test_who_is_mentioned_is_told_without_following(instance: LiveInstance, bob: Peer) -> None:
    assert bob.post(instance.inbox, bob.note("First of all")).status == 202
    instance.settled()
    post(instance, f"@{bob.acct} hello")
    assert told(bob)["type"] == "Create"


def test_a_remote_account_is_asked_and_an_unfollow_takes_the_request_back(instance: LiveInstance, bob: Peer) -> None:
    assert bob.post(instance.inbox, bob.note("First of all")).status == 202
    instance.settled()
    number = instance.client.get("/api/v1/accounts/lookup", params={"acct": bob.acct}).json()["id"]
    assert instance.client.post(f"/api/v1/accounts/{number}/follow").json()["requested"] is True
    asked = told(bob)
    assert (asked["type"], asked["actor"], asked["object"]) == ("Follow", me(instance), bob.actor)
    assert instance.client.post(f"/api/v1/accounts/{number}/unfollow").status_code == 200
    undone = told(bob)
    assert (undone["type"], undone["object"]["id"], undone["object"]["type"]) == ("Undo", asked["id"], "Follow")


def test_who_is_followed_is_asked_although_their_host_was_given_up(
    instance: LiveInstance, bob: Peer, database: Database
) -> None:
    assert bob.post(instance.inbox, bob.note("First of all")).status == 202
    instance.settled()
    with psycopg.connect(database.owner, autocommit=True) as owner:
        owner.execute(
            """
            INSERT INTO app.delivery_hosts (host, state, failures, failing_days, not_before, next_at)
            SELECT %s, 'dead', 9, 7, later, later FROM (SELECT now() + interval '5 days' AS later) t
            ON CONFLICT (host) DO UPDATE SET
                state = 'dead', not_before = excluded.not_before, next_at = excluded.next_at
            """,
            [authority_of(bob.actor)],
        )
    number = instance.client.get("/api/v1/accounts/lookup", params={"acct": bob.acct}).json()["id"]
    assert instance.client.post(f"/api/v1/accounts/{number}/follow").json()["requested"] is True
    assert told(bob)["type"] == "Follow"


def noted(instance: LiveInstance, bob: Peer, text: str = "Of bob's") -> Any:
    """A public post of bob's, as a status here."""
    note = bob.note(text)
    assert bob.post(instance.inbox, note).status == 202
    instance.settled()
    number = instance.client.get("/api/v1/accounts/lookup", params={"acct": bob.acct}).json()["id"]
    statuses = instance.client.get(f"/api/v1/accounts/{number}/statuses").json()
    return next(status for status in statuses if status["uri"] == note["object"]["id"])


@pytest.mark.parametrize(
    ("asked", "undone", "kind"), [("favourite", "unfavourite", "Like"), ("reblog", "unreblog", "Announce")]
)
def test_an_author_hears_of_what_others_make_of_their_post_and_of_its_undoing(
    instance: LiveInstance, bob: Peer, asked: str, undone: str, kind: str
) -> None:
    status = noted(instance, bob)
    assert instance.client.post(f"/api/v1/statuses/{status['id']}/{asked}").status_code == 200
    heard = told(bob)
    assert (heard["type"], heard["actor"], heard["object"]) == (kind, me(instance), status["uri"])
    assert instance.client.post(f"/api/v1/statuses/{status['id']}/{undone}").status_code == 200
    undo = told(bob)
    assert (undo["type"], undo["object"]["type"], undo["object"]["id"]) == ("Undo", kind, heard["id"])


def test_a_boost_reaches_the_boosters_followers_too(instance: LiveInstance, bob: Peer, eve: Peer) -> None:
    follows(eve, instance)
    status = noted(instance, bob)
    assert instance.client.post(f"/api/v1/statuses/{status['id']}/reblog").status_code == 200
    assert told(eve)["object"] == told(bob)["object"] == status["uri"]


def test_who_passed_a_post_on_hears_of_its_edit_and_its_deletion(instance: LiveInstance, bob: Peer) -> None:
    status = post(instance, "Pass it on")
    assert bob.post(instance.inbox, bob.note("First of all")).status == 202
    announce = bob.activity("Announce", status["uri"], to=[PUBLIC])
    assert bob.post(instance.inbox, announce).status == 202
    instance.settled()
    number = status["id"]
    assert instance.client.get(f"/api/v1/statuses/{number}").json()["reblogs_count"] == 1
    assert instance.client.put(f"/api/v1/statuses/{number}", json={"status": "Better"}).status_code == 200
    assert told(bob)["type"] == "Update"
    assert instance.client.delete(f"/api/v1/statuses/{number}").status_code == 200
    assert told(bob)["type"] == "Delete"


def test_who_answers_a_post_that_is_not_for_them_is_not_shown_its_edit(
    instance: LiveInstance, bob: Peer, eve: Peer
) -> None:
    assert bob.post(instance.inbox, bob.note("First of all")).status == 202
    instance.settled()
    status = post(instance, f"@{bob.acct} psst", visibility="direct")
    assert told(bob)["type"] == "Create"
    answer = eve.note("I guessed its address")
    answer["object"]["inReplyTo"] = status["uri"]
    assert eve.post(instance.inbox, answer).status == 202
    instance.settled()
    edited = {"status": f"@{bob.acct} psst!", "visibility": "direct"}
    assert instance.client.put(f"/api/v1/statuses/{status['id']}", json=edited).status_code == 200
    assert told(bob)["type"] == "Update"
    assert nothing_more(eve)


def test_the_same_follow_sent_again_after_its_undoing_is_accepted_again(instance: LiveInstance, bob: Peer) -> None:
    """Pixelfed and others use one id for follow, undo and follow."""
    follow = bob.activity("Follow", me(instance))
    body = json.dumps(follow).encode()
    for number in range(2):
        # Signed within the same second it would be the very same request, which is a replay.
        at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2 * number)
        assert bob.post(instance.inbox, body, headers=bob.signed(instance.inbox, body, at=at)).status == 202
        accepted = told(bob)
        assert (accepted["type"], accepted["object"]["id"]) == ("Accept", follow["id"])
        assert bob.post(instance.inbox, bob.activity("Undo", follow)).status == 202
        instance.settled()


def test_a_block_is_told_and_ends_what_was_between_both(instance: LiveInstance, bob: Peer) -> None:
    follows(bob, instance)
    number = instance.client.get("/api/v1/accounts/lookup", params={"acct": bob.acct}).json()["id"]
    assert instance.client.post(f"/api/v1/accounts/{number}/block").json()["blocking"] is True
    assert {told(bob)["type"], told(bob)["type"]} == {"Block", "Reject"}
    refused = bob.activity("Follow", me(instance))
    assert bob.post(instance.inbox, refused).status == 202
    answer = told(bob)
    assert (answer["type"], answer["object"]["id"]) == ("Reject", refused["id"])


def test_a_locked_account_decides_for_itself(instance: LiveInstance, bob: Peer) -> None:
    number = int(instance.client.get("/api/v1/accounts/verify_credentials").json()["id"])
    instance.run(instance.server.do(account, ChangeProfile(account=number, profile=Profile(locked=True))))
    instance.settled()
    follow = bob.activity("Follow", me(instance))
    assert bob.post(instance.inbox, follow).status == 202
    assert nothing_more(bob)
    (asking,) = instance.client.get("/api/v1/follow_requests").json()
    assert instance.client.post(f"/api/v1/follow_requests/{asking['id']}/authorize").status_code == 200
    accepted = told(bob)
    assert (accepted["type"], accepted["object"]["id"]) == ("Accept", follow["id"])


def test_an_account_that_is_locked_no_longer_lets_in_who_waits(instance: LiveInstance, bob: Peer) -> None:
    number = int(instance.client.get("/api/v1/accounts/verify_credentials").json()["id"])
    instance.run(instance.server.do(account, ChangeProfile(account=number, profile=Profile(locked=True))))
    instance.settled()
    follow = bob.activity("Follow", me(instance))
    assert bob.post(instance.inbox, follow).status == 202
    assert nothing_more(bob)
    instance.run(instance.server.do(account, ChangeProfile(account=number, profile=Profile(locked=False))))
    accepted = told(bob)
    assert (accepted["type"], accepted["object"]["id"]) == ("Accept", follow["id"])


def test_what_was_not_meant_for_anybody_elsewhere_is_told_to_nobody(instance: LiveInstance, bob: Peer) -> None:
    assert bob.post(instance.inbox, bob.note("First of all")).status == 202
    instance.settled()
    post(instance, "Nobody follows me")
    instance.settled()
    assert nothing_more(bob)


def test_followers_from_here_go_where_an_account_moves_that_is_named_there(
    instance: LiveInstance, bob: Peer, eve: Peer
) -> None:
    instance.befriend(bob)
    assert told(bob)["type"] == "Follow"
    eve.pages[f"/users/{eve.name}"] = 200, ACTIVITY_JSON, {**eve.document(), "alsoKnownAs": [bob.actor]}
    assert bob.post(instance.inbox, bob.activity("Move", bob.actor, target=eve.actor)).status == 202
    asked, undone = told(eve), told(bob)
    assert (asked["type"], asked["actor"], asked["object"]) == ("Follow", me(instance), eve.actor)
    assert (undone["type"], undone["object"]["type"]) == ("Undo", "Follow")


def test_nobody_is_led_to_whom_they_block_by_a_move(instance: LiveInstance, bob: Peer, eve: Peer) -> None:
    instance.befriend(bob)
    assert told(bob)["type"] == "Follow"
    assert eve.post(instance.inbox, eve.note("First of all")).status == 202
    instance.settled()
    number = instance.client.get("/api/v1/accounts/lookup", params={"acct": eve.acct}).json()["id"]
    assert instance.client.post(f"/api/v1/accounts/{number}/block").status_code == 200
    assert told(eve)["type"] == "Block"
    named = {**eve.document(), "alsoKnownAs": [bob.actor]}
    assert eve.post(instance.inbox, eve.activity("Update", named)).status == 202
    assert bob.post(instance.inbox, bob.activity("Move", bob.actor, target=eve.actor)).status == 202
    assert told(bob)["object"]["type"] == "Follow"
    assert nothing_more(eve)


def test_nobody_goes_where_the_account_that_moves_is_not_named(instance: LiveInstance, bob: Peer, eve: Peer) -> None:
    instance.befriend(bob)
    assert told(bob)["type"] == "Follow"
    before = instance.head()
    assert bob.post(instance.inbox, bob.activity("Move", bob.actor, target=eve.actor)).status == 202
    assert nothing_more(eve) and nothing_more(bob)
    assert not any("applied" in verdict for verdict in instance.verdicts(before)[:1])
