"""Deliveries as peers see them: signed, in order, once, and again when that may help."""

import logging
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.activitypub.signatures import SignedRequest, parse_signature, verify
from adapters.deliveries.posting import PostLimits
from tests.adapters.deliveries.conftest import ALICE, AMY, HOSTS, Instance
from tests.adapters.deliveries.inboxes import Arrived, Inboxes, Reply

BOB, CAROL = "http://h0.test/bob/inbox", "http://h1.test/carol/inbox"


def signer_of(instance: Instance, arrived: Arrived) -> str:
    """Who sent it, by our own verifier."""
    parameters = parse_signature(arrived.headers)
    key = instance.public[parameters.key_id]
    request = SignedRequest("POST", arrived.target, arrived.headers, arrived.body)
    proof = verify(request, parameters, key, authorities=frozenset({arrived.host}), now=datetime.now(UTC))
    return proof.signer


def until_settled(instance: Instance, inboxes: Inboxes, left: int = 0) -> None:
    """The deliverer has written down what became of all but so many."""
    inboxes.wait_until(lambda: instance.left() == left)


def test_what_arrives_is_signed_by_its_sender(instance: Instance, inboxes: Inboxes) -> None:
    instance.put(BOB, CAROL, body=b'{"type": "Create"}')
    instance.put(BOB, sender=None)
    with instance.delivering():
        got = inboxes.wait_for(3)
        until_settled(instance, inboxes)
    assert sorted((one.url, one.body, signer_of(instance, one)) for one in got) == [
        (BOB, b'{"type": "Create"}', "http://here.test/ap/users/1"),
        (BOB, b"{}", "http://here.test/actor"),
        (CAROL, b'{"type": "Create"}', "http://here.test/ap/users/1"),
    ]
    assert all(one.header("content-type") == "application/activity+json" for one in got)
    assert all("Daybook" in one.header("user-agent") for one in got)


def test_in_the_quiet_case_each_is_delivered_once(instance: Instance, inboxes: Inboxes) -> None:
    with instance.delivering():
        for number in range(40):
            instance.put(*(f"http://{host}/inbox" for host in HOSTS[:10]), body=b"%d" % number)
        inboxes.wait_for(400)
        until_settled(instance, inboxes)
    assert set(inboxes.counted().values()) == {1} and len(inboxes.counted()) == 400


def test_what_is_enqueued_while_nothing_is_due_is_sent_at_once(instance: Instance, inboxes: Inboxes) -> None:
    with instance.delivering():
        for number in range(3):
            instance.put(BOB)
            inboxes.wait_for(number + 1, timeout_s=3)


@pytest.mark.parametrize("status", [401, 403, 408, 500, 502, 503, 504, 301])
def test_what_may_pass_is_tried_again_and_signed_anew(instance: Instance, inboxes: Inboxes, status: int) -> None:
    replies = iter([Reply(status)])
    inboxes.answer = lambda _: next(replies, Reply())
    instance.put(BOB)
    with instance.delivering():
        inboxes.wait_for(1)
        inboxes.wait_until(lambda: instance.one("SELECT sum(attempt) FROM app.deliveries") == 1)
        assert instance.one("SELECT due_at - now() BETWEEN '10 s' AND '25 s' FROM app.deliveries")
        first_s = inboxes.got[0].header("date")
        inboxes.wait_until(lambda: format_now() != first_s)
        instance.hurry()
        first, second = inboxes.wait_for(2)
        until_settled(instance, inboxes)
    assert first.header("signature") != second.header("signature")
    assert signer_of(instance, second) == "http://here.test/ap/users/1"


def format_now() -> str:
    return f"{datetime.now(UTC):%a, %d %b %Y %H:%M:%S} GMT"


@pytest.mark.parametrize("status", [400, 404, 405, 410, 413, 422, 501])
def test_what_is_refused_for_good_is_dropped(instance: Instance, inboxes: Inboxes, status: int) -> None:
    inboxes.answer = lambda _: Reply(status)
    instance.put(BOB)
    with instance.delivering():
        inboxes.wait_for(1)
        until_settled(instance, inboxes)
    assert instance.one("SELECT failures, state FROM app.delivery_hosts") == (0, "alive")


@pytest.mark.parametrize("status", [429, 503])
def test_who_asks_for_time_gets_it_and_loses_no_attempt(instance: Instance, inboxes: Inboxes, status: int) -> None:
    inboxes.answer = lambda _: Reply(status, (("Retry-After", "3600"),))
    instance.put(BOB)
    instance.put(BOB)
    with instance.delivering():
        inboxes.wait_for(1)
        inboxes.wait_until(lambda: instance.one("SELECT failures FROM app.delivery_hosts") == 1)
    wait, days = instance.one("SELECT extract(epoch FROM next_at - now())::int, failing_days FROM app.delivery_hosts")
    assert 3500 <= wait <= 3600 and days == 0
    assert instance.one("SELECT count(*), sum(attempt) FROM app.deliveries") == (2, 0) and len(inboxes.got) == 1


def test_a_delivery_is_given_up_after_sixteen_attempts(
    instance: Instance, inboxes: Inboxes, caplog: pytest.LogCaptureFixture
) -> None:
    inboxes.answer = lambda _: Reply(500)
    instance.put(BOB)
    instance.connection.execute("UPDATE app.deliveries SET attempt = 15")
    with instance.delivering(), caplog.at_level(logging.WARNING, "daybook.deliver"):
        until_settled(instance, inboxes)
    assert len(inboxes.got) == 1 and "given up at http://h0.test/bob/inbox after 16 attempts" in caplog.text


def test_a_delivery_is_given_up_after_three_days(instance: Instance, inboxes: Inboxes) -> None:
    instance.put(BOB)
    instance.connection.execute("UPDATE app.outbox_activities SET created_at = now() - interval '73 hours'")
    instance.connection.execute("UPDATE app.delivery_hosts SET not_before = 'infinity'")
    instance.connection.execute("DELETE FROM app.outbox_fresh")
    with instance.delivering():
        until_settled(instance, inboxes)
    assert inboxes.got == []


def test_no_redirect_is_followed(instance: Instance, inboxes: Inboxes) -> None:
    inboxes.answer = lambda arrived: Reply(307 if arrived.host == "h0.test" else 202, (("Location", CAROL),))
    instance.put(BOB)
    with instance.delivering():
        inboxes.wait_until(lambda: instance.one("SELECT sum(attempt) FROM app.deliveries") == 1)
    assert [one.url for one in inboxes.got] == [BOB]


def test_an_answer_without_end_is_an_answer(instance: Instance, inboxes: Inboxes) -> None:
    inboxes.answer = lambda _: Reply(202, endless=True)
    instance.put(BOB)
    with instance.delivering():
        until_settled(instance, inboxes)
    assert len(inboxes.got) == 1


def test_a_kept_connection_that_breaks_costs_no_attempt(instance: Instance, inboxes: Inboxes) -> None:
    replies = iter([Reply(), Reply(0)])
    inboxes.answer = lambda _: next(replies, Reply())
    instance.put(BOB, body=b"first")
    instance.put(BOB, body=b"second")
    with instance.delivering():
        until_settled(instance, inboxes)
    assert [one.body for one in inboxes.got] == [b"first", b"second", b"second"] and inboxes.connections == 2


def test_a_new_connection_that_breaks_is_the_host_s_trouble_and_nothing_else_is_tried(
    instance: Instance, inboxes: Inboxes
) -> None:
    inboxes.answer = lambda _: Reply(0)
    for sender in (ALICE, AMY) * 4:
        instance.put(BOB, sender=sender)
    with instance.delivering():
        inboxes.wait_until(lambda: instance.one("SELECT sum(attempt) FROM app.deliveries") == 1)
    failures, words = instance.one("SELECT failures, last_error FROM app.delivery_hosts")
    assert failures == 1 and words.startswith("the connection failed") and len(inboxes.got) == 1


def test_connections_are_used_again(instance: Instance, inboxes: Inboxes) -> None:
    with instance.delivering():
        for number in range(20):
            instance.put(BOB)
            inboxes.wait_for(number + 1)
        until_settled(instance, inboxes)
    assert inboxes.connections == 1


def test_a_sender_without_a_key_says_nothing(instance: Instance, inboxes: Inboxes) -> None:
    instance.put(BOB, sender=77)
    instance.put(BOB, sender=AMY)
    with instance.delivering():
        until_settled(instance, inboxes)
    assert len(inboxes.got) == 1


def test_a_private_address_is_never_dialled(instance: Instance, inboxes: Inboxes) -> None:
    instance.put(f"http://127.0.0.1:{inboxes.port}/inbox", "https://[::1]/inbox", "https://10.0.0.1/inbox", BOB)
    with instance.delivering():
        until_settled(instance, inboxes)
    assert [one.url for one in inboxes.got] == [BOB]


def test_each_lane_keeps_its_order(instance: Instance, inboxes: Inboxes) -> None:
    inboxes.answer = lambda arrived: Reply(after_s=0.02 if arrived.body.endswith(b"0") else 0)
    with instance.delivering():
        for number in range(30):
            for sender in (ALICE, AMY):
                instance.put(BOB, CAROL, sender=sender, body=b"%d %d" % (sender, number))
        inboxes.wait_for(120)
        until_settled(instance, inboxes)
    for url in (BOB, CAROL):
        for sender in (ALICE, AMY):
            told = [one.body.split() for one in inboxes.got if one.url == url]
            numbers = [int(number) for by, number in told if int(by) == sender]
            assert numbers == list(range(30))


def test_nothing_about_an_object_overtakes_what_failed(instance: Instance, inboxes: Inboxes) -> None:
    replies = iter([Reply(500)])
    inboxes.answer = lambda arrived: next(replies, Reply()) if arrived.body == b"create" else Reply()
    for body, about in ((b"create", "post 1"), (b"other", "post 2"), (b"update", "post 1"), (b"delete", "post 1")):
        instance.put(BOB, body=body, about=about)
    with instance.delivering():
        inboxes.wait_for(2)
        until_settled(instance, inboxes, left=3)
        instance.hurry()
        inboxes.wait_for(5)
        until_settled(instance, inboxes)
    assert [one.body for one in inboxes.got] == [b"create", b"other", b"create", b"update", b"delete"]


def test_what_fails_by_itself_for_long_holds_up_nothing_that_is_about_no_object(
    instance: Instance, inboxes: Inboxes
) -> None:
    inboxes.answer = lambda arrived: Reply(500 if arrived.body == b"poison" else 202)
    instance.put(BOB, body=b"poison")
    instance.put(BOB, body=b"like")
    with instance.delivering():
        for attempt in range(1, 4):
            inboxes.wait_until(lambda wanted=attempt: instance.one("SELECT max(attempt) FROM app.deliveries") == wanted)
            assert [one.body for one in inboxes.got] == [b"poison"] * attempt
            instance.hurry()
        until_settled(instance, inboxes, left=1)
    assert inboxes.got[-1].body == b"like"


def test_what_a_host_chokes_on_holds_up_nothing_else(instance: Instance, inboxes: Inboxes) -> None:
    inboxes.answer = lambda arrived: Reply(after_s=60) if arrived.body == b"poison" else Reply()
    instance.put(BOB, body=b"poison", about="post 1")
    instance.put(BOB, body=b"fine", about="post 2")
    with instance.delivering(PostLimits(total_s=0.3)):
        inboxes.wait_until(lambda: instance.one("SELECT max(attempt) FROM app.deliveries") == 1)
        instance.connection.execute("UPDATE app.delivery_hosts SET not_before = '-infinity', next_at = now()")
        instance.connection.execute("NOTIFY daybook_outbox")
        until_settled(instance, inboxes, left=1)
    assert [one.body for one in inboxes.got] == [b"poison", b"fine"]
    assert instance.one("SELECT failures FROM app.delivery_hosts") == 0


def test_what_was_delivered_is_forgotten_after_a_while(instance: Instance, inboxes: Inboxes) -> None:
    put: Any = instance.put(BOB)
    instance.put(CAROL)
    with instance.delivering():
        until_settled(instance, inboxes)
    instance.connection.execute(
        "UPDATE app.outbox_activities SET created_at = now() - interval '8 days' WHERE uri = %s", [put]
    )
    with instance.delivering():
        inboxes.wait_until(lambda: instance.one("SELECT count(*) FROM app.outbox_activities") == 1)
