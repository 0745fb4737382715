"""Whatever the order in which activities come, they come to the same in the end (security E03)."""

import random
from collections.abc import Sequence
from itertools import permutations
from typing import Any

from tests.adapters.interpreter.memory import Story
from tests.adapters.interpreter.peers import (
    ALICE,
    ANN,
    BEN,
    PUBLIC,
    act,
    actor,
    create,
    delete,
    fetched,
    follow,
    note,
    received,
    registered,
    undo,
    update,
)

POST = "https://good.test/n/1"
ANNS = (
    received(ANN, create(POST, ANN)),
    received(ANN, update(POST, ANN, "2026-04-30T13:00:00Z")),
    received(ANN, update(POST, ANN, "2026-04-30T14:00:00Z")),
)
BENS = (
    received(BEN, act("Like", BEN, POST, "l1")),
    received(BEN, act("Announce", BEN, POST, "b1", to=[PUBLIC])),
    received(BEN, undo(BEN, act("Like", BEN, POST, "l1"))),
)
DOCUMENTS = (fetched(ANN, actor(ANN)), fetched(BEN, actor(BEN)))
SAMPLE = 300


def told(entries: Sequence[tuple[str, Any]]) -> Story:
    return Story(registered(ALICE), *entries)


def end_of(story: Story) -> tuple[Any, ...]:
    """What shows of the post: whether it is gone, which version, who likes it, who boosts it, and what still waits."""
    post, ids = story.state.known[POST], story.state.ids
    assert post is not None
    ends = ids[BEN] or 0, ids[POST] or 0
    liked, boosted = (story.state.stands((kind, *ends)) for kind in ("favourite", "boost"))
    waiting = len(story.waiting())
    # The Undo of a Like that came too late waits for it until it is expired.
    return (True,) if post.gone else (False, post.updated, liked, boosted, waiting)


def shuffled(entries: Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
    dice = random.SystemRandom()
    return dice.sample(list(entries), len(entries))


def test_a_post_its_edits_and_what_is_done_to_it_in_any_order() -> None:
    ends = {end_of(told([*DOCUMENTS, *order])) for order in permutations((*ANNS, *BENS))}
    assert len(ends) == 1
    gone, updated, liked, boosted, waiting = ends.pop()
    assert (gone, updated.hour, liked, boosted, waiting) == (False, 14, False, True, 0)


def test_with_their_authors_and_a_fetch_among_them_too() -> None:
    every = (*DOCUMENTS, *ANNS, *BENS, fetched(POST, note(POST, ANN)))
    ends = {end_of(told(shuffled(every))) for _ in range(SAMPLE)}
    assert len(ends) == 1


def test_what_is_deleted_is_gone_wherever_the_delete_comes() -> None:
    every = (*DOCUMENTS, *ANNS, *BENS, received(ANN, delete(POST, ANN)), fetched(POST, note(POST, ANN)))
    assert {end_of(told(shuffled(every))) for _ in range(SAMPLE)} == {(True,)}


def test_a_follow_and_its_undoing_leave_none_in_either_order() -> None:
    asks = follow(BEN, ALICE)
    every = (received(BEN, asks), received(BEN, undo(BEN, asks["id"])), DOCUMENTS[1])
    for order in permutations(every):
        story = told(order)
        assert (story.stage(BEN, ALICE), story.waiting()) == ("none", {})
