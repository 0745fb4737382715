"""Attachments as peers really write them become what a post shows; what is no file, or no good address, is left out."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.activitypub.attached import documents
from adapters.activitypub.attachments import ATTACHMENTS_MAX, attachments_of
from domain.post import Attachment, PostEdited
from projections.rendering import revision_json

URL = "https://files.good.test/a/1.jpg"
HASH = "USQv:h-W-qI-^,W;RPs=^-R%NZxbo#sDobSc"


def one(**said: Any) -> Attachment:
    (found,) = attachments_of({"attachment": [{"type": "Document", "mediaType": "image/jpeg", "url": URL, **said}]})
    return found


def none(**said: Any) -> bool:
    return attachments_of({"attachment": {"type": "Document", "mediaType": "image/jpeg", "url": URL, **said}}) == ()


def test_mastodons_document_is_read_with_all_that_it_says() -> None:
    found = one(name="Two dragons", blurhash=HASH, focalPoint=[0.0, -0.5], width=1_500, height=1_095)
    assert found == Attachment(
        url=URL,
        kind="image",
        media_type="image/jpeg",
        description="Two dragons",
        blurhash=HASH,
        width=1_500,
        height=1_095,
        focus=(0.0, -0.5),
        remote_url=URL,
    )


@pytest.mark.parametrize(
    ("said", "kind", "media_type"),
    [
        ({"type": "Image", "mediaType": None}, "image", "image/jpeg"),
        ({"type": "Image", "mediaType": None, "url": "https://a.test/x"}, "image", ""),
        ({"type": "Video", "mediaType": None, "url": "https://a.test/x"}, "video", ""),
        ({"type": "Audio", "mediaType": "audio/ogg; codecs=opus", "url": "https://a.test/x"}, "audio", "audio/ogg"),
        ({"type": ["Object", "as:Video"], "mediaType": "video/mp4"}, "video", "video/mp4"),
        ({"mediaType": None, "url": "https://a.test/x.webm?y=1"}, "video", "video/webm"),
        ({"mediaType": "application/pdf"}, "unknown", "application/pdf"),
        ({"mediaType": "image/svg+xml"}, "unknown", "image/svg+xml"),
        ({"mediaType": "nonsense", "url": "https://a.test/x"}, "unknown", ""),
        ({"mediaType": 5, "url": "https://a.test/x.exe"}, "unknown", ""),
        ({"type": "Link", "mediaType": None, "url": None, "href": "https://a.test/pic.PNG"}, "image", "image/png"),
    ],
)
def test_what_it_is_follows_from_its_media_type_its_address_or_its_type(
    said: dict[str, Any], kind: str, media_type: str
) -> None:
    found = one(**said)
    assert (found.kind, found.media_type) == (kind, media_type)


def test_an_address_may_be_a_link_or_several() -> None:
    link = {"type": "Link", "href": URL, "mediaType": "image/png"}
    for url in (link, [link], [{"href": "javascript:alert(1)"}, link], ["", URL]):
        assert one(url=url, mediaType=None).url == URL
    assert one(url=[link], mediaType=None).media_type == "image/png"


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:image/png;base64,AA", "ftp://a.test/x.png", "//a.test/x.png", "", None, 7, {}]
)
def test_what_has_no_address_on_the_web_is_left_out(url: Any) -> None:
    assert none(url=url)


def test_fields_of_profiles_and_links_to_pages_are_no_files() -> None:
    assert none(type="PropertyValue", name="Site", value="x")
    assert none(type="Link", url=None, href="https://a.test/article", mediaType="text/html")
    assert none(type="Link", url=None, href="https://a.test/article", mediaType=None)
    assert attachments_of({"attachment": ["https://a.test/x.png", None, 5, []]}) == ()


def test_the_alternative_text_is_the_name_or_else_the_summary_and_no_html() -> None:
    assert one(name="a < b & <c>").description == "a < b & <c>"
    assert one(name=None, summary="from GoToSocial").description == "from GoToSocial"
    assert one(nameMap={"de": "ein Hund"}).description == "ein Hund"
    assert one(name="  \x00 ").description is None
    assert len(one(name="x" * 20_000).description or "") == 10_000


def test_sizes_focus_and_placeholder_are_dropped_unless_they_make_sense() -> None:
    for side in (0, -5, "900", 10**9, float("nan"), True, None, [1, 2]):
        assert one(width=side).width is None
    for focus in ([2, 0], [0], [0, 0, 0], ["0", "0"], "00", {"x": 0}, None, [float("nan"), 0]):
        assert one(focalPoint=focus).focus is None
    for placeholder in (HASH[:-1], HASH + "aa", "L", "", "\u2603" * 28, "<script>", "~" + HASH[1:], 5):
        assert one(blurhash=placeholder).blurhash is None


def test_only_so_many_are_kept_in_their_order_and_each_once() -> None:
    many = [{"type": "Document", "url": f"https://a.test/{number}.png"} for number in range(50)]
    found = attachments_of({"attachment": [many[0], *many]})
    assert [attachment.url for attachment in found] == [one["url"] for one in many[:ATTACHMENTS_MAX]]


def test_a_picture_of_ours_goes_out_as_a_document_that_is_read_back_as_it_was() -> None:
    ours = Attachment(
        url="https://our.test/media/0123456789abcdef0123456789abcdef.webp",
        kind="image",
        media_type="image/webp",
        preview_url="https://our.test/media/0123456789abcdef0123456789abcdef-small.jpg",
        description="a cat",
        blurhash=HASH,
        width=1_200,
        height=900,
        focus=(0.5, -0.25),
        media=9,
    )
    event = PostEdited(post=7, author=1, edited_at=datetime(2026, 5, 1, tzinfo=UTC), text="x", attachments=(ours,))
    entities = msgspec.json.decode("{" + revision_json(event, "https://our.test") + "}")["media_attachments"]
    (document,) = documents(entities)
    assert (document["type"], document["mediaType"], document["name"]) == ("Document", "image/webp", "a cat")
    (read,) = attachments_of({"attachment": msgspec.json.decode(msgspec.json.encode([document]))})
    same = ("url", "kind", "media_type", "description", "blurhash", "width", "height", "focus")
    assert [getattr(read, name) for name in same] == [getattr(ours, name) for name in same]
    assert (read.remote_url, read.media) == (ours.url, None)


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text(max_size=9)
    | st.sampled_from([URL, "Link", HASH]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "url", "href", "mediaType", "name", "summary", "width", "focalPoint", "blurhash"]),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@given(JUNK)
def test_junk_is_left_out_and_never_raises(junk: Any) -> None:
    for attachment in attachments_of({"attachment": junk}):
        assert attachment.url.startswith("http") and msgspec.json.encode(attachment)
