"""`daybook log`: every event in a sentence and as JSON, chosen by who, what, where; and none that breaks it."""

import json
import signal
import subprocess

import psycopg
import pytest

from domain.follow import FollowRequested
from tests.workers.operator import TIMEOUT_S, Operator

REQUEST = "http://localhost:3999/ap/users/7/follows/1"
FOLLOW = json.dumps(
    {
        "id": "https://b.test/follows/1",
        "type": "Follow",
        "actor": "https://b.test/users/bob",
        "object": "http://localhost:3999/ap/users/9",
    }
).encode()
HOSTILE = [
    b"",
    b"\xff\xfe not text",
    b"[]",
    b'"\x1b[2J"',
    b'{"type": "\\u001b[2J", "object": {"id": 7}}',
    b'{"type": [], "object": [[]]}',
    b'{"type": "Like", "object": "http://[broken"}',
    b'{"type": "Like", "object": "a\\u0000b"}',
    b'{"type": "Like", "object": "' + b"x" * 5_000 + b'"}',
    b'{"object":' * 200 + b"1" + b"}" * 200,
    b'{"n": 123456789012345678901234567890, "f": 1e400}',
]


def test_a_request_to_follow_shows_the_id_that_an_accept_must_name(operator: Operator) -> None:
    operator.append("follow:7:8", FollowRequested(follower=7, followee=8, request=REQUEST))
    (line,) = operator.lines("--topic", "follow.requested")
    assert line["event"] == {"follower": 7, "followee": 8, "request": REQUEST, "requested_at": None}


def test_an_event_stands_there_with_what_came_of_it(operator: Operator) -> None:
    operator.project()
    founded, registered, _ = operator.lines()
    assert [fact["verdict"] for fact in founded["facts"]] == ["applied"]
    (fact,) = registered["facts"]
    assert fact["actor_uri"] == registered["event"]["uri"]
    assert fact["actor"] == registered["event"]["account"]
    assert "@admin was registered; verdict: applied" in operator.says("log", "show", "--from", "2")


def test_what_is_received_is_shown_parsed_and_its_evidence_readable(operator: Operator) -> None:
    position = operator.receive(FOLLOW)
    (line,) = operator.lines("--from", str(position))
    assert line["activity"] == json.loads(FOLLOW)
    assert "raw" not in line["event"]
    assert line["event"]["evidence"]["signed_lines"] == "date: now"
    assert line["event"]["evidence"]["signature"] == {"base64": "/wA="}


def test_what_arrived_and_waits_is_said_in_a_sentence(operator: Operator) -> None:
    position = operator.receive(FOLLOW)
    arrived = (
        f"event {position}, 2026-11-21 12:00:00: https://b.test/users/bob's Follow of "
        "http://localhost:3999/ap/users/9 arrived by /inbox; "
    )
    assert operator.says("log", "show", "--from", str(position)) == f"{arrived}not interpreted yet\n"
    operator.project()
    assert operator.says("log", "show", "--from", str(position)) == f"{arrived}waits for https://b.test/users/bob\n"


@pytest.mark.parametrize(
    ("chosen", "shown"),
    [
        (("--actor", "admin"), {2, 3}),
        (("--actor", "@admin@localhost:3999"), {2, 3}),
        (("--actor", "https://b.test/users/bob"), {4}),
        (("--object", "https://b.test/follows/1"), {4}),
        (("--object", "http://localhost:3999/ap/users/9"), {4}),
        (("--host", "B.test"), {4}),
        (("--topic", "instance.founded"), {1}),
        (("--from", "2", "--to", "3"), {2, 3}),
        (("--limit", "2"), {1, 2}),
        (("--host", "b.test", "--actor", "admin"), set()),
    ],
)
def test_events_are_chosen(operator: Operator, chosen: tuple[str, ...], shown: set[int]) -> None:
    assert operator.receive(FOLLOW) == 4
    operator.project()
    assert {line["position"] for line in operator.lines(*chosen)} == shown


def test_an_account_is_chosen_by_its_id(operator: Operator) -> None:
    operator.project()
    _, registered, _ = operator.lines()
    assert [line["position"] for line in operator.lines("--actor", registered["event"]["account"])] == [2, 3]


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (("--actor", "nobody"), "Nobody is known here as 'nobody'."),
        (("--object", "xyz"), "Nothing is known here as 'xyz'."),
        (("--topic", "post.eaten"), "There is no kind of event called 'post.eaten'"),
        (("--limit", "0"), "--limit must be at least 1, not 0."),
        (("--from", "3", "--to", "2"), "--from must not be behind --to, and 3 is behind 2."),
    ],
)
def test_what_cannot_be_chosen_is_refused_in_a_sentence(operator: Operator, chosen: tuple[str, ...], said: str) -> None:
    assert operator.refused("log", "show", *chosen).startswith(f"daybook: {said}")


def test_that_nothing_was_chosen_is_said_beside_the_output(operator: Operator) -> None:
    done = operator.run("log", "show", "--json", "--from", "4")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "no events\n")


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        (
            {
                "DATABASE_URL": "postgresql://x@127.0.0.1:1/x",
                "DAYBOOK_DATABASE_APP_URL": "postgresql://x@127.0.0.1:1/x",
            },
            "check DATABASE_URL.",
        ),
        ({"DAYBOOK_MASTER_KEY": "00" * 32}, "The master key is not the one that this database was made with."),
    ],
)
def test_a_log_that_cannot_be_read_is_told_with_what_to_mend(
    operator: Operator, environ: dict[str, str], said: str
) -> None:
    operator.environ.update(environ)
    assert operator.refused("log", "show").endswith(said)


def test_nothing_that_a_stranger_sends_breaks_a_line_or_reaches_the_terminal(operator: Operator) -> None:
    for number, raw in enumerate(HOSTILE):
        operator.receive(raw, stream=f"activity:{number}", signer="https://b.test/\x9b2J")
    operator.project()
    assert len(operator.lines("--from", "4")) == len(HOSTILE)
    shown = operator.says("log", "show", "--from", "4") + operator.says("log", "show", "--from", "4", "--json")
    assert shown.count("\n") == 2 * len(HOSTILE)
    assert all(character.isprintable() for character in shown.replace("\n", ""))


def test_an_event_whose_key_was_destroyed_is_said_to_be_unreadable(operator: Operator) -> None:
    position = operator.receive(FOLLOW)
    with psycopg.connect(operator.settings.database_url or "") as owner:
        owner.execute("DELETE FROM keys.event_keys WHERE position = %s", [position])
    (line,) = operator.lines("--from", str(position))
    assert line["unreadable"] == "the key was destroyed"
    assert "that can't be read: the key was destroyed" in operator.says("log", "show", "--from", str(position))


def test_the_tail_shows_what_is_appended_until_ctrl_c(operator: Operator) -> None:
    process = subprocess.Popen(
        operator.command("log", "tail", "--last", "1"), env=operator.environ, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline().startswith("event 3, ")
        position = operator.receive(FOLLOW)
        assert process.stdout.readline().startswith(f"event {position}, ")
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT_S) == 0
        assert process.stdout.read() == ""
