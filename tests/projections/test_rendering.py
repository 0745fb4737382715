"""The stored parts of the client API's JSON: as Mastodon writes them, and nothing of a stranger's unescaped."""

import json
from datetime import UTC, datetime, timedelta, timezone

from domain.account import AccountRegistered, Field, Profile
from domain.post import Attachment, Mention, PostEdited, PostPublished
from projections.rendering import api_time, identity_json, mention_json, profile_json, revision_json, status_json

ORIGIN = "https://our.test"
NOON = datetime(2026, 5, 1, 12, 0, 5, 896_123, tzinfo=UTC)


def test_times_are_utc_with_milliseconds() -> None:
    assert api_time(NOON) == "2026-05-01T12:00:05.896Z"
    assert api_time(NOON.astimezone(timezone(timedelta(hours=9)))) == "2026-05-01T12:00:05.896Z"


def test_a_local_profile_is_text_that_becomes_html() -> None:
    profile = Profile(note="<b>bold</b>", fields=(Field("Site", "<script>https://a.test"),))
    shown = json.loads("{" + profile_json(profile, "Person", ORIGIN) + "}")
    assert shown["note"] == "<p>&lt;b&gt;bold&lt;/b&gt;</p>"
    assert shown["fields"][0]["value"].startswith("&lt;script&gt;<a href=")


def test_a_remote_profile_came_sanitised_and_stays_as_it_came() -> None:
    profile = Profile(note_html="<p>hi</p>", fields=(Field("Site", '<a href="https://a.test">a</a>'),))
    shown = json.loads("{" + profile_json(profile, "Service", ORIGIN) + "}")
    assert (shown["note"], shown["fields"][0]["value"], shown["bot"]) == ("<p>hi</p>", profile.fields[0].value, True)


def test_an_avatar_is_never_null() -> None:
    shown = json.loads("{" + profile_json(Profile(), "Person", ORIGIN) + "}")
    assert shown["avatar"] == f"{ORIGIN}/avatars/original/missing.png"
    assert shown["header"].endswith("/headers/original/missing.png")


def test_a_remote_account_shows_its_domain_and_its_day() -> None:
    account = AccountRegistered(account=5, username="ann", domain="a.test", uri="u", url="w", registered_at=NOON)
    identity = json.loads("{" + identity_json(account) + "}")
    assert (identity["acct"], identity["created_at"]) == ("ann@a.test", "2026-05-01T00:00:00.000Z")
    assert json.loads(mention_json(account)) == {"id": "5", "username": "ann", "url": "w", "acct": "ann@a.test"}


def test_a_content_warning_makes_a_status_sensitive_and_typed_mentions_become_links() -> None:
    post = PostPublished(
        post=7,
        author=5,
        uri="https://our.test/7",
        url="https://our.test/@a/7",
        visibility="public",
        published_at=NOON,
        text="hi @bob@b.test",
        spoiler_text="beware",
        mentions=(Mention("https://b.test/u/bob", "bob", "bob@b.test", "https://b.test/@bob"),),
        tags=("foo",),
    )
    revision = json.loads("{" + revision_json(post, ORIGIN) + "}")
    assert revision["sensitive"] is True and revision["edited_at"] is None
    assert 'href="https://b.test/@bob"' in revision["content"]
    assert revision["tags"] == [{"name": "foo", "url": "https://our.test/tags/foo"}]
    assert json.loads("{" + status_json(post) + "}")["id"] == "7"


def test_attachments_belong_to_the_revision_and_miss_no_key_that_clients_need() -> None:
    cat = Attachment(
        url="https://our.test/media/cat.jpg", kind="image", media=9, width=1200, height=900, focus=(0.5, -0.25)
    )
    film = Attachment(url="https://a.test/film.mp4", kind="video", remote_url="https://a.test/film.mp4")
    edit = PostEdited(post=7, author=5, edited_at=NOON, text="", attachments=(cat, film))
    ours, theirs = json.loads("{" + revision_json(edit, ORIGIN) + "}")["media_attachments"]
    keys = {"id", "type", "url", "preview_url", "remote_url", "preview_remote_url", "text_url", "meta"}
    assert set(ours) == set(theirs) == keys | {"description", "blurhash"}
    assert (ours["id"], ours["type"], ours["preview_url"]) == ("9", "image", "https://our.test/media/cat.jpg")
    assert ours["meta"]["original"] == {"width": 1200, "height": 900, "size": "1200x900", "aspect": 1200 / 900}
    assert ours["meta"]["focus"] == {"x": 0.5, "y": -0.25}
    assert (theirs["id"], theirs["meta"], theirs["preview_url"]) == ("8", {}, "https://a.test/film.mp4")
