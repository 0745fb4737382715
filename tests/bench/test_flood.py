"""The flood runs, at a size at which its figures mean nothing, and its verdict is what it says."""

import random
import subprocess
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec

from bench.crowd import Crowd, author_uri
from bench.flood import Flood, Noted, table
from bench.memory import Memory
from bench.mixture import KINDS, RECENT, Mixture

ROOT = Path(__file__).parents[2]
PROCESSES = {"serve", "behind", "up", "valkey", "postgres"}
DICE = partial(random.Random, 7)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_flood_is_accepted_and_tells_what_each_process_had(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.flood", "--activities", "300", "--data", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    flood = msgspec.json.decode((tmp_path / "flood.json").read_bytes(), type=Flood)
    # A machine that is busy with other things may have some of them told to come again.
    assert sum(flood.inbox.values()) == 300 and set(flood.inbox) <= {202, 503}
    assert set(flood.clients) <= {200, 503}
    assert [note.activities for note in flood.notes] == [50, 100, 150, 200, 250, 300]
    assert all(set(note.parts) == PROCESSES for note in flood.notes)
    assert all(memory.pss_mb > 0 for note in flood.notes for memory in note.parts.values())


def test_a_process_is_flat_within_a_tenth_of_what_it_had_after_the_first_tenth() -> None:
    assert verdict([100.0] * 50 + [111.0] * 50) == "grew"
    assert verdict([100.0] * 50 + [109.0] * 50) == "flat"
    assert verdict([100.0] * 50 + [80.0] * 50) == "shrank"
    # What comes before is warming up, and one high moment is no growth.
    assert verdict([10.0] * 10 + [100.0] * 85 + [500.0] + [100.0] * 4) == "flat"


def test_a_process_is_judged_by_all_that_it_has_and_postgresql_by_what_its_processes_have_together() -> None:
    shared = [Memory(pss_mb, 100.0) for pss_mb in [50.0] * 50 + [90.0] * 50]
    assert verdicts({"serve": shared, "postgres": shared}) == {"serve": "flat", "postgres": "grew"}


def test_the_mixture_is_about_what_was_said_and_asked_lately_and_forgets_the_rest() -> None:
    mixture = Mixture(DICE(), ["http://here.test/ap/users/1"], lambda: NOW)
    said: list[str] = []
    asked: list[str] = []
    for number in range(3 * RECENT):
        said += [mixture.activity("Create", number)["object"]["id"], f"http://here.test/{number}"]
        mixture.said_here(said[-1])
        asked.append(mixture.activity("Follow", number)["id"])
    assert {mixture.activity("Like", 1)["object"] for _ in range(1_000)} <= set(said[-2 * RECENT :])
    assert {mixture.activity("Undo", 1)["object"]["id"] for _ in range(200)} <= set(asked[-RECENT:])


def test_the_mixture_has_every_kind() -> None:
    mixture = Mixture(DICE(), ["http://here.test/ap/users/1"], lambda: NOW)
    made = {mixture.activity(mixture.kind(), number)["type"] for number in range(2_000)}
    assert made == set(KINDS)


def test_the_crowd_accepts_the_follows_that_it_is_sent() -> None:
    crowd = Crowd("http://localhost:3000", ["http://localhost:3000/ap/users/1"])
    follow = {"id": "http://localhost:3000/f/1", "type": "Follow", "actor": "…", "object": author_uri(3)}
    assert crowd.answer("/inbox", msgspec.json.encode(follow)) == b""
    accept = msgspec.json.decode(next(crowd.activities()).partition(b"\r\n\r\n")[2])
    assert (accept["type"], accept["actor"], accept["object"]["id"]) == ("Accept", author_uri(3), follow["id"])


def test_the_crowd_hands_out_an_actor_with_the_key_that_signs_and_nothing_else() -> None:
    crowd = Crowd("http://localhost:3000", ["http://localhost:3000/ap/users/1"])
    document = msgspec.json.decode(crowd.answer("/users/author3", b"") or b"")
    assert document["id"] == author_uri(3) == document["publicKey"]["owner"]
    assert crowd.answer("/users/author3/outbox", b"") is None


def verdict(rss_mb: list[float]) -> str:
    return verdicts({"serve": [Memory(0.0, size) for size in rss_mb]})["serve"]


def test_a_process_that_had_to_be_started_again_is_not_called_flat() -> None:
    assert verdicts({"serve": [Memory(0.0, 100.0, (1 + number // 50,)) for number in range(100)]}) == {
        "serve": "started anew"
    }


def verdicts(seen: dict[str, list[Memory]]) -> dict[str, str]:
    steps = range(len(seen["serve"]))
    notes = [Noted(step, 0.0, 0.0, 0, {part: sizes[step] for part, sizes in seen.items()}) for step in steps]
    cells = [line.strip("| ").split(" | ") for line in table(notes).splitlines()[2:]]
    return {row[0]: row[-1] for row in cells}
