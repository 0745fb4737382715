"""How long something waits, and how much may wait for one thing."""

from typing import Any

from adapters.interpreter.state import WAITING_MAX
from domain.waiting import WaitingExpired
from tests.adapters.interpreter.memory import Story
from tests.adapters.interpreter.peers import (
    ALICE,
    ANN,
    BEN,
    START,
    act,
    actor,
    create,
    fetched,
    local,
    received,
    registered,
    undo,
    update,
)

POST, OTHER = "https://good.test/n/1", "https://good.test/n/2"
ANN_DOCUMENT, BEN_DOCUMENT = fetched(ANN, actor(ANN)), fetched(BEN, actor(BEN))


def like(number: int = 1, what: str = POST) -> tuple[str, Any]:
    return received(BEN, act("Like", BEN, what, f"l{number}"))


def unlike(number: int = 1) -> tuple[str, Any]:
    return received(BEN, undo(BEN, f"{BEN}/l{number}", f"undo{number}"))


def expired(*positions: int) -> tuple[str, Any]:
    return local("waiting:1", WaitingExpired(positions=positions, expired_at=START))


def test_what_has_waited_too_long_is_a_fact_that_says_so_where_it_was_given_up() -> None:
    story = Story(BEN_DOCUMENT, like(), like(2, OTHER))
    assert story.tell(expired(2)) == ["applied", "expired"]
    assert story.places()[-1] == (4, 1, 2, "post.favourited", "expired")
    assert story.waiting() == {3: OTHER}
    assert story.tell(ANN_DOCUMENT, received(ANN, create(POST, ANN))) == ["applied", "applied"], "it was settled again"


def test_only_what_still_waits_is_given_up() -> None:
    story = Story(BEN_DOCUMENT, ANN_DOCUMENT, like(), received(ANN, create(POST, ANN)))
    assert story.tell(expired(3, 4, 99), expired(3)) == ["applied", "applied"]


def test_what_waits_behind_something_given_up_is_settled_without_it() -> None:
    story = Story(received(ANN, create(POST, ANN)), BEN_DOCUMENT, like(), unlike())
    assert story.waiting() == {1: ANN, 3: POST, 4: f"{BEN}/l1"}
    assert story.tell(expired(3)) == ["applied", "expired"]
    assert story.waiting() == {1: ANN, 4: f"{BEN}/l1"}, "an Undo waits for another Like of that id"
    assert story.tell(expired(1, 4)) == ["applied", "expired", "expired"]
    assert story.waiting() == {}


def test_no_more_than_so_many_wait_for_one_thing() -> None:
    story = Story(BEN_DOCUMENT, ANN_DOCUMENT, *(like(number) for number in range(WAITING_MAX)))
    assert len(story.waiting()) == WAITING_MAX
    assert story.tell(like(WAITING_MAX), like(WAITING_MAX + 1)) == ["refused: too many wait"] * 2
    assert story.tell(like(WAITING_MAX + 2, OTHER)) == [], "another thing has room"
    assert story.tell(expired(3)) == ["applied", "expired"]
    assert story.tell(like(WAITING_MAX)) == [], "one gave way"
    verdicts = story.tell(received(ANN, create(POST, ANN)))
    assert verdicts == ["applied"] * 2 + ["duplicate"] * (WAITING_MAX - 1)


def test_what_is_released_into_a_crowd_is_refused() -> None:
    crowd = [received(ANN, update(POST, ANN, f"2026-04-30T13:00:00.{number:06}Z")) for number in range(WAITING_MAX)]
    story = Story(registered(ALICE), ANN_DOCUMENT, like(), *crowd)
    assert len(story.waiting()) == WAITING_MAX + 1
    assert story.tell(BEN_DOCUMENT) == ["applied", "refused: too many wait"]
