"""Clients register, people agree, tokens are made and ended; what is stolen, guessed or bent is refused."""

import base64
import datetime as dt
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from litestar import get

from api.auth import TheViewer, needs
from tests.api.composition import (
    CHALLENGE,
    NOW,
    OUT_OF_BAND,
    VERIFIER,
    TestServer,
    agree,
    browsing,
    code_in,
    exchange,
    register,
    request_by,
    token_for,
)

pytestmark = pytest.mark.anyio

ELK = "https://elk.zone/api/example.com/oauth/https%3A%2F%2Felk.zone"
ANDROID = "org.joinmastodon.android-auth://callback"


@get("/api/v1/test/me", opt=needs("read:accounts"))
async def me(viewer: TheViewer) -> dict[str, int]:
    return {"account": viewer.account}


async def refused(client: httpx.AsyncClient, fields: dict[str, Any], error: str, status: int = 400) -> None:
    answer = await client.post("/oauth/token", data=fields)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.json()["error_description"]
    assert answer.headers["cache-control"] == "no-store"


async def test_an_app_is_registered_in_the_shape_that_clients_read(browser: httpx.AsyncClient) -> None:
    app = await register(browser, "https://phanpy.social/")
    assert app["id"].isdecimal()
    assert app["client_id"] and app["client_secret"]
    assert (app["name"], app["website"], app["client_secret_expires_at"]) == ("Client", None, 0)
    assert app["scopes"] == ["read", "write", "follow", "push"]
    assert (app["redirect_uris"], app["redirect_uri"]) == (["https://phanpy.social/"], "https://phanpy.social/")


@pytest.mark.parametrize(
    "redirects",
    ["https://a.example/\nhttps://b.example/", ["https://a.example/", "https://b.example/"]],
    ids=["lines", "list"],
)
async def test_redirect_uris_come_as_lines_or_as_a_list(browser: httpx.AsyncClient, redirects: Any) -> None:
    answer = await browser.post("/api/v1/apps", json={"client_name": "X", "redirect_uris": redirects})
    assert answer.json()["redirect_uris"] == ["https://a.example/", "https://b.example/"]
    assert answer.json()["redirect_uri"] == "https://a.example/\nhttps://b.example/"
    assert answer.json()["scopes"] == ["read"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_name": " "},
        {"client_name": "x" * 61},
        {"redirect_uris": ""},
        {"redirect_uris": "/relative"},
        {"redirect_uris": "javascript:alert(1)"},
        {"redirect_uris": "JavaScript://a.example/%0aalert(1)"},
        {"redirect_uris": "data:text/html,x"},
        {"redirect_uris": "vbscript:x"},
        {"redirect_uris": "https://a.example/#fragment"},
        {"redirect_uris": "https://user@a.example/"},
        {"redirect_uris": "https:///no-host"},
        {"redirect_uris": "https://a.example\\@b.example/"},
        {"redirect_uris": "urn:other"},
        {"redirect_uris": "https://a.example/ javascript:alert(1)"},
        {"scopes": "read everything"},
        {"website": "javascript:alert(1)"},
    ],
    ids=str,
)
async def test_an_app_that_could_harm_is_not_registered(browser: httpx.AsyncClient, wrong: dict[str, str]) -> None:
    usual = {"client_name": "Client", "redirect_uris": "https://a.example/"}
    answer = await browser.post("/api/v1/apps", data={**usual, **wrong})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("Validation failed: ")


@pytest.mark.parametrize("encoding", ["data", "json", "files"])
async def test_each_encoding_that_clients_use_gets_a_token(browser: httpx.AsyncClient, encoding: str) -> None:
    app = await register(browser)
    fields = exchange(app, code_in(await agree(browser, request_by(app))), scope="read write follow push")
    if encoding == "files":
        fields = {name: (None, value) for name, value in fields.items()}
    answer = await browser.post("/oauth/token", **{encoding: fields})
    assert answer.status_code == 200, answer.text
    token = answer.json()
    assert token["scope"] == "read write follow push"
    assert (token["token_type"], token["created_at"]) == ("Bearer", int(NOW.timestamp()))
    assert set(token) == {"access_token", "token_type", "scope", "created_at"}
    assert "=" not in token["access_token"]


@pytest.mark.parametrize("redirect", ["https://phanpy.social/", ELK, ANDROID, "https://a.example/?b=c"])
async def test_the_browser_goes_back_to_the_client_with_code_and_state(
    browser: httpx.AsyncClient, redirect: str
) -> None:
    app = await register(browser, redirect)
    answer = await agree(browser, request_by(app, state="a b&c"))
    assert answer.status_code == 302
    assert answer.headers["location"].startswith(redirect + ("&code=" if "?" in redirect else "?code="))
    assert parse_qs(urlsplit(answer.headers["location"]).query)["state"] == ["a b&c"]
    assert (await browser.post("/oauth/token", data=exchange(app, code_in(answer)))).status_code == 200


async def test_refusing_tells_the_client_and_gives_it_nothing(browser: httpx.AsyncClient) -> None:
    app = await register(browser, "https://a.example/")
    answer = await agree(browser, request_by(app, state="s"), step="deny")
    sent = parse_qs(urlsplit(answer.headers["location"]).query)
    assert (sent["error"], sent["state"], "code" in sent) == (["access_denied"], ["s"], False)


async def test_a_token_opens_what_its_scopes_say(server: TestServer) -> None:
    async with browsing(server, [me]) as client:
        app = await register(client)
        token = await client.post("/oauth/token", data=exchange(app, code_in(await agree(client, request_by(app)))))
        headers = {"Authorization": f"Bearer {token.json()['access_token']}"}
        assert (await client.get("/api/v1/test/me", headers=headers)).json() == {"account": 7}


# O03


@pytest.mark.parametrize(
    "bent",
    [
        "https://a.example/callback/",
        "https://a.example/callback?x=1",
        "https://a.example/callbac",
        "https://a.example/other/../callback",
        "https://a.example:8443/callback",
        "https://A.example/callback",
        "http://a.example/callback",
        "https://user@a.example/callback",
        "https://a.example/callback#x",
        "https://evil.example/callback",
        "javascript:alert(1)",
        "",
    ],
)
async def test_a_redirect_uri_must_be_the_registered_one_byte_for_byte(browser: httpx.AsyncClient, bent: str) -> None:
    app = await register(browser, "https://a.example/callback")
    answer = await browser.get("/oauth/authorize", params=request_by(app, redirect_uri=bent))
    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_an_unknown_client_gets_a_page_and_no_redirect(browser: httpx.AsyncClient) -> None:
    app = {"client_id": "nobody", "redirect_uris": ["https://evil.example/"]}
    answer = await browser.get("/oauth/authorize", params=request_by(app), headers={"accept": "text/html"})
    assert (answer.status_code, "location" in answer.headers) == (400, False)
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"scope": "read admin:write"}, "invalid_scope"),
        ({"code_challenge": "v" * 43}, "invalid_request"),
        ({"code_challenge": "v" * 43, "code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request"),
    ],
)
async def test_a_faulty_request_goes_back_to_the_client(
    browser: httpx.AsyncClient, changes: dict[str, Any], error: str
) -> None:
    app = await register(browser, "https://a.example/")
    answer = await browser.get("/oauth/authorize", params=request_by(app, state="s", **changes))
    sent = parse_qs(urlsplit(answer.headers["location"]).query)
    assert (answer.status_code, sent["error"], sent["state"]) == (302, [error], ["s"])


# O04


async def test_pkce_is_required_exactly_when_a_challenge_was_given(browser: httpx.AsyncClient) -> None:
    app = await register(browser)
    guarded = request_by(app, code_challenge=CHALLENGE, code_challenge_method="S256")
    good = exchange(app, code_in(await agree(browser, guarded)), code_verifier=VERIFIER)
    assert (await browser.post("/oauth/token", data=good)).status_code == 200


@pytest.mark.parametrize("verifier", [None, "", "w" * 43, "v" * 44, "short", CHALLENGE])
async def test_a_verifier_that_does_not_fit_is_no_grant(browser: httpx.AsyncClient, verifier: str | None) -> None:
    app = await register(browser)
    guarded = request_by(app, code_challenge=CHALLENGE, code_challenge_method="S256")
    code = code_in(await agree(browser, guarded))
    await refused(browser, exchange(app, code, code_verifier=verifier), "invalid_grant")


async def test_a_verifier_where_the_challenge_was_stripped_is_no_grant(browser: httpx.AsyncClient) -> None:
    app = await register(browser)
    code = code_in(await agree(browser, request_by(app)))
    await refused(browser, exchange(app, code, code_verifier=VERIFIER), "invalid_grant")


async def test_a_code_used_twice_ends_the_token_it_gave(server: TestServer) -> None:
    async with browsing(server, [me]) as client:
        app = await register(client)
        fields = exchange(app, code_in(await agree(client, request_by(app))))
        token = (await client.post("/oauth/token", data=fields)).json()["access_token"]
        await refused(client, fields, "invalid_grant")
        answer = await client.get("/api/v1/test/me", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401


async def test_a_code_is_good_for_ten_minutes(server: TestServer, browser: httpx.AsyncClient) -> None:
    app = await register(browser)
    code = code_in(await agree(browser, request_by(app)))
    server.time += dt.timedelta(minutes=10)
    await refused(browser, exchange(app, code), "invalid_grant")


async def test_a_code_is_of_no_use_to_another_client_or_address(browser: httpx.AsyncClient) -> None:
    app, other = await register(browser), await register(browser)
    code = code_in(await agree(browser, request_by(app)))
    await refused(browser, exchange(other, code), "invalid_grant")
    await refused(browser, exchange(app, code, redirect_uri="https://a.example/"), "invalid_grant")
    await refused(browser, exchange(app, "guessed"), "invalid_grant")


async def test_a_client_must_prove_who_it_is(browser: httpx.AsyncClient) -> None:
    app = await register(browser)
    code = code_in(await agree(browser, request_by(app)))
    for changes in ({"client_secret": "wrong"}, {"client_secret": None}, {"client_id": "x"}, {"client_id": None}):
        await refused(browser, exchange(app, code, **changes), "invalid_client", status=401)
    assert (await browser.post("/oauth/token", data=exchange(app, code))).status_code == 200


async def test_a_client_may_prove_itself_by_http_basic(browser: httpx.AsyncClient) -> None:
    app = await register(browser)
    fields = exchange(app, code_in(await agree(browser, request_by(app))), client_id=None, client_secret=None)
    both = base64.b64encode(f"{app['client_id']}:{app['client_secret']}".encode()).decode()
    answer = await browser.post("/oauth/token", data=fields, headers={"Authorization": f"Basic {both}"})
    assert answer.status_code == 200
    for broken in ("Basic", "Basic ???", "Basic " + base64.b64encode(b"\xff").decode()):
        answer = await browser.post("/oauth/token", data=fields, headers={"Authorization": broken})
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "password", "username": "alice"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token"}, "unsupported_grant_type"),
        ({"grant_type[a]": "x"}, "invalid_request"),
    ],
)
async def test_what_is_not_offered_is_named(browser: httpx.AsyncClient, fields: dict[str, str], error: str) -> None:
    await refused(browser, fields, error)


# O05


async def test_an_app_token_stands_for_the_app_and_for_no_person(server: TestServer) -> None:
    async with browsing(server, [me]) as client:
        app = await register(client)
        fields = exchange(app, None, grant_type="client_credentials", scope="read")
        answer = await client.post("/oauth/token", data=fields)
        assert answer.json()["scope"] == "read"
        headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        shown = await client.get("/api/v1/apps/verify_credentials", headers=headers)
        assert (shown.json()["name"], "client_secret" in shown.json()) == ("Client", False)
        denied = await client.get("/api/v1/test/me", headers=headers)
        assert (denied.status_code, denied.json()) == (
            422,
            {"error": "This method requires an authenticated user"},
        )


async def test_an_app_gets_no_scope_that_it_did_not_register(browser: httpx.AsyncClient) -> None:
    app = await register(browser, scopes="read:statuses")
    fields = exchange(app, None, grant_type="client_credentials")
    await refused(browser, {**fields, "scope": "write"}, "invalid_scope")
    assert (await browser.post("/oauth/token", data=fields)).json()["scope"] == "read:statuses"


async def test_revoking_is_idempotent_and_only_for_ones_own(server: TestServer) -> None:
    async with browsing(server, [me]) as client:
        app, other = await register(client), await register(client)
        headers = await token_for(server, app, "read")
        fields = {"client_id": app["client_id"], "client_secret": app["client_secret"]}
        foreign = {"client_id": other["client_id"], "client_secret": other["client_secret"]}
        token = headers["Authorization"].removeprefix("Bearer ")
        answer = await client.post("/oauth/revoke", data={**foreign, "token": token})
        assert (answer.status_code, answer.json()["error"]) == (403, "unauthorized_client")
        assert (await client.get("/api/v1/test/me", headers=headers)).status_code == 200
        for _ in range(2):
            answer = await client.post("/oauth/revoke", json={**fields, "token": token})
            assert (answer.status_code, answer.json()) == (200, {})
        assert (await client.get("/api/v1/test/me", headers=headers)).status_code == 401
        answer = await client.post("/oauth/revoke", data={**fields, "client_secret": "x", "token": token})
        assert answer.status_code == 401


async def test_the_metadata_lists_what_there_is(browser: httpx.AsyncClient) -> None:
    document = (await browser.get("/.well-known/oauth-authorization-server")).json()
    assert document["issuer"] == "http://localhost:3000/"
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["grant_types_supported"] == ["authorization_code", "client_credentials"]
    assert {"read", "write", "follow", "push", "read:statuses"} <= set(document["scopes_supported"])


async def test_out_of_band_shows_the_code_on_a_page(browser: httpx.AsyncClient) -> None:
    app = await register(browser, OUT_OF_BAND)
    page = await agree(browser, request_by(app))
    assert (page.status_code, page.headers["cache-control"]) == (200, "private, no-store")
    assert (await browser.post("/oauth/token", data=exchange(app, code_in(page)))).status_code == 200
