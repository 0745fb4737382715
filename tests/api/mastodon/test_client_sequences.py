"""What Phanpy, Elk and Mastodon for Android ask for from the first click on, request by request.

The sequences are those of their sources (Phanpy @0340050, Elk @ae4ebf3, Android @24ab4a0). A client that gets anything
else than what is said here shows an error, or nothing at all.
"""

from typing import Any

import httpx
import pytest

from tests.api.composition import CHALLENGE, PASSWORD, VERIFIER, agree, code_in, request_by
from tests.api.mastodon.world import Person, World
from tests.pictures import jpeg

pytestmark = pytest.mark.anyio

SCOPES = "read write follow push"
PHANPY = "https://phanpy.social/"
ELK = "https://elk.zone/api/localhost%3A3000/oauth/https%3A%2F%2Felk.zone"
ANDROID = "org.joinmastodon.android-auth://callback"
# What each of them reads of an account without looking whether it is there.
ACCOUNT = {
    *("id", "username", "acct", "url", "display_name", "note", "avatar", "avatar_static", "header", "header_static"),
    *("created_at", "emojis", "fields", "followers_count", "following_count", "statuses_count", "locked", "bot"),
}
STATUS = {
    *("id", "uri", "url", "created_at", "account", "visibility", "content", "spoiler_text", "media_attachments"),
    *("mentions", "tags", "emojis", "reblog", "in_reply_to_id", "poll", "card", "filtered", "favourited", "reblogged"),
    *("replies_count", "reblogs_count", "favourites_count", "muted", "bookmarked"),
}


class Client:
    """An app, before and after somebody has logged in with it."""

    def __init__(self, http: httpx.AsyncClient, alice: str, bob: Person, post: dict[str, Any]) -> None:
        self.http = http
        self.alice = alice
        self.bob = bob
        self.post = post

    async def get(self, path: str, status: int = 200, **params: Any) -> Any:
        return await self.ask("GET", path, status, params=params)

    async def ask(self, method: str, path: str, status: int = 200, **how: Any) -> Any:
        """JSON, and headers, as every client needs them."""
        answer = await self.http.request(method, path, **how)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        assert answer.headers["content-type"].startswith("application/json"), path
        assert answer.headers["access-control-allow-origin"] == "*", path
        body = answer.json()
        assert status == 200 or isinstance(body["error"], str), path
        return body

    async def lists(self, *paths: str, **params: Any) -> None:
        """Lists, whatever is in them."""
        for path in paths:
            assert isinstance(await self.get(path, **params), list), path

    async def log_in(self, redirect: str, scope: str = SCOPES, **how: Any) -> None:
        """By the page that a person sees; `how` sends the token request."""
        app = (await self.http.post("/api/v1/apps", **registration(redirect, how))).json()
        assert app["client_id"] and app["client_secret"] and app["redirect_uris"] == [redirect]
        pkce = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"} if redirect == PHANPY else {}
        landed = await agree(self.http, request_by(app, scope=scope, **pkce))
        assert landed.headers["location"].startswith(redirect)
        asked = {
            **{name: app[name] for name in ("client_id", "client_secret")},
            "grant_type": "authorization_code",
            "redirect_uri": redirect,
            "scope": scope,
            "code": code_in(landed),
            **({"code_verifier": VERIFIER} if pkce else {}),
        }
        token = (await self.http.post("/oauth/token", **{"json" if "json" in how else "data": asked})).json()
        assert (token["token_type"], set(token["scope"].split())) == ("Bearer", set(scope.split()))
        self.http.cookies.clear()
        self.http.headers.update(
            {"Authorization": f"Bearer {token['access_token']}", "Origin": "https://client.example"}
        )


def registration(redirect: str, how: dict[str, Any]) -> dict[str, Any]:
    asked = {"client_name": "Client", "redirect_uris": redirect, "scopes": SCOPES, "website": "https://client.example"}
    return {"json" if "json" in how else "data": asked}


@pytest.fixture
async def client(world: World) -> Client:
    """Alice can log in; Bob has written something, which she sees at home, and mentions her."""
    alice = await world.server.accounts.create("alice", None, PASSWORD)
    await world.settled()
    bob, her = await world.person("bob"), world.client(await world.token(alice))
    await her.post(f"/api/v1/accounts/{bob.id}/follow")
    await world.settled()
    parent = await bob.post("first")
    post = await bob.post("@alice hello", in_reply_to_id=parent["id"])
    await world.settled()
    return Client(world.client({"Origin": "https://client.example"}), str(alice), bob, post)


async def own_account(client: Client) -> None:
    own = await client.get("/api/v1/accounts/verify_credentials")
    assert own.keys() >= {*ACCOUNT, "source", "role"} and own["id"] == client.alice
    assert own["source"].keys() >= {"note", "fields", "privacy", "sensitive", "language", "follow_requests_count"}


async def instance_v2(client: Client) -> None:
    document = await client.get("/api/v2/instance")
    assert {"domain", "title", "version", "configuration", "registrations", "api_versions"} <= document.keys()
    configuration = document["configuration"]
    assert isinstance(configuration["urls"]["streaming"], str)
    assert configuration["statuses"]["max_characters"] > 0 and "max_options" in configuration["polls"]
    assert isinstance(configuration["media_attachments"]["supported_mime_types"], list)


async def notifications(client: Client, **params: Any) -> list[Any]:
    found: list[Any] = await client.get("/api/v1/notifications", **params)
    assert [one["type"] for one in found] == ["mention"]
    assert found[0].keys() >= {"id", "created_at", "account", "status"} and found[0]["status"].keys() >= STATUS
    return found


async def home(client: Client, **params: Any) -> None:
    statuses = await client.get("/api/v1/timelines/home", **params)
    assert len(statuses) == 2
    assert all(one.keys() >= STATUS and one["account"].keys() >= ACCOUNT for one in statuses)
    assert statuses[0]["reblog"] is None


async def preferences(client: Client) -> None:
    found = await client.get("/api/v1/preferences")
    assert {"posting:default:visibility", "posting:default:sensitive", "reading:expand:media"} <= found.keys()


async def test_phanpy(client: Client) -> None:
    meta = await client.http.get("/.well-known/host-meta")
    assert 'template="http://localhost:3000/.well-known/webfinger?resource={uri}"' in meta.text
    server = await client.get("/.well-known/oauth-authorization-server")
    assert "S256" in server["code_challenge_methods_supported"]
    await client.log_in(PHANPY)
    await preferences(client)
    await instance_v2(client)
    links = (await client.http.get("/.well-known/nodeinfo")).json()["links"]
    about = await client.http.get(links[0]["href"])
    assert about.json()["software"]["name"] and isinstance(about.json()["metadata"], dict)
    await own_account(client)
    await home(client, limit=20)
    assert await client.get("/api/v1/followed_tags", limit=200) == []
    found = await notifications(client, limit=1, since_id="")
    assert await client.get("/api/v1/markers", timeline="notifications") == {}
    post, bob = client.post, client.bob
    assert (await client.get(f"/api/v1/statuses/{post['in_reply_to_id']}")).keys() >= STATUS
    assert (await client.get(f"/api/v1/accounts/{bob.id}")).keys() >= ACCOUNT
    await search(client, q=post["url"], type="statuses", resolve="true", limit=1)
    assert await client.get("/api/v1/timelines/home", limit=5, since_id=post["id"]) == []
    await client.lists("/api/v1/lists")
    await client.lists("/api/v1/mutes", "/api/v1/blocks", limit=80)
    await client.lists("/api/v1/follow_requests", limit=1)
    marked = await client.ask("POST", "/api/v1/markers", json={"notifications": {"last_read_id": found[0]["id"]}})
    assert marked["notifications"].keys() == {"last_read_id", "version", "updated_at"}
    context = await client.get(f"/api/v1/statuses/{post['id']}/context")
    assert ([one["id"] for one in context["ancestors"]], context["descendants"]) == ([post["in_reply_to_id"]], [])
    await compose(client, "/api/v2/media")
    await client.lists(f"/api/v1/accounts/{bob.id}/statuses", f"/api/v1/accounts/{bob.id}/featured_tags")
    await client.lists(f"/api/v1/accounts/{bob.id}/endorsements")
    familiar = await client.get("/api/v1/accounts/familiar_followers", **{"id[]": bob.id})
    assert familiar == [{"id": bob.id, "accounts": []}]
    await relationships(client)


async def test_elk(client: Client) -> None:
    await instance_v2(client)
    await client.log_in(ELK, json=True)
    await instance_v2(client)
    assert (await client.http.get("/nodeinfo/2.0")).json()["software"]["name"]
    await own_account(client)
    await preferences(client)
    await client.get("/api/v1/push/subscription", 404)
    await home(client, limit=30)
    assert await client.get("/api/v1/followed_tags") == []
    assert await client.get("/api/v1/markers", **{"timeline[]": "notifications"}) == {}
    found = await notifications(client, limit=30)
    assert await client.get("/api/v1/notifications", limit=30, max_id=found[-1]["id"]) == []
    await relationships(client)
    assert (await client.get("/api/v1/accounts/lookup", acct="bob")).keys() >= ACCOUNT
    await search(client, q=client.post["url"], resolve="true")
    await compose(client, "/api/v1/media")


async def test_android(client: Client) -> None:
    await instance_v2(client)
    await client.log_in(ANDROID, json=True)
    await own_account(client)
    await client.lists("/api/v1/custom_emojis", "/api/v1/lists")
    await preferences(client)
    marks = await client.get("/api/v1/markers", **{"timeline[]": ["home", "notifications"]})
    assert marks == {}
    await home(client, limit=20)
    await notifications(client, limit=40)
    assert (await client.get("/api/v1/instance")).keys() >= {"uri", "email", "title", "description", "version"}


async def test_what_else_a_client_may_open_is_there_and_empty(client: Client) -> None:
    await client.log_in(ANDROID)
    for path in (
        *(f"/api/v1/trends{part}" for part in ("", "/tags", "/statuses", "/links")),
        *(f"/api/v1/instance/{part}" for part in ("peers", "rules", "domain_blocks", "activity", "languages")),
        *("/api/v1/announcements", "/api/v1/conversations", "/api/v1/directory", "/api/v1/domain_blocks"),
        *("/api/v1/endorsements", "/api/v1/featured_tags", "/api/v1/filters", "/api/v2/filters"),
        *("/api/v1/scheduled_statuses", "/api/v1/suggestions", "/api/v2/suggestions"),
        *("/api/v1/bookmarks", "/api/v1/favourites", f"/api/v1/accounts/{client.bob.id}/lists"),
    ):
        assert await client.get(path) == [], path
    assert await client.get("/api/v1/instance/translation_languages") == {}


async def relationships(client: Client) -> None:
    (found,) = await client.get("/api/v1/accounts/relationships", **{"id[]": client.bob.id})
    assert len(found) == 16 and found["following"] is True and isinstance(found["note"], str)


async def search(client: Client, **params: Any) -> None:
    found = await client.get("/api/v2/search", **params)
    assert found.keys() == {"accounts", "statuses", "hashtags"}
    assert [one["id"] for one in found["statuses"]] == [client.post["id"]]


async def compose(client: Client, upload: str) -> None:
    """A picture and a post with it, under a key."""
    await client.lists("/api/v1/custom_emojis")
    media = await client.ask("POST", upload, files={"file": ("blob", jpeg(), "application/octet-stream")})
    assert (media["type"], bool(media["url"])) == ("image", True)
    asked = {"status": "look", "media_ids": [media["id"]], "visibility": "public"}
    posted = [
        await client.ask("POST", "/api/v1/statuses", json=asked, headers={"Idempotency-Key": "once"}) for _ in range(2)
    ]
    assert posted[0]["id"] == posted[1]["id"]
    assert [one["id"] for one in posted[0]["media_attachments"]] == [media["id"]]
