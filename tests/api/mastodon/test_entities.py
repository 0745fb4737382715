"""Every entity has exactly the keys of Mastodon 4.7.3: one too few, or null for a list, breaks a client."""

from typing import Any

import pytest

from domain.account import Field, Profile
from tests.api.mastodon.world import World

pytestmark = pytest.mark.anyio


def keys(listed: str) -> set[str]:
    return set(listed.split())


ACCOUNT = keys(
    """
    id username acct display_name locked bot discoverable indexable group created_at note url uri avatar
    avatar_static avatar_description header header_static header_description followers_count following_count
    statuses_count last_status_at hide_collections show_media show_media_replies show_featured feature_approval emojis
    roles fields"""
)
STATUS = keys(
    """id created_at in_reply_to_id in_reply_to_account_id sensitive spoiler_text visibility language uri url
    replies_count reblogs_count favourites_count quotes_count edited_at content reblog application account
    media_attachments mentions tags emojis tagged_collections quote card poll quote_approval"""
)
FOR_A_VIEWER = {"favourited", "reblogged", "muted", "bookmarked", "filtered"}
SOURCE = keys(
    """privacy sensitive language note fields follow_requests_count hide_collections discoverable indexable
    attribution_domains quote_policy"""
)
RELATIONSHIP = keys(
    """id following showing_reblogs notifying languages followed_by blocking blocked_by muting muting_notifications
    muting_expires_at requested requested_by domain_blocking endorsed note"""
)
NULL_IN_STATUS = {
    "in_reply_to_id",
    "in_reply_to_account_id",
    "language",
    "edited_at",
    "reblog",
    "application",
    "quote",
    "card",
    "poll",
}


def nulls(entity: dict[str, Any]) -> set[str]:
    return {key for key, value in entity.items() if value is None}


async def test_a_status_has_every_key_and_null_only_where_clients_expect_it(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    for visibility in ("public", "direct"):
        status = await alice.post("@bob hi", visibility=visibility)
        await world.settled()
        assert set(status) == STATUS | FOR_A_VIEWER | ({"pinned"} if visibility == "public" else set())
        assert nulls(status) == NULL_IN_STATUS
        assert set(status["account"]) == ACCOUNT
        assert set(status["quote_approval"]) == {"automatic", "manual", "current_user"}
        (mention,) = status["mentions"]
        assert set(mention) == {"id", "username", "acct", "url"}
        assert set(await bob.get(f"/api/v1/statuses/{status['id']}")) == STATUS | FOR_A_VIEWER
    for_anybody = (await world.anybody().get("/api/v1/timelines/public"))[0]
    assert set(for_anybody) == STATUS


async def test_an_account_has_every_key(world: World) -> None:
    alice = await world.person("alice")
    account = await world.anybody().get(f"/api/v1/accounts/{alice.id}")
    assert set(account) == ACCOUNT
    assert nulls(account) == {"discoverable", "last_status_at"}
    assert account["created_at"].endswith("T00:00:00.000Z")
    assert account["avatar"].endswith("/avatars/original/missing.png")
    await alice.post("hello")
    await world.settled()
    posted = await world.anybody().get(f"/api/v1/accounts/{alice.id}")
    assert (posted["statuses_count"], posted["last_status_at"]) == (1, f"{world.server.now():%Y-%m-%d}")


async def test_ones_own_account_tells_more_and_plainly(world: World) -> None:
    profile = Profile(display_name="Al", note="I <3 #trees", fields=(Field("site", "https://example.org"),))
    alice = await world.person("alice", profile)
    own = await alice.get("/api/v1/accounts/verify_credentials")
    assert set(own) == ACCOUNT | {"source", "role"}
    assert set(own["source"]) == SOURCE
    assert set(own["role"]) == {"id", "name", "permissions", "color", "highlighted"}
    assert own["source"]["note"] == "I <3 #trees"
    assert own["note"].startswith("<p>I &lt;3 <a")
    assert [field["name"] for field in own["source"]["fields"]] == ["site"]


async def test_a_relationship_has_every_key(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    (found,) = await alice.get("/api/v1/accounts/relationships", **{"id[]": bob.id})
    assert set(found) == RELATIONSHIP
    assert nulls(found) == {"languages", "muting_expires_at"}


async def test_what_clients_ask_at_their_start_is_there_and_empty(world: World) -> None:
    alice = await world.person("alice")
    for name in keys("announcements conversations filters followed_tags lists notifications custom_emojis"):
        assert await alice.get(f"/api/v1/{name}") == [], name
    assert await alice.get("/api/v2/filters") == []
    assert await alice.get("/api/v1/markers") == {}
    assert (await alice.get("/api/v1/preferences"))["posting:default:visibility"] == "public"
    assert await alice.get("/api/v1/push/subscription", 404) == {"error": "Record not found"}
    assert await alice.get("/api/v1/no/such/thing", 404) == {"error": "This server doesn't have this endpoint yet"}


async def test_what_needs_somebody_is_closed_to_anybody_and_to_narrow_tokens(world: World) -> None:
    alice, anybody = await world.person("alice"), world.anybody()
    narrow = await world.token(alice.number, "read:lists")
    for method, path in (
        ("GET", "/api/v1/timelines/home"),
        ("GET", "/api/v1/accounts/verify_credentials"),
        ("POST", "/api/v1/statuses"),
        ("POST", f"/api/v1/accounts/{alice.id}/follow"),
    ):
        assert (await anybody.raw(method, path)).status_code == 401
        assert (await anybody.raw(method, path, headers=narrow)).status_code == 403


async def test_what_is_for_one_viewer_is_not_kept_by_anybody(world: World) -> None:
    alice = await world.person("alice")
    await alice.post("hello")
    path = "/api/v1/timelines/public"
    of_alice, of_anybody = await alice.raw("GET", path), await world.anybody().raw("GET", path)
    assert of_alice.headers["cache-control"] == "private, no-store"
    assert of_anybody.headers["cache-control"] == "max-age=15, public"
    for answer in (of_alice, of_anybody):
        assert "Authorization" in answer.headers["vary"]
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
