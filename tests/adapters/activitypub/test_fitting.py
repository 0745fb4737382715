"""The largest things that can be said fit where the strictest of peers has limits."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from adapters.activitypub.collections import fitting, ordered_page
from adapters.activitypub.documents import create_document, note_document
from adapters.activitypub.fitting import BODY_BYTES_MAX, SAID_BYTES_MAX, said_bytes
from adapters.text import length
from domain.post import ATTACHMENTS_MAX, CHARACTERS_MAX, MENTIONS_MAX, Attachment, Mention, PostPublished
from domain.text import hashtags_in
from projections.actor_documents import LocalStatus, Mentioned
from projections.rendering import revision_json, status_json, text_html

OURS = "https://an-instance-of-some-length.our.test"
ALICE = f"{OURS}/ap/users/117679553382457724"
DEPTH_MAX = 8  # Pixelfed's
HOST = "some-instance-elsewhere.example"
DESCRIPTION_CHARACTERS = 10_000
MENTIONS = tuple(
    Mention(
        f"https://{HOST}/users/a_name_of_thirty_characters_{n:02}", f"name{n}", f"name{n}@{HOST}", "https://x.test/1"
    )
    for n in range(MENTIONS_MAX)
)
NAMED = " ".join(f"@{mention.acct}" for mention in MENTIONS)


def depth(value: Any) -> int:
    """How deeply objects and arrays are nested, as json_decode counts."""
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth, value), default=0) if isinstance(value, list | tuple) else 0


def filled(piece: str) -> str:
    """The longest text of this that is allowed, after the mentions."""
    low, high = 0, CHARACTERS_MAX
    while low < high:
        times = (low + high + 1) // 2
        text = f"{NAMED} {piece * times}"
        html = text_html(text, MENTIONS, OURS)
        size = said_bytes(html, "", MENTIONS, hashtags_in(text), OURS)
        low, high = (times, high) if length(text, "") <= CHARACTERS_MAX and size <= SAID_BYTES_MAX else (low, times - 1)
    return f"{NAMED} {piece * low}"


def create_of(text: str, description: str) -> dict[str, Any]:
    picture = Attachment(
        url=f"{OURS}/media/{'x' * 64}.webp",
        kind="image",
        media_type="image/webp",
        preview_url=f"{OURS}/media/{'x' * 64}.preview.webp",
        description=description,
        blurhash="U" * 100,
        width=3840,
        height=2160,
        focus=(0.1234567, -0.1234567),
        media=117679553382457726,
    )
    event = PostPublished(
        post=117679553382457725,
        author=117679553382457724,
        uri=f"{ALICE}/statuses/117679553382457725",
        url=f"{OURS}/@alice/117679553382457725",
        visibility="public",
        published_at=datetime(2026, 5, 1, 12, tzinfo=UTC),
        edited_at=datetime(2026, 5, 1, 13, tzinfo=UTC),
        text=text,
        language="en",
        mentions=MENTIONS,
        tags=tuple(hashtags_in(text)),
        in_reply_to_uri=f"https://{HOST}/users/bob/statuses/1",
        attachments=(picture,) * ATTACHMENTS_MAX,
    )
    row = LocalStatus(
        event.post,
        event.uri,
        ALICE,
        "public",
        False,
        status_json(event),
        revision_json(event, OURS),
        event.in_reply_to_uri,
    )
    note = note_document(row, [Mentioned(one.uri, one.username, HOST) for one in MENTIONS], "our.test")
    assert len(note["attachment"]) == ATTACHMENTS_MAX
    return create_document(note)


@pytest.mark.parametrize("description", ["", "x" * DESCRIPTION_CHARACTERS, "\U0001f600" * DESCRIPTION_CHARACTERS])
@pytest.mark.parametrize(
    "piece",
    [
        "a",
        '"',
        "<",
        "\u65e5",
        "\U0001f600",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "#ab ",
        "https://x.test/ab/cd ",
        "\n\na",
    ],
)
def test_the_largest_post_fits(piece: str, description: str) -> None:
    create = create_of(filled(piece), description)
    assert len(msgspec.json.encode(create)) <= BODY_BYTES_MAX
    assert depth(create) <= DEPTH_MAX


def test_a_page_of_an_outbox_is_no_deeper() -> None:
    create = create_of(f"{NAMED} Hello", "A picture")
    page = ordered_page(f"{ALICE}/outbox", "page=true", fitting([create]), following=None, preceding=None)
    assert depth(msgspec.json.decode(msgspec.json.encode(page))) <= DEPTH_MAX


def test_plain_text_as_long_as_allowed_is_said_whole() -> None:
    """In any script, of letters that need no more than three bytes, with 64 people named."""
    text = "\u65e5" * (CHARACTERS_MAX - len(NAMED))
    assert filled("\u65e5").endswith(text)


def test_a_note_keeps_what_fits() -> None:
    create = create_of(f"{NAMED} Hello", "x" * 1_500)
    assert "contentMap" in create["object"]
    assert {picture["name"] for picture in create["object"]["attachment"]} == {"x" * 1_500}


def test_only_descriptions_are_cut() -> None:
    text = filled("a")
    create = create_of(text, "x" * DESCRIPTION_CHARACTERS)
    assert create["object"]["content"] == text_html(text, MENTIONS, OURS)
    assert {picture["name"][-2:] for picture in create["object"]["attachment"]} == {"x…"}
