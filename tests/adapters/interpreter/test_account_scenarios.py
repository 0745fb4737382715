"""Moving, featuring and being gone, one rule a test."""

from datetime import timedelta
from typing import Any

import msgspec

from adapters.interpreter.settle_accounts import MOVES_APART
from domain.account import AccountDeleted, AccountMoved, Profile, ProfileChanged
from domain.pin import PostPinned, PostUnpinned
from domain.post import PostPublished
from tests.adapters.interpreter.memory import Story
from tests.adapters.interpreter.peers import (
    ALICE,
    ANN,
    BEN,
    LOCAL,
    MAL,
    OURS,
    START,
    act,
    actor,
    at,
    create,
    delete,
    fetched,
    follow,
    local,
    note,
    received,
    registered,
    undo,
    update,
)

POST = "https://good.test/n/1"
OWN_POST = f"{ALICE}/statuses/9"
FEATURED = f"{ANN}/featured"
ANN_DOCUMENT = fetched(ANN, actor(ANN, featured=FEATURED))
BEN_DOCUMENT = fetched(BEN, actor(BEN))
ANNS_POST = received(ANN, create(POST, ANN))
LEAVES = received(ANN, act("Delete", ANN, ANN, "delete"))


def moves(to: str = MAL, who: str = ANN) -> tuple[str, Any]:
    return received(who, act("Move", who, who, "move", target=to))


def named(uri: str, *aliases: str) -> tuple[str, Any]:
    """The document of an account that says which others are the same person's."""
    return fetched(uri, actor(uri, alsoKnownAs=list(aliases)))


def feature(kind: str = "Add", what: object = POST, target: str = FEATURED, who: str = ANN) -> tuple[str, Any]:
    return received(who, act(kind, who, what, "a1", target=target))


def last(story: Story) -> Any:
    return story.placed[-1].outcome


# Move


def test_an_account_moves_to_one_that_names_it() -> None:
    story = Story(ANN_DOCUMENT, named(MAL, ANN))
    assert story.tell(moves()) == ["applied"]
    ann, mal = story.state.ids[ANN] or 0, story.state.ids[MAL] or 0
    assert (last(story).actor, last(story).object) == (ann, mal)
    assert last(story).event == AccountMoved(account=ann, target=mal, moved_at=at(3))
    assert story.tell(moves()) == ["duplicate"]


def test_a_move_waits_for_an_unknown_target() -> None:
    story = Story(ANN_DOCUMENT, moves())
    assert story.waiting() == {2: MAL}
    assert story.tell(named(MAL, BEN, ANN)) == ["applied", "applied"]
    assert last(story).event.moved_at == at(2)


def test_a_move_to_one_that_did_not_name_it_waits_for_its_next_document_and_for_no_second() -> None:
    story = Story(ANN_DOCUMENT, named(MAL, BEN), moves())
    assert story.waiting() == {3: MAL}
    assert story.tell(received(MAL, act("Update", MAL, actor(MAL, alsoKnownAs=ANN)))) == ["applied", "applied"]
    story = Story(ANN_DOCUMENT, named(MAL, BEN), moves(), named(MAL))
    assert story.places()[-1][4] == "refused: not named by where it moves"
    assert story.waiting() == {}


def test_only_the_target_s_last_word_counts() -> None:
    story = Story(ANN_DOCUMENT, named(MAL, ANN), named(MAL))
    story.tell(moves())
    assert story.waiting() == {4: MAL}


def test_a_move_to_one_of_ours_asks_what_that_says_here() -> None:
    story = Story(registered(ALICE), ANN_DOCUMENT)
    assert story.tell(moves(ALICE)) == ["refused: not named by where it moves"]
    profile = Profile(also_known_as=(ANN,))
    assert story.tell(local("account:1", ProfileChanged(account=LOCAL[ALICE], profile=profile)), moves(ALICE)) == [
        "applied",
        "applied",
    ]
    assert story.tell(moves(f"{OURS}/nobody", BEN), BEN_DOCUMENT)[-1] == "refused: no such account"


def test_an_account_stays_a_week_where_it_moved_to() -> None:
    story = Story(ANN_DOCUMENT, named(MAL, ANN), named(BEN, ANN), moves())
    assert story.tell(moves(BEN)) == ["refused: moved a short while ago"]
    stream, make = moves(BEN)
    late = stream, lambda when: msgspec.structs.replace(make(when), received_at=when + MOVES_APART)
    assert story.tell(late) == ["applied"]
    assert last(story).event.moved_at == at(6) + timedelta(days=7)


def test_a_move_to_what_is_no_account_or_gone_is_refused() -> None:
    story = Story(ANN_DOCUMENT, BEN_DOCUMENT, received(BEN, create(POST, BEN)), named(MAL, ANN))
    story.tell(received(MAL, act("Delete", MAL, MAL)))
    assert story.tell(moves(POST), moves(MAL)) == ["refused: wrong kind", "refused: gone"]


# Add and Remove


def test_an_author_features_a_post_of_their_own_and_takes_it_off() -> None:
    story = Story(ANN_DOCUMENT, ANNS_POST)
    assert story.tell(feature(), feature(), feature("Remove"), feature("Remove")) == [
        "applied",
        "duplicate",
        "applied",
        "duplicate",
    ]
    ann, post = story.state.ids[ANN] or 0, story.state.ids[POST] or 0
    assert [one.outcome.event for one in story.placed[2:5:2]] == [
        PostPinned(account=ann, post=post, pinned_at=at(3)),
        PostUnpinned(account=ann, post=post, unpinned_at=at(5)),
    ]


def test_only_what_the_actor_s_document_names_is_the_featured_collection() -> None:
    story = Story(ANN_DOCUMENT, BEN_DOCUMENT, ANNS_POST, received(BEN, create("https://good.test/n/2", BEN)))
    assert (
        story.tell(
            feature(target=f"{ANN}/likes"),
            feature(who=BEN),
            feature(who=BEN, what="https://good.test/n/2", target=f"{BEN}/featured"),
        )
        == ["refused: not the actor's featured collection"] * 3
    )


def test_an_add_waits_for_its_post_which_must_be_the_actor_s_and_for_more_than_those_addressed() -> None:
    story = Story(ANN_DOCUMENT, BEN_DOCUMENT, feature())
    assert story.waiting() == {3: POST}
    assert story.tell(received(BEN, create(POST, BEN))) == ["applied", "refused: not the owner"]
    story = Story(ANN_DOCUMENT, received(ANN, create(POST, ANN, to=[ALICE])))
    assert story.tell(feature(), feature(what=ANN)) == ["refused: not for showing", "refused: wrong kind"]


# Gone


def test_an_actor_deletes_itself_and_nothing_of_theirs_comes_of_anything_afterwards() -> None:
    story = Story(registered(ALICE), ANN_DOCUMENT, BEN_DOCUMENT, ANNS_POST, LEAVES)
    ann = story.state.ids[ANN] or 0
    assert last(story).event == AccountDeleted(account=ann, deleted_at=at(5))
    assert (
        story.tell(
            received(ANN, create("https://good.test/n/2", ANN)),
            received(ANN, update(POST, ANN)),
            received(ANN, delete(POST, ANN)),
            received(ANN, follow(ANN, ALICE)),
            received(ANN, act("Like", ANN, POST, "l1")),
            received(ANN, act("Update", ANN, actor(ANN))),
            fetched(ANN, actor(ANN, name="back")),
            fetched(POST, note(POST, ANN, updated="2026-04-30T15:00:00Z")),
        )
        == ["refused: gone"] * 8
    )
    assert story.tell(LEAVES) == ["duplicate"]


def test_the_posts_of_one_who_is_gone_are_gone() -> None:
    story = Story(ANN_DOCUMENT, BEN_DOCUMENT, ANNS_POST, received(BEN, act("Like", BEN, POST, "l1")), LEAVES)
    assert (
        story.tell(received(BEN, act("Like", BEN, POST, "l2")), received(BEN, act("Announce", BEN, POST, "b1")))
        == ["refused: gone"] * 2
    )
    assert story.tell(received(BEN, undo(BEN, f"{BEN}/l1"))) == ["applied"]


def test_an_actor_s_end_never_waits_and_settles_what_waited_for_them() -> None:
    story = Story(ANNS_POST, LEAVES)
    assert story.places() == [(2, 0, 2, "account.deleted", "tombstoned")]
    assert story.tell(ANN_DOCUMENT) == ["refused: gone", "refused: gone"]
    assert story.waiting() == {}


def test_what_waited_is_judged_as_of_what_released_it() -> None:
    story = Story(BEN_DOCUMENT, ANN_DOCUMENT, received(ANN, act("Like", ANN, "https://good.test/n/2", "l1")), LEAVES)
    assert story.tell(received(BEN, create("https://good.test/n/2", BEN))) == ["applied", "refused: gone"]


def test_nobody_deletes_another() -> None:
    story = Story(ANN_DOCUMENT, BEN_DOCUMENT)
    assert story.tell(received(BEN, act("Delete", BEN, ANN)), ANNS_POST) == ["refused: wrong kind", "applied"]


def test_one_of_ours_who_is_gone_can_t_be_followed_and_takes_their_posts_along() -> None:
    post = PostPublished(
        post=9 << 16, author=LOCAL[ALICE], uri=OWN_POST, url=OWN_POST, visibility="public", published_at=START
    )
    story = Story(registered(ALICE), ANN_DOCUMENT, local("post:9", post))
    story.tell(local("account:1", AccountDeleted(account=LOCAL[ALICE])))
    assert (last(story).actor, last(story).object) == (LOCAL[ALICE], LOCAL[ALICE])
    assert (
        story.tell(
            received(ANN, follow(ANN, ALICE)),
            received(ANN, act("Block", ANN, ALICE, "k1")),
            received(ANN, act("Like", ANN, OWN_POST, "l1")),
            received(ANN, act("Announce", ANN, OWN_POST, "b1")),
        )
        == ["refused: gone"] * 4
    )
