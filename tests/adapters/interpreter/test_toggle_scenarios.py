"""What favourites, boosts, blocks and their undoing come to, one rule a test."""

from typing import Any

import msgspec
import pytest

from domain.block import AccountBlocked
from domain.boost import PostBoosted, PostUnboosted
from domain.favourite import PostFavourited, PostUnfavourited
from domain.follow import FollowAccepted
from domain.post import Mention, PostEdited, PostPublished
from tests.adapters.interpreter.memory import Story
from tests.adapters.interpreter.peers import (
    ALICE,
    ANN,
    BEN,
    LOCAL,
    MAL,
    OURS,
    PUBLIC,
    START,
    act,
    actor,
    at,
    create,
    delete,
    fetched,
    follow,
    local,
    received,
    registered,
    undo,
)

POST = "https://good.test/n/1"
OWN_POST = f"{ALICE}/statuses/9"
ANN_DOCUMENT, BEN_DOCUMENT, MAL_DOCUMENT = (fetched(uri, actor(uri)) for uri in (ANN, BEN, MAL))
ANNS_POST = received(ANN, create(POST, ANN))


def own_post(uri: str = OWN_POST, visibility: Any = "public") -> tuple[str, Any]:
    post = PostPublished(post=9 << 16, author=LOCAL[ALICE], uri=uri, url=uri, visibility=visibility, published_at=START)
    return local("post:9", post)


def like(who: str = BEN, what: object = POST, name: str | None = "l1", kind: str = "Like") -> tuple[str, Any]:
    return received(who, act(kind, who, what, name))


def announce(who: str = BEN, what: object = POST, name: str | None = "b1", **more: Any) -> tuple[str, Any]:
    return received(who, act("Announce", who, what, name, **{"to": [PUBLIC], **more}))


def block(who: str = BEN, whom: str = ALICE, name: str | None = "k1") -> tuple[str, Any]:
    return received(who, act("Block", who, whom, name))


def there() -> Story:
    """Alice, Ann and Ben are known, and so is Ann's post."""
    return Story(registered(ALICE), ANN_DOCUMENT, BEN_DOCUMENT, ANNS_POST)


def last(story: Story) -> Any:
    return story.placed[-1].outcome.event


# Likes


def test_a_like_is_a_favourite_with_ids_and_the_time_of_receipt() -> None:
    story = there()
    assert story.tell(like()) == ["applied"]
    ids = story.state.ids
    assert last(story) == PostFavourited(
        account=ids[BEN] or 0, post=ids[POST] or 0, activity=f"{BEN}/l1", favourited_at=at(5)
    )


def test_a_reaction_is_a_like() -> None:
    story = there()
    assert story.tell(like(kind="EmojiReact"), like(ANN, name="l2")) == ["applied", "applied"]
    assert story.places()[-1][3] == "post.favourited"


def test_a_like_again_is_silent_and_its_id_undoes_all_the_same() -> None:
    story = there()
    assert story.tell(like(), like(), like(name="l2")) == ["applied", "duplicate", "duplicate"]
    assert story.tell(received(BEN, undo(BEN, f"{BEN}/l2"))) == ["applied"]
    assert last(story) == PostUnfavourited(
        account=story.state.ids[BEN] or 0, post=story.state.ids[POST] or 0, activity=f"{BEN}/l1", unfavourited_at=at(8)
    )
    assert story.tell(received(BEN, undo(BEN, f"{BEN}/l1")), like()) == ["duplicate", "applied"]


def test_a_like_waits_for_its_post_and_one_of_ours_can_t_come_later() -> None:
    story = Story(registered(ALICE), ANN_DOCUMENT, BEN_DOCUMENT, like())
    assert story.waiting() == {4: POST}
    assert story.tell(like(what=OWN_POST, name="l2")) == ["refused: no such post"]
    assert story.tell(ANNS_POST) == ["applied", "applied"]
    assert last(story).favourited_at == at(4)
    assert story.tell(own_post(), like(what=OWN_POST, name="l3")) == ["applied", "applied"]


def test_like_undo_like_all_parked_ends_as_on() -> None:
    story = Story(BEN_DOCUMENT, like(), received(BEN, undo(BEN, f"{BEN}/l1")), like(), ANN_DOCUMENT)
    assert story.waiting() == {2: POST, 3: f"{BEN}/l1", 4: POST}
    story.tell(ANNS_POST)
    assert [place[3:] for place in story.places()[-3:]] == [
        ("post.favourited", "applied"),
        ("post.unfavourited", "applied"),
        ("post.favourited", "applied"),
    ]


def test_a_like_of_what_is_no_post_or_gone_is_refused() -> None:
    story = there()
    story.tell(received(BEN, follow(BEN, ALICE)), announce(ANN), received(ANN, create("https://good.test/n/2", ANN)))
    story.tell(received(ANN, delete("https://good.test/n/2", ANN)))
    assert story.tell(
        like(what=ANN),
        like(what=f"{BEN}/f1"),
        like(what=f"{ANN}/b1"),
        like(what="https://good.test/n/2"),
        like(what="acct:ann@good.test"),
        like(what=f"{BEN}/l1"),
    ) == [
        "refused: wrong kind",
        "refused: wrong kind",
        "refused: wrong kind",
        "refused: gone",
        "refused: object id is no usable address",
        "refused: refers to itself",
    ]


def test_an_id_that_names_something_else_can_t_be_a_like_s() -> None:
    story = there()
    story.tell(received(BEN, follow(BEN, ALICE, "f1")), announce())
    assert story.tell(like(name="f1"), like(name="b1"), like(ANN, name=None)) == [
        "refused: its id names something else",
        "refused: its id names something else",
        "applied",
    ]


def test_our_own_boost_s_uri_names_no_post() -> None:
    story = there()
    boosted = PostBoosted(
        boost=12 << 16,
        account=LOCAL[ALICE],
        post=story.state.ids[POST] or 0,
        uri=f"{ALICE}/statuses/12/activity",
        visibility="public",
        boosted_at=START,
    )
    story.tell(local("boost:1", boosted))
    assert (story.placed[-1].outcome.actor, story.placed[-1].outcome.object) == (LOCAL[ALICE], story.state.ids[POST])
    assert story.tell(like(what=boosted.uri)) == ["refused: wrong kind"]
    assert story.tell(received(BEN, undo(BEN, boosted.uri))) == ["refused: undone id of another origin"]


@pytest.mark.parametrize(
    ("visibility", "audience", "follows", "verdict"),
    [
        ("unlisted", (), False, "applied"),
        ("private", (), False, "refused: not for the actor to see"),
        ("private", (), True, "applied"),
        ("private", (BEN,), False, "applied"),
        ("direct", (), True, "refused: not for the actor to see"),
        ("direct", (BEN,), False, "applied"),
    ],
)
def test_nobody_likes_what_they_could_not_see_of_ours(
    visibility: Any, audience: tuple[str, ...], follows: bool, verdict: str
) -> None:
    story = Story(registered(ALICE), BEN_DOCUMENT)
    ben, asks = story.state.ids[BEN] or 0, act("Follow", BEN, ALICE, "f1")
    if follows:
        story.tell(received(BEN, asks))
        story.tell(local("follow:1", FollowAccepted(follower=ben, followee=LOCAL[ALICE], request=asks["id"])))
    stream, make = own_post(visibility=visibility)
    addressed = msgspec.structs.replace(make(START), audience=audience)
    assert story.tell(local(stream, addressed), like(what=OWN_POST)) == ["applied", verdict]


def test_whom_an_edit_mentions_may_like_what_is_addressed_to_few() -> None:
    story = Story(registered(ALICE), BEN_DOCUMENT, own_post(visibility="direct"))
    assert story.tell(like(what=OWN_POST)) == ["refused: not for the actor to see"]
    edited = PostEdited(post=9 << 16, author=LOCAL[ALICE], edited_at=START, mentions=(Mention(BEN),))
    assert story.tell(local("post:9", edited), like(what=OWN_POST, name="l2")) == ["applied", "applied"]


# Boosts


@pytest.mark.parametrize(
    ("addresses", "visibility"),
    [
        ({"to": [PUBLIC]}, "public"),
        ({"to": [f"{BEN}/followers"], "cc": [PUBLIC]}, "unlisted"),
        ({"to": [f"{BEN}/followers"]}, "private"),
        ({"to": [ALICE]}, "private"),
        ({"to": None}, "private"),
    ],
)
def test_an_announce_is_a_boost_with_an_id_of_its_own_as_far_as_it_is_addressed(
    addresses: dict[str, Any], visibility: str
) -> None:
    story = there()
    assert story.tell(announce(**addresses)) == ["applied"]
    assert last(story) == PostBoosted(
        boost=story.state.ids[f"{BEN}/b1"] or 0,
        account=story.state.ids[BEN] or 0,
        post=story.state.ids[POST] or 0,
        uri=f"{BEN}/b1",
        visibility=visibility,
        boosted_at=at(5),
    )
    assert last(story).boost > 0


def test_a_boost_that_waited_keeps_its_time_and_its_reach() -> None:
    story = Story(ANN_DOCUMENT, BEN_DOCUMENT, announce(to=[f"{BEN}/followers"]))
    assert story.waiting() == {3: POST}
    story.tell(ANNS_POST)
    assert (last(story).boosted_at, last(story).visibility) == (at(3), "private")


def test_an_announce_never_vouches_for_what_it_embeds() -> None:
    false = {"id": POST, "type": "Note", "attributedTo": ANN, "content": "never said", "to": [PUBLIC]}
    story = Story(ANN_DOCUMENT, BEN_DOCUMENT, announce(what=false))
    assert story.waiting() == {3: POST}


def test_an_announce_of_an_activity_is_not_understood() -> None:
    inner = act("Create", ANN, {"id": POST, "type": "Note"}, "c1")
    assert there().tell(announce(what=inner), announce(what=[POST, POST])) == [
        "not understood: Announce of Create",
        "not understood: Announce of several objects",
    ]


@pytest.mark.parametrize("to", [[f"{ANN}/followers"], [ALICE]])
def test_a_boost_of_what_is_not_for_everybody_is_refused_but_one_s_own_for_followers(to: list[str]) -> None:
    story = Story(registered(ALICE), ANN_DOCUMENT, BEN_DOCUMENT, received(ANN, create(POST, ANN, to=to)))
    own = "applied" if to == [f"{ANN}/followers"] else "refused: not for passing on"
    assert story.tell(announce(), announce(ANN)) == ["refused: not for passing on", own]


def test_a_boost_of_ours_is_judged_by_what_its_author_chose() -> None:
    story = Story(registered(ALICE), BEN_DOCUMENT, own_post(visibility="private"), announce(what=OWN_POST))
    assert story.places()[-1][4] == "refused: not for passing on"


def test_an_undone_boost_names_the_boost_that_stood() -> None:
    story = there()
    story.tell(announce(), announce(name="b2"))
    assert story.tell(received(BEN, undo(BEN, act("Announce", BEN, POST, "b2")))) == ["applied"]
    assert last(story) == PostUnboosted(
        boost=story.state.ids[f"{BEN}/b1"] or 0,
        account=story.state.ids[BEN] or 0,
        post=story.state.ids[POST] or 0,
        uri=f"{BEN}/b1",
        unboosted_at=at(7),
    )


def test_a_boost_that_was_undone_does_not_come_back_by_a_retry_but_with_a_new_id() -> None:
    story = there()
    story.tell(announce(), received(BEN, undo(BEN, f"{BEN}/b1")))
    assert story.tell(announce(), announce(name="b2")) == ["duplicate", "applied"]


def test_a_boost_stays_of_what_it_was_of_whatever_else_is_announced_by_its_id() -> None:
    story = there()
    story.tell(received(ANN, create("https://good.test/n/2", ANN)), announce())
    assert story.tell(announce(what="https://good.test/n/2")) == ["duplicate"]
    assert story.tell(received(BEN, undo(BEN, f"{BEN}/b1"))) == ["applied"]
    assert last(story).post == story.state.ids[POST]


# Blocks


def test_a_block_of_one_of_ours_and_its_undoing() -> None:
    story = there()
    assert story.tell(block(), block(name="k2"), block(whom=MAL, name="k3"), block(whom=f"{OURS}/x")) == [
        "applied",
        "duplicate",
        "refused: not ours",
        "refused: no such account",
    ]
    assert story.placed[4].outcome.event == AccountBlocked(
        blocker=story.state.ids[BEN] or 0, blocked=LOCAL[ALICE], activity=f"{BEN}/k1", blocked_at=at(5)
    )
    assert story.tell(received(BEN, undo(BEN, act("Block", BEN, ALICE, "k9")))) == ["applied"]
    assert story.places()[-1][3] == "account.unblocked"


# Undo


@pytest.mark.parametrize("kind", ["Like", "EmojiReact", "Announce", "Block"])
@pytest.mark.parametrize("how", ["bare", "embedded", "by its ends", "untyped"])
def test_an_undo_is_of_what_its_id_names_or_of_what_stands_between_its_ends(kind: str, how: str) -> None:
    story = there()
    done = act(kind, BEN, ALICE if kind == "Block" else POST, "x1")
    undone = {
        "bare": done["id"],
        "embedded": done,
        "by its ends": {**done, "id": f"{BEN}/rewritten"},
        "untyped": {"id": done["id"]},
    }[how]
    assert story.tell(received(BEN, done), received(BEN, undo(BEN, undone))) == ["applied", "applied"]
    assert story.placed[-1].outcome.object == story.placed[-2].outcome.object


def test_an_undo_before_its_original_leaves_no_effect_of_both() -> None:
    story = there()
    story.tell(received(BEN, undo(BEN, act("Like", BEN, POST, "l1"))))
    assert story.waiting() == {5: f"{BEN}/l1"}
    assert story.tell(like()) == ["applied", "applied"]
    assert story.tell(like(name="l2")) == ["applied"]


def test_an_undo_by_another_or_of_another_kind_is_refused() -> None:
    story = there()
    story.tell(like(), MAL_DOCUMENT)
    assert story.tell(
        received(ANN, undo(ANN, f"{BEN}/l1")),
        received(ANN, undo(ANN, act("Like", BEN, POST, "l1"))),
        received(MAL, undo(MAL, f"{BEN}/l1")),
        received(BEN, undo(BEN, act("Announce", BEN, POST, "l1"))),
        received(BEN, undo(BEN, act("Flag", BEN, POST, "l1"))),
        received(BEN, undo(BEN, {"type": "Like", "actor": BEN})),
    ) == [
        "refused: not the actor's to undo",
        "refused: not the actor's to undo",
        "refused: undone id of another origin",
        "refused: wrong kind",
        "not understood: Undo of Flag",
        "refused: nothing to undo",
    ]
