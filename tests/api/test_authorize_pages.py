"""The log-in and consent pages hold against guessing, forgery, framing and what strangers call their apps."""

import datetime as dt
from typing import Any

import httpx
import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from adapters.config import Settings
from api.auth_limits import ATTEMPTS_MAX, LogInLimit
from api.errors import TooManyRequests
from api.limits import KEYS_MAX
from tests.api.composition import (
    NOW,
    PASSWORD,
    TestServer,
    agree,
    browsing,
    hidden,
    log_in,
    register,
    request_by,
)
from tests.database import Database

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("login", ["alice", "ALICE", "alice@example.com", "Alice@Example.COM", " alice "])
async def test_one_logs_in_by_username_or_address_in_any_case(browser: httpx.AsyncClient, login: str) -> None:
    app = await register(browser)
    answer = await log_in(browser, request_by(app), login=login)
    assert answer.status_code == 302
    assert "@alice" in (await browser.get(answer.headers["location"])).text


@pytest.mark.parametrize(
    "typed", [{"password": "wrong"}, {"login": "bob"}, {"login": ""}, {"password": ""}, {"login": "a\x00lice' OR 1=1"}]
)
async def test_a_wrong_name_and_a_wrong_password_read_the_same(
    browser: httpx.AsyncClient, typed: dict[str, str]
) -> None:
    answer = await log_in(browser, request_by(await register(browser)), **typed)
    assert answer.status_code == 422
    assert "That name and password don&#39;t go together." in answer.text
    assert "set-cookie" in answer.headers and "daybook_session" not in answer.headers["set-cookie"]


async def test_a_disabled_user_can_neither_log_in_nor_go_on(database: Database, browser: httpx.AsyncClient) -> None:
    app = await register(browser)
    location = (await log_in(browser, request_by(app))).headers["location"]
    with psycopg.connect(database.owner) as owner:
        owner.execute("UPDATE app.users SET disabled_at = now()")
    assert 'type="password"' in (await browser.get(location)).text
    assert (await log_in(browser, request_by(app))).status_code == 422


async def test_force_login_asks_again_once(browser: httpx.AsyncClient) -> None:
    app = await register(browser)
    await log_in(browser, request_by(app))
    assert 'value="allow"' in (await browser.get("/oauth/authorize", params=request_by(app))).text
    forced = request_by(app, force_login="true")
    assert 'type="password"' in (await browser.get("/oauth/authorize", params=forced)).text
    answer = await log_in(browser, forced)
    assert 'value="allow"' in (await browser.get(answer.headers["location"])).text


async def test_the_session_cookie_is_out_of_reach_for_scripts_and_other_sites(
    browser: httpx.AsyncClient,
) -> None:
    cookie = (await log_in(browser, request_by(await register(browser)))).headers["set-cookie"]
    assert cookie.startswith("daybook_session=")
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie


async def test_on_https_cookies_are_secure_and_bound_to_the_host(database: Database) -> None:
    async with AsyncConnectionPool[Any](database.app, open=False) as pool:
        server = TestServer(pool, Settings(domain="daybook.example"))
        await server.add_alice()
        async with browsing(server) as client:
            cookie = (await log_in(client, request_by(await register(client)))).headers["set-cookie"]
    assert cookie.startswith("__Host-daybook_session=")
    assert "Secure" in cookie


@pytest.mark.parametrize("token", [{}, {"form_token": ""}, {"form_token": "0" * 64}, {"form_token": "\u00e9"}])
@pytest.mark.parametrize("step", ["allow", "log-in"])
async def test_a_form_that_is_not_ours_does_nothing(
    browser: httpx.AsyncClient, token: dict[str, str], step: str
) -> None:
    app = await register(browser)
    await log_in(browser, request_by(app))
    fields = {**request_by(app), "step": step, "login": "alice", "password": PASSWORD, **token}
    answer = await browser.post("/oauth/authorize", data=fields)
    assert answer.status_code == 403
    assert 'id="code"' not in answer.text and "location" not in answer.headers


async def test_a_form_of_another_browser_is_not_ours(server: TestServer, browser: httpx.AsyncClient) -> None:
    app = await register(browser)
    async with browsing(server) as attacker:
        theirs = hidden((await attacker.get("/oauth/authorize", params=request_by(app))).text)
    await log_in(browser, request_by(app))
    answer = await browser.post("/oauth/authorize", data={**theirs, "step": "allow"})
    assert answer.status_code == 403


async def test_nobody_agrees_without_having_logged_in(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/oauth/authorize", params=request_by(await register(browser)))
    answer = await browser.post("/oauth/authorize", data={**hidden(page.text), "step": "allow"})
    assert answer.status_code == 403 and 'id="code"' not in answer.text


async def test_logging_in_leads_nowhere_but_to_the_consent_page(browser: httpx.AsyncClient) -> None:
    app = await register(browser)
    answer = await log_in(
        browser, request_by(app), **{"continue": "https://evil.example/", "redirect": "//evil.example", "next": "//x"}
    )
    assert answer.headers["location"].startswith("/oauth/authorize?")
    assert "evil" not in answer.headers["location"]


@pytest.mark.parametrize("spoofed", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Client-IP", "CF-Connecting-IP"])
async def test_log_ins_are_limited_by_the_peer_whatever_headers_say(server: TestServer, spoofed: str) -> None:
    async with browsing(server) as client:
        query = request_by(await register(client))
        page = hidden((await client.get("/oauth/authorize", params=query)).text)
        # What fails before Argon2 is asked counts as well, and keeps this test quick.
        fields = {**page, "step": "log-in", "login": "alice", "password": "x" * 2_000}
        for n in range(ATTEMPTS_MAX):
            answer = await client.post("/oauth/authorize", data=fields, headers={spoofed: f"10.0.0.{n}"})
            assert answer.status_code == 422
        answer = await client.post("/oauth/authorize", data={**fields, "password": PASSWORD})
        assert (answer.status_code, "Too many tries" in answer.text) == (429, True)
        assert int(answer.headers["retry-after"]) > 0
        server.time += dt.timedelta(seconds=300)
        answer = await client.post("/oauth/authorize", data={**fields, "password": PASSWORD})
        assert answer.status_code == 302


async def test_behind_a_trusted_proxy_one_stranger_locks_nobody_else_out(
    server: TestServer, database: Database
) -> None:
    async with AsyncConnectionPool[Any](database.app, min_size=1, max_size=4, open=False) as pool:
        # The address that the test client comes from.
        proxied = TestServer(pool, Settings(trusted_proxies=("127.0.0.0/8",)))
        async with browsing(proxied) as client:
            query = request_by(await register(client))
            page = hidden((await client.get("/oauth/authorize", params=query)).text)
            fields = {**page, "step": "log-in", "login": "alice", "password": "x" * 2_000}
            for n in range(ATTEMPTS_MAX + 1):
                # The first entry is the stranger's own invention, the last the proxy's.
                stranger = {"X-Forwarded-For": f"10.0.0.{n}, 203.0.113.9"}
                answer = await client.post("/oauth/authorize", data=fields, headers=stranger)
            assert answer.status_code == 429
            somebody = {"X-Forwarded-For": "203.0.113.10"}
            answer = await client.post("/oauth/authorize", data={**fields, "password": PASSWORD}, headers=somebody)
            assert answer.status_code == 302


def test_what_a_trusted_proxy_forwards_counts_by_its_last_entry_in_the_last_line() -> None:
    limit = LogInLimit(["10.0.0.0/8", "::1/128"])
    for n in range(ATTEMPTS_MAX):
        limit.count("10.1.2.3", NOW, [f"203.0.113.{n}", f"198.51.100.{n},2001:db8::{n:x}"])
    with pytest.raises(TooManyRequests):
        limit.count("::ffff:10.1.2.4", NOW, ["2001:db8::ffff"])
    limit.count("::1", NOW, ["2001:db8:0:1::1"])


def test_what_a_trusted_proxy_forwards_counts_as_the_proxy_when_it_is_no_address() -> None:
    limit = LogInLimit(["10.0.0.1/32"])
    for n in range(ATTEMPTS_MAX):
        limit.count("10.0.0.1", NOW, [f"unknown{n}"])
    with pytest.raises(TooManyRequests):
        limit.count("10.0.0.1", NOW)


def test_ipv6_addresses_count_by_their_network() -> None:
    limit = LogInLimit()
    for n in range(ATTEMPTS_MAX):
        limit.count(f"2001:db8::{n:x}", NOW)
    with pytest.raises(TooManyRequests):
        limit.count("2001:db8::ffff", NOW)
    limit.count("2001:db8:0:1::1", NOW)


def test_a_crowd_of_addresses_takes_no_more_memory() -> None:
    limit = LogInLimit()
    for n in range(KEYS_MAX):
        limit.count(f"peer {n}", NOW)
    for n in range(ATTEMPTS_MAX):
        limit.count(f"late {n}", NOW)
    with pytest.raises(TooManyRequests):
        limit.count("latest", NOW)


# O10


async def test_what_strangers_call_their_app_is_text(browser: httpx.AsyncClient) -> None:
    fields = {
        "client_name": "<script>alert(1)</script>\"'><img src=x>",
        "redirect_uris": "https://a.example/",
        "website": 'https://a.example/"><script>alert(1)</script>',
    }
    app = (await browser.post("/api/v1/apps", data=fields)).json()
    page = await browser.get("/oauth/authorize", params=request_by(app, scope="read", state='"><script>x</script>'))
    consent = await browser.get((await log_in(browser, request_by(app, scope="read"))).headers["location"])
    for text in (page.text, consent.text):
        assert "<script" not in text and "<img src=x" not in text
        assert "&lt;script&gt;alert(1)" in text


async def test_no_page_is_framed_scripted_or_cached(browser: httpx.AsyncClient) -> None:
    query = request_by(await register(browser))
    pages = [await browser.get("/oauth/authorize", params=query)]
    pages.append(await browser.get((await log_in(browser, query)).headers["location"]))
    pages.append(await agree(browser, query))
    for page in pages:
        policy = page.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy and "default-src 'none'" in policy
        assert "unsafe" not in policy and "script-src" not in policy
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["cache-control"] == "private, no-store"
        assert "access-control-allow-origin" not in page.headers


async def test_only_the_consent_page_may_send_its_form_on_to_a_client(browser: httpx.AsyncClient) -> None:
    query = request_by(await register(browser))
    page = await browser.get("/oauth/authorize", params=query)
    consent = await browser.get((await log_in(browser, query)).headers["location"])
    assert "form-action 'self'" in page.headers["content-security-policy"]
    assert "form-action" not in consent.headers["content-security-policy"]
