"""Payloads recorded from other servers, where they lie beside the project: each is understood, or refused by name."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.activitypub.incoming import Translator
from adapters.activitypub.json_guard import has_activitystreams_context
from adapters.activitypub.urls import origin_of
from adapters.interpreter.claims import Claim
from domain.activity import ActivityReceived, DocumentFetched, Evidence
from domain.events import Event
from domain.ports import Recorded

SHARED = Path(__file__).parents[2].parent / "shared" / "payloads"
OURS = "https://our.test"
NOW = datetime(2026, 11, 21, tzinfo=UTC)
EVIDENCE = Evidence(key_id="", signed_lines=b"", signature=b"", key=b"")
OBJECTS = {"Note", "Page", "Article", "Video", "ChatMessage", "Question", "Tombstone"}
UNDERSTOOD = {
    "mastodon/activities/create_note",
    "mastodon/activities/private_message",
    "mastodon/activities/delete",
    "mastodon/objects/note_1",
    "mastodon/objects/note_2",
    "mastodon/objects/person",
    "pleroma/activities/create_note",
    "pleroma/objects/note",
    "pleroma/objects/person",
    "mitra/activities/create_post",
    "friendica/activities/create_note",
    "friendica/activities/update_note",
    "friendica/objects/note_1",
    "friendica/objects/note_2",
    "friendica/objects/person_1",
    "peertube/objects/note",
    "peertube/objects/person",
    "peertube/objects/group",
    "wordpress/objects/note",
    "wordpress/objects/person",
    "wordpress/objects/group",
    "lemmy/objects/person",
    "lemmy/objects/group",
    "lemmy/objects/comment",
    "lemmy/activities/create_or_update/create_comment",
    "lemmy/activities/following/follow",
    "lemmy/activities/following/accept",
    "lemmy/activities/following/undo_follow",
    "mastodon/activities/follow",
    "mastodon/activities/undo_follow",
    "mitra/activities/accept",
    "pleroma/activities/follow",
    "friendica/activities/create_page_1",
    "friendica/activities/create_page_2",
    "friendica/activities/delete",
    "friendica/activities/like_page",
    "friendica/objects/page_1",
    "friendica/objects/page_2",
    "friendica/objects/person_2",
    "lemmy/activities/create_or_update/create_page",
    "lemmy/activities/create_or_update/create_private_message",
    "lemmy/activities/create_or_update/create_private_message_0.19",
    "lemmy/activities/create_or_update/update_page",
    "lemmy/activities/deletion/delete_page",
    "lemmy/activities/deletion/delete_private_message",
    "lemmy/activities/deletion/delete_user",
    "lemmy/activities/voting/like_note",
    "lemmy/activities/voting/undo_dislike_page",
    "lemmy/activities/voting/undo_like_note",
    "lemmy/objects/instance",
    "lemmy/objects/page",
    "lemmy/objects/page_image_and_link",
    "lemmy/objects/private_message",
    "mastodon/activities/like_page",
    "mastodon/activities/undo_like_page",
    "mastodon/objects/page",
    "peertube/activities/announce_video",
    "peertube/objects/video",
    "pleroma/activities/delete",
    "pleroma/objects/chat_message",
    "wordpress/objects/page",
}

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/payloads is not here")


def shared() -> list[Path]:
    return sorted(SHARED.glob("*/**/*.json"))


def named(path: Path) -> str:
    return str(path.relative_to(SHARED).with_suffix(""))


def claim_of(path: Path) -> Claim:
    """As an inbox or the fetcher would have stored it: an object inside a Create by its author, an actor by itself."""
    body: dict[str, Any] = json.loads(path.read_bytes())
    if not has_activitystreams_context(body):
        body = {"@context": "https://www.w3.org/ns/activitystreams", **body}
    kind = body.get("type")
    actor = body.get("actor")
    if "inbox" in body or (actor is None and kind not in OBJECTS):
        return translated(DocumentFetched(uri=body["id"], raw=dumped(body), content_type="", fetched_at=NOW))
    if kind in OBJECTS:
        actor = person_of(body.get("attributedTo") or actor)
        addresses = {key: body[key] for key in ("to", "cc") if key in body}
        body = {"type": "Create", "actor": actor, "object": body, **addresses}
    event = ActivityReceived(signer=str(actor), inbox="/inbox", raw=dumped(body), evidence=EVIDENCE, received_at=NOW)
    return translated(event, home_of(body))


def home_of(body: dict[str, Any]) -> str:
    """The server that it was recorded at: whose account is followed, or whose request is answered."""
    inner = body.get("object")
    kind = body["type"]
    if isinstance(inner, dict):
        if inner.get("type") != "Follow":
            return OURS
        inner = inner["actor"] if kind in {"Accept", "Reject"} else inner["object"]
    home = origin_of(str(inner)) if kind in {"Follow", "Undo", "Accept", "Reject"} else None
    return home or OURS


def person_of(author: Any) -> Any:
    """The account of PeerTube's account and channel."""
    if isinstance(author, list):
        return next(one["id"] for one in author if one["type"] == "Person")
    return author


def dumped(body: object) -> bytes:
    return json.dumps(body).encode()


def translated(event: Event, home: str = OURS) -> Claim:
    return Translator(home).translate(Recorded(position=1, stream="remote:00", version=1, event=event))


@pytest.mark.parametrize("path", shared(), ids=named)
def test_a_recorded_payload_is_understood_or_refused_by_name(path: Path) -> None:
    claim = claim_of(path)
    assert claim.verdict is None or claim.verdict.startswith(("refused: ", "not understood: "))
    if named(path) in UNDERSTOOD:
        assert claim.verdict is None


def test_the_verdicts_on_recorded_payloads_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    counts = Counter(claim.verdict or claim.kind for claim in map(claim_of, shared()))
    with capsys.disabled():
        for verdict, count in counts.most_common():
            print(f"\n{count:4} {verdict}", end="")  # noqa: T201 - the table is for who runs it with -v
    assert sum(counts.values()) == len(shared())
