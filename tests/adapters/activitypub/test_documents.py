"""What is said of rows on the wire: addressed as published, whole, and read back as what it was."""

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import msgspec
import pytest

from adapters.activitypub.documents import addressed, create_document, note_document
from adapters.activitypub.notes import Delivery, published
from adapters.activitypub.outgoing import About, activity_of
from domain.post import Mention, PostEdited, PostPublished, Visibility
from projections.actor_documents import LocalStatus, Mentioned
from projections.rendering import revision_json, status_json

OURS = "https://our.test"
ALICE = f"{OURS}/ap/users/1"
POST = f"{ALICE}/statuses/7"
BOB = "https://b.test/users/bob"
PUBLIC = "https://www.w3.org/ns/activitystreams#Public"
NOON = datetime(2026, 5, 1, 12, 0, 5, 896_000, tzinfo=UTC)
VISIBILITIES: tuple[Visibility, ...] = get_args(Visibility)


def post(**more: Any) -> PostPublished:
    mention = Mention(BOB, "bob", "bob@b.test", "https://b.test/@bob")
    about: dict[str, Any] = {"visibility": "public", "text": "Hi @bob@b.test #World", "language": "en"}
    named: dict[str, Any] = {"mentions": (mention,), "audience": (BOB,), "tags": ("World",)}
    return PostPublished(
        post=7, author=1, uri=POST, url=f"{OURS}/@alice/7", published_at=NOON, **(about | named | more)
    )


def note(event: PostPublished, says: PostEdited | None = None) -> dict[str, Any]:
    """The Note that peers get of what the read models hold."""
    revision = revision_json(says or event, OURS)
    row = LocalStatus(
        event.post, event.uri, ALICE, event.visibility, False, status_json(event), revision, event.in_reply_to_uri
    )
    mentioned = [Mentioned(mention.uri, mention.username, "b.test") for mention in event.mentions]
    return msgspec.json.decode(msgspec.json.encode(note_document(row, mentioned, "our.test")))


@pytest.mark.parametrize("visibility", VISIBILITIES)
def test_a_note_is_read_back_as_the_post_it_was(visibility: Visibility) -> None:
    event = post(visibility=visibility, in_reply_to_uri="https://b.test/n/1", spoiler_text="cw")
    read = published(note(event), {}, POST, Delivery(ALICE, NOON + timedelta(seconds=9), None))
    for same in ("uri", "url", "visibility", "spoiler_text", "language", "in_reply_to_uri", "audience", "tags"):
        assert getattr(read, same) == getattr(event, same)
    assert read.published_at == NOON.replace(microsecond=0)
    assert [mention.uri for mention in read.mentions] == [BOB]


@pytest.mark.parametrize(
    ("visibility", "to", "cc"),
    [
        ("public", [PUBLIC], [f"{ALICE}/followers", BOB]),
        ("unlisted", [f"{ALICE}/followers"], [PUBLIC, BOB]),
        ("private", [f"{ALICE}/followers"], [BOB]),
        ("direct", [BOB], []),
    ],
)
def test_addresses_say_who_may_see_it(visibility: Visibility, to: list[str], cc: list[str]) -> None:
    assert addressed(visibility, ALICE, [BOB]) == (to, cc)
    document = note(post(visibility=visibility))
    assert (document["to"], document["cc"], document.get("directMessage", False)) == (to, cc, visibility == "direct")


def test_of_two_edits_in_one_second_the_later_one_is_the_later() -> None:
    first, second = (
        note(post(), PostEdited(post=7, author=1, edited_at=NOON + timedelta(milliseconds=ms), text="New"))["updated"]
        for ms in (10, 20)
    )
    assert first < second


def test_a_create_is_addressed_as_its_note_and_fetched_as_it_was_sent() -> None:
    whole = note(post(visibility="unlisted"))
    create = create_document(whole)
    assert create == activity_of(post(visibility="unlisted"), About(actor=ALICE, object=POST, document=whole))
    assert (create["type"], create["id"], create["actor"]) == ("Create", f"{POST}/activity", ALICE)
    assert (create["to"], create["cc"], create["published"]) == (whole["to"], whole["cc"], whole["published"])
    assert create["object"] | {"@context": create["@context"]} == whole
