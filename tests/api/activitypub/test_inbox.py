"""The inbox, knocked at from outside: proven is stored and answered 202, everything else gets a clear refusal."""

import datetime as dt
import json
from typing import Any

import pytest

from domain.activity import ActivityReceived, ActivityReceivedAgain
from tests.federation.peer import PUBLIC, Peer, running_peer, send
from tests.instance import LiveInstance


def arrives(instance: LiveInstance, peer: Peer, text: str) -> bool:
    """Whether the projector goes on: a good post still gets home."""
    assert peer.post(instance.inbox, peer.note(text)).status == 202
    return f"<p>{text}</p>" in instance.home()


def nested(depth: int) -> bytes:
    return b'{"type":"Create","actor":"x","object":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"


def test_a_signed_create_is_in_the_followers_home(instance: LiveInstance, peer: Peer) -> None:
    assert arrives(instance, peer, "Straight from elsewhere")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'"Create"', 400),
        (b"\xff\xfe{}", 400),
        (b'{"type":"Create","actor":"x","a":1e400}', 400),
        (nested(200), 400),
        (nested(10_000), 400),
        (b'{"type":"Create","actor":"x\\u0000"}', 400),
        (b'{"type":"Create","actor":"x\x00"}', 400),
        (b'{"type":"Create","actor":"' + b"x" * 2_000_000 + b'"}', 413),
    ],
    ids=["cut", "array", "string", "utf-16", "number", "depth 200", "depth 10000", "escaped NUL", "bare NUL", "2 MB"],
)
def test_what_is_no_activity_is_refused_and_nothing_stops(
    instance: LiveInstance, peer: Peer, body: bytes, status: int
) -> None:
    before = instance.head()
    answer = peer.post(instance.inbox, body)
    assert (answer.status, bool(answer.error)) == (status, True)
    assert instance.head() == before
    assert arrives(instance, peer, f"After {status} {len(body)}")


def test_a_body_without_length_is_cut_off_at_the_limit(instance: LiveInstance, peer: Peer) -> None:
    sent = 0

    def endless() -> Any:
        nonlocal sent
        for _ in range(200):
            sent += 1
            yield b"x" * 100_000

    with instance.client.stream(
        "POST", "/inbox", content=endless(), headers={"Content-Type": "application/activity+json"}
    ) as answer:
        assert answer.status_code == 413
    assert sent < 200


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "multipart/form-data; boundary=x", ""])
def test_only_activities_are_taken_and_plain_json_only_when_signed(instance: LiveInstance, kind: str) -> None:
    answer = send(instance.inbox, b"{}", {"Content-Type": kind})
    assert answer.status == 415


@pytest.mark.parametrize(
    "kind",
    [
        "application/ld+json",
        'application/ld+json; profile="https://www.w3.org/ns/activitystreams"',
        "application/activity+json; charset=utf-8",
        "application/json",
    ],
)
def test_every_content_type_that_peers_use_is_taken(instance: LiveInstance, peer: Peer, kind: str) -> None:
    body = json.dumps(peer.note()).encode()
    assert send(instance.inbox, body, peer.signed(instance.inbox, body, kind=kind)).status == 202


@pytest.mark.parametrize(
    ("covered", "status"),
    [
        ("(request-target) host date digest", 202),
        ("date digest content-type host (request-target)", 202),
        ("(request-target) host date", 401),
        ("host date digest", 401),
        ("(request-target) date digest", 401),
        ("(request-target) host digest", 401),
        ("date", 401),
    ],
)
def test_the_whole_request_must_be_signed(instance: LiveInstance, peer: Peer, covered: str, status: int) -> None:
    body = json.dumps(peer.note()).encode()
    assert send(instance.inbox, body, peer.signed(instance.inbox, body, covered=covered)).status == status


def test_nobody_reads_an_inbox(instance: LiveInstance) -> None:
    answer = instance.client.get("/inbox")
    assert (answer.status_code, "POST" in answer.headers["allow"]) == (405, True)


@pytest.mark.parametrize("account", ["1", "007", "0", "abc", "9" * 19, "9" * 400, "-1", "%00"])
def test_an_inbox_of_nobody_is_not_found(instance: LiveInstance, peer: Peer, account: str) -> None:
    assert peer.post(f"{instance.origin}/ap/users/{account}/inbox", peer.note()).status == 404


def test_unsigned_is_refused_and_told_what_to_sign(instance: LiveInstance, peer: Peer) -> None:
    before = instance.head()
    answer = peer.post(instance.inbox, peer.note(), headers={"Content-Type": "application/activity+json"})
    assert answer.status == 401
    assert "digest" in answer.headers["www-authenticate"]
    assert instance.head() == before


def test_a_body_that_was_changed_is_refused(instance: LiveInstance, peer: Peer) -> None:
    body = json.dumps(peer.note("as signed")).encode()
    headers = peer.signed(instance.inbox, body)
    answer = send(instance.inbox, body.replace(b"as signed", b"as forged"), headers)
    assert (answer.status, "Digest" in answer.error) == (401, True)


def test_a_wrong_signature_is_refused(instance: LiveInstance, peer: Peer) -> None:
    body = json.dumps(peer.note()).encode()
    signed, other = peer.signed(instance.inbox, body), peer.signed(instance.inbox, b"{}")
    assert send(instance.inbox, body, {**signed, "Signature": other["Signature"]}).status == 401


def test_a_signature_for_another_host_or_path_is_refused(instance: LiveInstance, peer: Peer) -> None:
    body = json.dumps(peer.note()).encode()
    for url in ("http://other.test/inbox", f"{instance.origin}/actor/inbox"):
        assert send(instance.inbox, body, peer.signed(url, body)).status == 401
    ours = peer.signed("http://other.test/inbox", body) | {"Host": instance.settings.domain}
    assert send(instance.inbox, body, ours).status == 401


@pytest.mark.parametrize("minutes", [-66, 65])
def test_an_old_or_future_date_is_refused(instance: LiveInstance, peer: Peer, minutes: int) -> None:
    body = json.dumps(peer.note()).encode()
    at = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes)
    assert send(instance.inbox, body, peer.signed(instance.inbox, body, at=at)).status == 401


def test_a_request_that_is_stale_or_not_for_us_makes_us_ask_nobody_for_a_key(
    instance: LiveInstance, stranger: Peer
) -> None:
    body = json.dumps(stranger.note()).encode()
    old = dt.datetime.now(dt.UTC) - dt.timedelta(days=2)
    assert send(instance.inbox, body, stranger.signed(instance.inbox, body, at=old)).status == 401
    assert send(instance.inbox, body, stranger.signed("http://other.test/inbox", body)).status == 401
    assert send(instance.inbox, body + b" ", stranger.signed(instance.inbox, body)).status == 401
    assert stranger.fetched == []


def test_somebody_elses_activity_is_kept_without_effect(instance: LiveInstance, peer: Peer, stranger: Peer) -> None:
    forged = {**stranger.note("Not by me"), "id": f"{stranger.actor}/forged"}
    before = instance.head()
    assert peer.post(instance.inbox, forged).status == 202
    assert instance.verdicts(before) == ["unproven"]
    assert stranger.fetched == []


@pytest.mark.parametrize("kind", ["Listen", "x" * 5_000, "Ünïcode", "as:Travel"])
def test_an_unknown_type_is_stored_with_a_verdict(instance: LiveInstance, peer: Peer, kind: str) -> None:
    before = instance.head()
    assert peer.post(instance.inbox, peer.activity(kind, "https://x.test/1")).status == 202
    (verdict,) = instance.verdicts(before)
    assert verdict.startswith("not understood: ")


def test_ids_of_5000_characters_are_stored_with_a_verdict(instance: LiveInstance, peer: Peer) -> None:
    long = f"{peer.actor}/{'x' * 5_000}"
    before = instance.head()
    assert peer.post(instance.inbox, {**peer.note(), "id": long}).status == 202
    assert peer.post(instance.inbox, peer.activity("Like", long)).status == 202
    assert peer.post(instance.inbox, peer.activity("Delete", long)).status == 202
    verdicts = instance.verdicts(before)
    assert verdicts[0] == "refused: activity id too long"
    assert verdicts[2] == "refused: object id too long"
    assert arrives(instance, peer, "After long ids")


@pytest.mark.parametrize("change", [{"type": None}, {"type": []}, {"type": 7}, {"actor": None}, {"actor": [[]]}])
def test_what_nobody_does_is_dropped(instance: LiveInstance, peer: Peer, change: dict[str, Any]) -> None:
    before = instance.head()
    assert peer.post(instance.inbox, {**peer.note(), **change}).status == 202
    assert instance.head() == before


def test_the_same_request_twice_is_one_event(instance: LiveInstance, peer: Peer) -> None:
    body = json.dumps(peer.note("Only once")).encode()
    headers = peer.signed(instance.inbox, body)
    before = instance.head()
    assert [send(instance.inbox, body, headers).status for _ in range(3)] == [202, 202, 202]
    assert instance.head() == before + 1
    assert instance.home().count("<p>Only once</p>") == 1


def test_a_copy_by_another_inbox_is_noted_and_one_by_the_same_is_not(instance: LiveInstance, peer: Peer) -> None:
    account = instance.client.get("/api/v1/accounts/verify_credentials").json()["id"]
    personal = f"{instance.origin}/ap/users/{account}/inbox"
    copy = peer.note("By two doors")
    before = instance.head()
    for url in (instance.inbox, f"{instance.inbox}/", personal, personal, f"{instance.origin}/actor/inbox"):
        assert peer.post(url, copy).status == 202
    start = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    body = json.dumps(copy).encode()
    again = send(instance.inbox, body, peer.signed(instance.inbox, body, at=start))
    assert again.status == 202
    events = instance.events(before)
    assert [type(event) for event in events] == [ActivityReceived, ActivityReceivedAgain, ActivityReceivedAgain]
    paths = [event.inbox for event in events if isinstance(event, ActivityReceived | ActivityReceivedAgain)]
    assert paths == ["/inbox", f"/ap/users/{account}/inbox", "/actor/inbox"]


def test_the_bytes_are_stored_as_they_came(instance: LiveInstance, peer: Peer) -> None:
    body = b' {"type" : "Listen", "actor":"' + peer.actor.encode() + b'", "a":1, "a":2, "odd":"\\u00e9"}\n'
    before = instance.head()
    assert peer.post(instance.inbox, body).status == 202
    (event,) = instance.events(before)
    assert isinstance(event, ActivityReceived)
    assert (event.raw, event.signer, event.evidence.key_id) == (body, peer.actor, peer.key_id)


@pytest.mark.parametrize("kind", ["Delete", "Update"])
def test_what_unknown_actors_do_to_themselves_is_dropped_before_any_fetch(
    instance: LiveInstance, stranger: Peer, kind: str
) -> None:
    before = instance.head()
    about = stranger.actor if kind == "Delete" else stranger.document()
    assert stranger.post(instance.inbox, stranger.activity(kind, about)).status == 202
    assert (stranger.fetched, instance.head()) == ([], before)


def test_a_key_that_cannot_be_fetched_is_asked_for_again_later(instance: LiveInstance, stranger: Peer) -> None:
    stranger.answers["/users/sue"] = 500
    first, second = (stranger.post(instance.inbox, stranger.note()) for _ in range(2))
    assert (first.status, second.status) == (503, 503)
    assert int(first.headers["retry-after"]) > 0
    assert stranger.fetched == ["/users/sue"]


def test_a_key_that_nobody_lists_is_refused(instance: LiveInstance, stranger: Peer) -> None:
    stranger.answers["/users/sue"] = 404
    assert stranger.post(instance.inbox, stranger.note()).status == 401


def test_only_the_deletion_of_oneself_goes_through_when_the_server_says_gone(
    instance: LiveInstance, peer: Peer, stranger: Peer
) -> None:
    stranger.answers["/users/sue"] = 410
    before = instance.head()
    assert stranger.post(instance.inbox, stranger.note()).status == 401
    assert stranger.post(instance.inbox, stranger.activity("Delete", stranger.actor)).status == 202
    assert instance.head() == before


def test_a_new_key_under_the_same_id_is_found_by_one_refetch(instance: LiveInstance) -> None:
    with running_peer("kim") as kim:
        assert kim.post(instance.inbox, kim.note()).status == 202
        kim.new_key()
        assert kim.post(instance.inbox, kim.note()).status == 202
        kim.new_key()
        assert kim.post(instance.inbox, kim.note()).status == 401
        assert kim.fetched.count("/users/kim") == 2


def test_a_direct_post_by_the_shared_inbox_reaches_nobody_else(instance: LiveInstance, peer: Peer) -> None:
    note = peer.note("For one pair of eyes")
    note["to"] = note["object"]["to"] = [f"{instance.origin}/ap/users/1"]
    note["cc"] = note["object"]["cc"] = []
    assert PUBLIC not in json.dumps(note)
    assert peer.post(instance.inbox, note).status == 202
    assert "<p>For one pair of eyes</p>" not in instance.home()


def test_what_is_turned_away_is_counted_by_host_and_reason(instance: LiveInstance, peer: Peer) -> None:
    before = instance.head()
    for _ in range(3):
        body = json.dumps(peer.note()).encode()
        headers = peer.signed(instance.inbox, body) | {"Digest": "SHA-256=AAAA"}
        assert send(instance.inbox, body, headers).status == 401
    instance.run(instance.server.refusals.flush())
    host = peer.origin.partition("://")[2]
    sql = "SELECT sum(count) FROM app.refusals WHERE host = %s AND reason = 'signature'"
    assert instance.rows(sql, host)[0][0] >= 3
    assert instance.head() == before
