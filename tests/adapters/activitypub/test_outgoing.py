"""What we write, another instance of ours reads as the very event that it was written of."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.activitypub.documents import PUBLIC, note_document
from adapters.activitypub.incoming import Translator
from adapters.activitypub.outgoing import About, acceptance, activity_of, is_told
from adapters.interpreter.claims import Claim
from domain.account import AccountDeleted, AccountMoved, AccountRegistered, Profile, ProfileChanged
from domain.block import AccountBlocked, AccountUnblocked
from domain.bookmark import PostBookmarked
from domain.boost import PostBoosted, PostUnboosted
from domain.events import Event, topic_of
from domain.favourite import PostFavourited, PostUnfavourited
from domain.follow import FollowAccepted, FollowEnded, FollowRejected, FollowRequested
from domain.home import HomeDropped, HomeRestored
from domain.pin import PostPinned, PostUnpinned
from domain.post import Mention, PostDeleted, PostEdited, PostPublished, Visibility
from projections.actor_documents import LocalStatus, Mentioned
from projections.rendering import revision_json, status_json
from tests.adapters.interpreter import peers

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SENDER, READER = "https://good.test", peers.OURS
ANN, ALICE = f"{SENDER}/ap/users/1", peers.ALICE
NOTE, OTHERS = f"{ANN}/statuses/9", f"{ALICE}/statuses/7"
PAIR = {"follower": 1, "followee": 2}


def read(activity: Mapping[str, Any]) -> Claim:
    """What the other instance makes of it."""
    (recorded,) = peers.log_of([peers.received(ANN, json.loads(json.dumps(activity)))])
    return Translator(READER).translate(recorded)


def posted(visibility: Visibility = "public", **more: Any) -> PostPublished:
    return PostPublished(
        post=9,
        author=1,
        uri=NOTE,
        url=f"{SENDER}/@ann/9",
        visibility=visibility,
        published_at=peers.START,
        text="Hello @alice@our.test #tag",
        language="en",
        mentions=(Mention(ALICE, "alice", "alice@our.test", ALICE),),
        audience=(ALICE,),
        tags=("tag",),
        **more,
    )


def note(event: PostPublished | PostEdited, visibility: Visibility) -> Mapping[str, Any]:
    """The Note as the read models hold it after this event."""
    fixed = status_json(event if isinstance(event, PostPublished) else posted(visibility))
    row = LocalStatus(9, NOTE, ANN, visibility, False, fixed, revision_json(event, SENDER), None)
    return note_document(row, [Mentioned(ALICE, "alice", "our.test")], "good.test")


@pytest.mark.parametrize("visibility", ["public", "unlisted", "private", "direct"])
def test_a_post_is_read_as_the_post_that_it_is(visibility: Visibility) -> None:
    event = posted(visibility, spoiler_text="beware", sensitive=True)
    document = note(event, visibility)
    claim = read(activity_of(event, About(actor=ANN, object=NOTE, document=document)))
    assert (claim.verdict, claim.kind, claim.object, claim.actor) == (None, "post.published", NOTE, ANN)
    found = claim.event
    assert isinstance(found, PostPublished)
    assert (found.visibility, found.published_at, found.language) == (visibility, event.published_at, "en")
    assert (found.spoiler_text, found.sensitive, found.tags) == ("beware", True, ("tag",))
    assert [mention.uri for mention in found.mentions] == [ALICE] and ALICE in found.audience
    assert found.html is not None and "Hello" in found.html and found.url == event.url


def test_an_edit_is_read_as_the_newer_version() -> None:
    event = PostEdited(post=9, author=1, edited_at=peers.START, text="Better", language="en")
    activity = activity_of(event, About(actor=ANN, object=NOTE, document=note(event, "public")))
    claim = read(activity)
    assert (claim.verdict, claim.kind, claim.object, claim.updated) == (None, "post.edited", NOTE, event.edited_at)
    assert isinstance(claim.event, PostEdited) and claim.event.html == "<p>Better</p>"


LIKE, BOOST, BLOCK, FOLLOW = f"{ANN}/likes/3", f"{ANN}/statuses/4/activity", f"{ANN}/blocks/5", f"{ANN}/follows/6"
ON_POST = About(actor=ANN, object=OTHERS, owner=ALICE)
ON_ACCOUNT = About(actor=ANN, object=ALICE)
OWN = About(actor=ANN, object=NOTE, owner=ANN)
# Event, what it is about, and which URI of the claim has to be which.
SWITCHED: list[tuple[Event, About, dict[str, str]]] = [
    (PostDeleted(post=9, author=1), OWN, {"object": NOTE}),
    (PostFavourited(account=1, post=7, activity=LIKE), ON_POST, {"object": OTHERS, "activity": LIKE}),
    (PostUnfavourited(account=1, post=7, activity=LIKE), ON_POST, {"object": LIKE, "inner_object": OTHERS}),
    (
        PostBoosted(boost=4, account=1, post=7, uri=BOOST, visibility="public", boosted_at=NOW),
        ON_POST,
        {"object": OTHERS, "activity": BOOST},
    ),
    (PostUnboosted(boost=4, account=1, post=7, uri=BOOST), ON_POST, {"object": BOOST, "inner_object": OTHERS}),
    (FollowRequested(**PAIR, request=FOLLOW), ON_ACCOUNT, {"object": ALICE, "activity": FOLLOW}),
    (FollowEnded(**PAIR, request=FOLLOW), ON_ACCOUNT, {"object": FOLLOW, "inner_object": ALICE}),
    (AccountBlocked(blocker=1, blocked=2, activity=BLOCK), ON_ACCOUNT, {"object": ALICE, "activity": BLOCK}),
    (AccountUnblocked(blocker=1, blocked=2, activity=BLOCK), ON_ACCOUNT, {"object": BLOCK, "inner_object": ALICE}),
    (PostPinned(account=1, post=9, pinned_at=NOW), OWN, {"object": NOTE}),
    (PostUnpinned(account=1, post=9, unpinned_at=NOW), OWN, {"object": NOTE}),
    (AccountMoved(account=1, target=2), ON_ACCOUNT, {"object": ALICE}),
    (AccountDeleted(account=1), About(actor=ANN, object=ANN), {"object": ANN}),
]


@pytest.mark.parametrize(("event", "about", "named"), SWITCHED, ids=lambda value: type(value).__name__)
def test_each_event_is_read_as_itself(event: Event, about: About, named: dict[str, str]) -> None:
    claim = read(activity_of(event, about))
    assert (claim.verdict, claim.kind, claim.actor) == (None, topic_of(event), ANN)
    assert {name: getattr(claim, name) for name in named} == named


@pytest.mark.parametrize("kind", [FollowAccepted, FollowRejected], ids=lambda kind: kind.__name__)
def test_an_answer_is_read_as_one_to_the_readers_own_request(kind: type[FollowAccepted | FollowRejected]) -> None:
    request = f"{ALICE}/follows/8"
    claim = read(activity_of(kind(follower=2, followee=1, request=request), ON_ACCOUNT))
    assert (claim.verdict, claim.kind, claim.object, claim.inner_actor) == (None, topic_of(kind), request, ALICE)


@pytest.mark.parametrize("visibility", ["public", "unlisted", "private"])
def test_a_boost_is_read_as_far_as_it_goes(visibility: Visibility) -> None:
    event = PostBoosted(boost=4, account=1, post=7, uri=BOOST, visibility=visibility, boosted_at=NOW)
    assert read(activity_of(event, ON_POST)).visibility == visibility


def test_accepting_the_same_request_again_is_another_activity() -> None:
    first, second = acceptance(ON_ACCOUNT, "r", 6), acceptance(ON_ACCOUNT, "r", 7)
    assert first["id"] != second["id"] and first["object"] == second["object"]


def test_a_changed_profile_is_read_as_the_accounts_own_word() -> None:
    document = {**peers.actor(ANN), "name": "Ann, again", "manuallyApprovesFollowers": True}
    event = ProfileChanged(account=1, profile=Profile(display_name="Ann, again", locked=True), changed_at=NOW)
    claim = read(activity_of(event, About(actor=ANN, object=ANN, document=document)))
    assert (claim.verdict, claim.object, claim.actor) == (None, ANN, ANN)
    assert isinstance(claim.event, AccountRegistered), "what an account says is the same, the first time and later"
    assert (claim.event.profile.display_name, claim.event.profile.locked) == ("Ann, again", True)


def test_what_is_taken_back_stands_whole_in_the_undo() -> None:
    """Mastodon looks at nothing else, and GoToSocial ignores a bare address."""
    undo = activity_of(PostUnfavourited(account=1, post=7, activity=LIKE), ON_POST)
    assert undo["object"] == {"id": LIKE, "type": "Like", "actor": ANN, "object": OTHERS}


def test_every_activity_has_an_id_of_ours_and_says_to_whom() -> None:
    for event, about, _ in SWITCHED:
        activity = activity_of(event, about)
        assert activity["id"].startswith(f"{SENDER}/") and activity["to"], activity
        assert PUBLIC not in activity["to"] or activity["type"] in {"Delete", "Undo", "Announce", "Add", "Remove"}


def test_nobody_is_told_what_is_ones_own_business() -> None:
    assert not is_told(PostBookmarked(account=1, post=2))
    assert not is_told(HomeDropped(account=1, days=30))
    assert not is_told(HomeRestored(account=1))
