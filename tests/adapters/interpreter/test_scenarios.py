"""What each kind of activity comes to, one rule a test: a wrong order is just as deterministic as a right one."""

import msgspec
import pytest

from adapters.interpreter.settle import settle
from adapters.interpreter.state import NotLookedUp, State
from domain.follow import FollowAccepted, FollowEnded, FollowRequested
from domain.post import PostDeleted, PostPublished
from tests.adapters.interpreter.memory import Story
from tests.adapters.interpreter.peers import (
    ALICE,
    ANN,
    BEN,
    BOB,
    LOCAL,
    MAL,
    OURS,
    START,
    actor,
    again,
    answer,
    create,
    delete,
    fetched,
    follow,
    local,
    log_of,
    received,
    registered,
    undo,
    update,
)

POST = "https://good.test/n/1"
OTHER = "https://good.test/n/2"
REQUEST = f"{OURS}/ap/follows/1"
ANN_DOCUMENT = fetched(ANN, actor(ANN))
BEN_DOCUMENT = fetched(BEN, actor(BEN))
MAL_DOCUMENT = fetched(MAL, actor(MAL))


def asked(story: Story) -> tuple[str, object]:
    """Alice's own request to follow Ann, as her command decided it."""
    event = FollowRequested(follower=LOCAL[ALICE], followee=story.state.ids[ANN] or 0, request=REQUEST)
    return local(f"follow:{LOCAL[ALICE]}:ann", event)


def following() -> Story:
    """Ann follows Alice, and Alice has agreed."""
    story = Story(registered(ALICE), ANN_DOCUMENT, received(ANN, follow(ANN, ALICE)))
    ann = story.state.ids[ANN] or 0
    accepted = FollowAccepted(follower=ann, followee=LOCAL[ALICE], request=f"{ANN}/f1")
    assert story.tell(local("follow:ann:alice", accepted)) == ["applied"]
    return story


# Waiting and its order


def test_what_came_before_its_actor_waits_and_is_settled_at_the_position_that_releases_it() -> None:
    story = Story(received(ANN, create(POST, ANN)))
    assert story.waiting() == {1: ANN}
    story.tell(ANN_DOCUMENT)
    assert story.places() == [(2, 0, 2, "account.registered", "applied"), (2, 1, 1, "post.published", "applied")]


def test_all_that_is_released_at_one_position_is_settled_by_order_of_receipt_not_breadth_first() -> None:
    # The first edit has to wait for the post once more; breadth first it would come after the second, as outdated.
    story = Story(
        received(ANN, update(POST, ANN, "2026-04-30T13:00:00Z")),
        received(ANN, create(POST, ANN)),
        received(ANN, update(POST, ANN, "2026-04-30T14:00:00Z")),
        received(ANN, create(OTHER, ANN)),
        ANN_DOCUMENT,
    )
    assert [place[2] for place in story.places()] == [5, 2, 1, 3, 4]
    assert {place[4] for place in story.places()} == {"applied"}


def test_follow_undo_follow_all_parked_ends_as_requested() -> None:
    asks = follow(ANN, ALICE)
    story = Story(
        registered(ALICE),
        received(ANN, asks),
        received(ANN, undo(ANN, asks)),
        received(ANN, asks),
        ANN_DOCUMENT,
    )
    assert [place[4] for place in story.places()] == ["applied"] * 5
    assert story.stage(ANN, ALICE) == "requested"


def test_an_undo_that_waits_for_its_follow_is_settled_before_a_later_undo_of_the_same() -> None:
    asks = follow(ANN, ALICE)
    story = Story(registered(ALICE), ANN_DOCUMENT, received(ANN, undo(ANN, asks["id"])))
    assert story.waiting() == {3: asks["id"]}
    assert story.tell(received(ANN, asks)) == ["applied", "applied"]
    assert story.stage(ANN, ALICE) == "none"


def test_a_chain_of_waiting_is_released_at_once() -> None:
    story = Story(received(ANN, update(POST, ANN)), received(ANN, create(POST, ANN)))
    assert story.waiting() == {1: ANN, 2: ANN}
    assert story.tell(ANN_DOCUMENT) == ["applied", "applied", "applied"]
    # The edit asked again, waited for the post, and the post's coming released it.
    assert [place[2] for place in story.places()] == [3, 2, 1]


def test_a_parent_never_blocks_a_reply() -> None:
    story = Story(ANN_DOCUMENT)
    assert story.tell(received(ANN, create(OTHER, ANN, inReplyTo=POST))) == ["applied"]
    assert story.placed[-1].outcome.parent is None


def test_a_reply_to_a_known_post_names_its_id() -> None:
    story = Story(ANN_DOCUMENT, received(ANN, create(POST, ANN)))
    story.tell(received(ANN, create(OTHER, ANN, inReplyTo=POST)))
    assert story.placed[-1].outcome.parent == story.state.ids[POST]


def test_a_known_uri_never_parks_anything() -> None:
    story = Story(ANN_DOCUMENT)
    own = actor(ANN) | {"id": ANN, "type": "Note", "attributedTo": ANN}
    assert story.tell(received(ANN, update(ANN, ANN) | {"object": own})) == ["refused: refers to itself"]
    story = Story(registered(ALICE), ANN_DOCUMENT, received(ANN, follow(ANN, ALICE)))
    assert story.tell(received(ANN, update(f"{ANN}/f1", ANN))) == ["refused: wrong kind"]
    assert story.waiting() == {}


def test_an_unknown_post_behind_a_refused_create_stays_parked_and_loses_nothing() -> None:
    story = Story(ANN_DOCUMENT, received(ANN, update(POST, ANN)))
    assert story.tell(received(ANN, create(POST, BEN))) == ["unproven"]
    assert story.waiting() == {2: POST}


def test_a_self_reference_is_refused() -> None:
    story = Story(registered(ALICE), ANN_DOCUMENT)
    assert (
        story.tell(
            received(ANN, create(POST, ANN, inReplyTo=POST)),
            received(ANN, undo(ANN, f"{ANN}/undo")),
            received(ANN, follow(ANN, ALICE) | {"object": f"{ANN}/f1"}),
        )
        == ["refused: refers to itself"] * 3
    )
    assert story.waiting() == {}


NOWHERE = "https://nowhere.test/u/x"


def undo_behind(followee: str) -> Story:
    """Ann follows Alice; another request of hers is parked for something else; then she takes that request back."""
    story = following()
    parked = Story(received(ANN, follow(ANN, followee, "f2"))).state.parked[1]
    story.state.seed([NOWHERE, followee, f"{ANN}/f2"])
    claim = msgspec.structs.replace(parked.claim, position=4)
    story.state.park(msgspec.structs.replace(parked, claim=claim, waits_for=NOWHERE))
    assert story.tell(received(ANN, undo(ANN, follow(ANN, ALICE, "f2")))) == []
    assert story.waiting() == {4: NOWHERE, 5: f"{ANN}/f2"}
    return story


def test_what_names_an_id_that_something_parked_brings_waits_behind_it() -> None:
    story = undo_behind(ALICE)
    assert story.tell(fetched(NOWHERE, actor(NOWHERE))) == ["applied", "duplicate", "applied"]
    assert story.stage(ANN, ALICE) == "none"


def test_what_waited_behind_something_that_is_refused_waits_no_longer() -> None:
    story = undo_behind(BOB)
    assert story.tell(fetched(NOWHERE, actor(NOWHERE))) == ["applied", "refused: no such account", "applied"]
    assert story.stage(ANN, ALICE) == "none"


def test_a_key_that_was_not_looked_up_raises_and_is_never_taken_for_absent() -> None:
    (recorded,) = log_of([received(ANN, create(POST, ANN))])
    claim = Story().translator.translate(recorded)
    with pytest.raises(NotLookedUp):
        settle(claim, 1, State())


# Accounts


def test_an_actor_is_registered_once_and_then_changes_its_profile() -> None:
    story = Story(ANN_DOCUMENT, received(ANN, {"type": "Update", "actor": ANN, "object": actor(ANN, name="Ann")}))
    assert [place[3] for place in story.places()] == ["account.registered", "account.profile_changed"]


def test_an_update_of_itself_makes_an_actor_known() -> None:
    story = Story(received(ANN, {"type": "Update", "actor": ANN, "object": actor(ANN)}))
    assert story.places() == [(1, 0, 1, "account.registered", "applied")]


def test_nobody_speaks_for_another_actor() -> None:
    story = Story(MAL_DOCUMENT, ANN_DOCUMENT)
    body = {"type": "Update", "actor": MAL, "object": actor(ANN, name="Owned")}
    assert story.tell(received(MAL, body)) == ["refused: not the actor itself"]


def test_no_document_and_no_signature_speaks_for_our_accounts() -> None:
    story = Story(registered(ALICE))
    assert (
        story.tell(fetched(ALICE, actor(ALICE)), received(ALICE, create(f"{OURS}/x", ALICE)))
        == ["refused: ours to say"] * 2
    )


def test_an_actor_whose_uri_names_a_post_is_of_the_wrong_kind() -> None:
    story = Story(ANN_DOCUMENT, received(ANN, create(POST, ANN)))
    assert story.tell(fetched(POST, actor(POST))) == ["refused: wrong kind"]


# Create


def test_a_create_again_is_a_duplicate_and_changes_nothing() -> None:
    story = Story(ANN_DOCUMENT, received(ANN, create(POST, ANN)))
    assert story.tell(received(ANN, create(POST, ANN, content="other")), again(ANN)) == ["duplicate"] * 2


def test_a_create_of_what_a_fetch_brought_is_no_repeat() -> None:
    story = Story(ANN_DOCUMENT, received(ANN, create(POST, ANN)))
    known = story.state.known[POST]
    assert known is not None
    fetched_only = type(known)(known.kind, known.id, known.owner, known.object, known.since, delivered=False)
    story.state.know(POST, fetched_only)
    assert story.tell(received(ANN, create(POST, ANN)), received(ANN, create(POST, ANN))) == ["applied", "duplicate"]


def test_a_create_of_another_s_post_is_refused() -> None:
    story = Story(ANN_DOCUMENT, BEN_DOCUMENT, received(ANN, create(POST, ANN)))
    assert story.tell(received(BEN, create(POST, BEN))) == ["refused: not the owner"]


def test_a_create_of_a_known_follow_is_of_the_wrong_kind() -> None:
    story = Story(registered(ALICE), ANN_DOCUMENT, received(ANN, follow(ANN, ALICE)))
    assert story.tell(received(ANN, create(f"{ANN}/f1", ANN))) == ["refused: wrong kind"]


# Update


def test_an_update_waits_for_its_post_and_an_older_one_changes_nothing() -> None:
    story = Story(ANN_DOCUMENT, received(ANN, update(POST, ANN, "2026-04-30T15:00:00Z")))
    assert story.waiting() == {2: POST}
    assert story.tell(received(ANN, create(POST, ANN))) == ["applied", "applied"]
    assert story.tell(
        received(ANN, update(POST, ANN, "2026-04-30T14:00:00Z")),
        received(ANN, update(POST, ANN, "2026-04-30T15:00:00Z")),
        received(ANN, update(POST, ANN, None)),
        received(ANN, update(POST, ANN, "2026-04-30T16:00:00Z")),
    ) == ["refused: older than what is known"] * 2 + ["refused: no updated", "applied"]


def test_an_update_by_another_is_refused() -> None:
    story = Story(ANN_DOCUMENT, BEN_DOCUMENT, received(ANN, create(POST, ANN)))
    assert story.tell(received(BEN, update(POST, BEN))) == ["refused: not the owner"]


def test_an_update_of_what_is_gone_is_refused() -> None:
    story = Story(ANN_DOCUMENT, received(ANN, create(POST, ANN)), received(ANN, delete(POST, ANN)))
    assert story.tell(received(ANN, update(POST, ANN))) == ["refused: gone"]


# Delete


def test_a_delete_hides_the_post_once() -> None:
    story = Story(ANN_DOCUMENT, received(ANN, create(POST, ANN)))
    assert story.tell(received(ANN, delete(POST, ANN)), received(ANN, delete(POST, ANN))) == ["applied", "duplicate"]


def test_a_delete_before_its_create_never_waits_and_the_create_brings_it_as_gone() -> None:
    story = Story(received(ANN, delete(POST, ANN)), ANN_DOCUMENT, received(ANN, update(POST, ANN)))
    assert story.places()[0] == (1, 0, 1, "post.deleted", "tombstoned")
    assert story.waiting() == {3: POST}
    assert story.tell(received(ANN, create(POST, ANN))) == ["refused: deleted before it came", "refused: gone"]
    assert story.tell(received(ANN, delete(POST, ANN))) == ["duplicate"]


def test_a_tomb_by_another_signer_suppresses_nothing() -> None:
    story = Story(ANN_DOCUMENT, received(BEN, delete(POST, BEN)))
    assert story.tell(received(ANN, create(POST, ANN))) == ["applied"]


def test_a_delete_by_another_is_refused() -> None:
    story = Story(ANN_DOCUMENT, BEN_DOCUMENT, MAL_DOCUMENT, received(ANN, create(POST, ANN)))
    assert (
        story.tell(received(BEN, delete(POST, BEN)), received(MAL, delete(POST, MAL))) == ["refused: not the owner"] * 2
    )


def test_a_delete_of_another_origin_s_post_leaves_no_tomb() -> None:
    story = Story(MAL_DOCUMENT)
    assert story.tell(received(MAL, delete(POST, MAL))) == ["refused: not the owner"]
    assert story.state.changed_tombs == set()


def test_our_own_delete_makes_our_post_gone() -> None:
    uri = f"{ALICE}/statuses/9"
    post = PostPublished(post=9 << 16, author=LOCAL[ALICE], uri=uri, url=uri, visibility="public", published_at=START)
    story = Story(registered(ALICE), local("post:9", post))
    story.tell(local("post:9", PostDeleted(post=9 << 16, author=LOCAL[ALICE])))
    known = story.state.known[uri]
    assert known is not None and known.gone


# Follow


def test_a_follow_of_nobody_of_ours_is_refused_and_brings_nothing() -> None:
    story = Story(ANN_DOCUMENT, MAL_DOCUMENT)
    assert story.tell(received(ANN, follow(ANN, ALICE)), received(ANN, follow(ANN, MAL, "f2"))) == [
        "refused: no such account",
        "refused: not ours",
    ]
    assert story.state.known[f"{ANN}/f1"] is None


def test_a_second_request_replaces_the_first_and_the_same_one_is_a_duplicate() -> None:
    story = Story(registered(ALICE), ANN_DOCUMENT, received(ANN, follow(ANN, ALICE, "f1")))
    assert story.tell(
        received(ANN, follow(ANN, ALICE, "f1")),
        received(ANN, follow(ANN, ALICE, "f2")),
        received(ANN, follow(ANN, ALICE, "f1")),
    ) == ["duplicate", "applied", "applied"]


def test_a_silenced_follow_still_registers_its_activity_id() -> None:
    story = following()
    assert story.tell(received(ANN, follow(ANN, ALICE, "f2"))) == ["duplicate"]
    assert story.tell(received(ANN, undo(ANN, f"{ANN}/f2"))) == ["applied"]
    assert story.stage(ANN, ALICE) == "none"


def test_a_follow_without_an_id_stands_by_its_bytes_and_is_undone_by_its_pair() -> None:
    asks = follow(ANN, ALICE, None)
    story = Story(registered(ALICE), ANN_DOCUMENT, received(ANN, asks))
    assert story.tell(received(ANN, undo(ANN, asks))) == ["applied"]
    assert story.tell(received(ANN, undo(ANN, asks))) == ["refused: nothing to undo"]


def test_a_follow_without_an_id_that_comes_again_is_the_same_wherever_it_stands_in_the_log() -> None:
    asks = follow(ANN, ALICE, None)
    story = Story(registered(ALICE), ANN_DOCUMENT, received(ANN, asks))
    assert story.tell(received(ANN, asks), received(ANN, asks)) == ["duplicate"] * 2


def test_an_id_that_names_a_post_can_t_be_a_follow_s() -> None:
    story = Story(registered(ALICE), ANN_DOCUMENT, received(ANN, create(POST, ANN)))
    assert story.tell(received(ANN, follow(ANN, ALICE) | {"id": POST})) == ["refused: its id names something else"]


# Accept and Reject


@pytest.mark.parametrize(
    "request_given",
    [
        REQUEST,
        {"id": REQUEST, "type": "Follow", "actor": ALICE, "object": ANN},
        {"type": "Follow", "actor": ALICE, "object": ANN},
        {"id": "https://good.test/their-own-id", "type": "Follow", "actor": ALICE, "object": ANN},
        {"id": f"{OURS}/rewritten", "type": "Follow", "actor": ALICE, "object": ANN},
    ],
)
def test_an_accept_names_its_request_bare_or_embedded_or_by_its_pair(request_given: object) -> None:
    story = Story(registered(ALICE), ANN_DOCUMENT)
    story.tell(asked(story))
    assert story.tell(received(ANN, answer("Accept", ANN, request_given))) == ["applied"]
    assert story.stage(ALICE, ANN) == "following"
    assert story.placed[-1].outcome.event.request == REQUEST
    assert story.tell(received(ANN, answer("Accept", ANN, request_given))) == ["duplicate"]
    assert story.tell(received(ANN, answer("Reject", ANN, request_given))) == ["applied"]
    assert story.stage(ALICE, ANN) == "none"


def test_an_accept_never_makes_a_follow() -> None:
    story = Story(registered(ALICE), ANN_DOCUMENT)
    embedded = {"id": REQUEST, "type": "Follow", "actor": ALICE, "object": ANN}
    assert (
        story.tell(
            received(ANN, answer("Accept", ANN, REQUEST)),
            received(ANN, answer("Accept", ANN, embedded)),
            received(ANN, answer("Accept", ANN, "https://good.test/f")),
            received(ANN, answer("Accept", ANN, {**embedded, "actor": BEN})),
        )
        == ["refused: no such request"] * 2 + ["refused: not a request of ours"] * 2
    )
    assert story.stage(ALICE, ANN) == "none"


def test_an_accept_by_a_third_actor_is_refused() -> None:
    story = Story(registered(ALICE), ANN_DOCUMENT, BEN_DOCUMENT)
    story.tell(asked(story))
    embedded = {"id": REQUEST, "type": "Follow", "actor": ALICE, "object": ANN}
    assert (
        story.tell(received(BEN, answer("Accept", BEN, REQUEST)), received(BEN, answer("Accept", BEN, embedded)))
        == ["refused: not asked of the actor"] * 2
    )


def test_an_accept_of_what_was_asked_of_another_is_refused_even_where_the_actor_was_asked_too() -> None:
    story = Story(registered(ALICE), ANN_DOCUMENT, BEN_DOCUMENT)
    story.tell(asked(story))
    of_ben = {"type": "Follow", "actor": ALICE, "object": BEN}
    assert story.tell(received(ANN, answer("Accept", ANN, of_ben))) == ["refused: not asked of the actor"]
    assert story.stage(ALICE, ANN) == "requested"


def test_an_accept_of_a_request_taken_back_does_no_harm() -> None:
    story = Story(registered(ALICE), ANN_DOCUMENT)
    story.tell(asked(story))
    ended = FollowEnded(follower=LOCAL[ALICE], followee=story.state.ids[ANN] or 0, request=REQUEST)
    story.tell(local("follow:alice:ann", ended))
    assert story.tell(received(ANN, answer("Accept", ANN, REQUEST))) == ["refused: no such request"]


def test_our_accept_that_an_undo_overtook_does_no_harm() -> None:
    asks = follow(ANN, ALICE)
    story = Story(registered(ALICE), ANN_DOCUMENT, received(ANN, asks), received(ANN, undo(ANN, asks)))
    accepted = FollowAccepted(follower=story.state.ids[ANN] or 0, followee=LOCAL[ALICE], request=asks["id"])
    assert story.tell(local("follow:ann:alice", accepted)) == ["refused: overtaken"]
    assert story.stage(ANN, ALICE) == "none"


# Undo


@pytest.mark.parametrize("undone", [f"{ANN}/f1", follow(ANN, ALICE), follow(ANN, ALICE, "unknown")])
def test_an_undo_ends_the_follow_it_names_bare_or_embedded_or_by_its_pair(undone: object) -> None:
    story = following()
    assert story.tell(received(ANN, undo(ANN, undone))) == ["applied"]
    assert story.stage(ANN, ALICE) == "none"


def test_an_undo_of_another_s_follow_is_refused() -> None:
    story = following()
    story.tell(BEN_DOCUMENT, MAL_DOCUMENT)
    assert story.tell(
        received(BEN, undo(BEN, f"{ANN}/f1")),
        received(BEN, undo(BEN, follow(ANN, ALICE))),
        received(MAL, undo(MAL, f"{ANN}/f1")),
    ) == ["refused: not the actor's to undo"] * 2 + ["refused: undone id of another origin"]
    assert story.stage(ANN, ALICE) == "following"


def test_an_undo_again_is_a_duplicate() -> None:
    story = following()
    assert story.tell(received(ANN, undo(ANN, f"{ANN}/f1")), received(ANN, undo(ANN, f"{ANN}/f1"))) == [
        "applied",
        "duplicate",
    ]


def test_a_local_follow_of_a_local_account_drives_the_same_relation() -> None:
    story = Story(registered(ALICE), registered(BOB))
    pair = {"follower": LOCAL[ALICE], "followee": LOCAL[BOB], "request": REQUEST}
    entries = [local("follow:a:b", kind(**pair)) for kind in (FollowRequested, FollowAccepted, FollowEnded)]
    assert story.tell(*entries) == ["applied"] * 3
    assert story.tell(entries[1], entries[2]) == ["refused: overtaken", "duplicate"]
