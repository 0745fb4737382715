"""A whole application on real PostgreSQL, with a clock that tests can turn."""

import base64
import datetime as dt
import hashlib
import html
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp
from psycopg_pool import AsyncConnectionPool

from adapters.config import Settings
from adapters.passwords import Passwords
from adapters.postgres.oauth import OAuthStore, hash_of
from adapters.postgres.tokens import TokenCache
from adapters.postgres.users import User, UserStore
from adapters.postgres.visits import Visits
from api.app import create_routes
from api.cors import Edge
from projections.usage import Usage

NOW = dt.datetime(2026, 10, 14, 19, 6, 5, tzinfo=dt.UTC)
PASSWORD = "correct horse battery staple"
OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


class TestServer:
    """What `adapters/wiring.py` composes, without the log."""

    __test__ = False

    def __init__(self, pool: AsyncConnectionPool[Any], settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.oauth = OAuthStore(pool)
        self.users = UserStore(pool)
        self.tokens = TokenCache(self.oauth)
        self.visits = Visits(pool, self.now)
        self.passwords = Passwords()
        self.time = NOW

    def now(self) -> dt.datetime:
        return self.time

    async def usage(self) -> Usage:
        return Usage(users=3, statuses=1_204, domains=57, active_month=2)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        yield

    async def add_alice(self) -> User:
        alice = User(7, "alice", "alice@example.com", hashed(PASSWORD), "user", NOW, None)
        await self.users.add(alice)
        return alice

    def app(self, more: Sequence[HTTPRouteHandler] = ()) -> ASGIApp:
        return Edge(create_routes(self, more))


@cache
def hashed(password: str) -> str:
    """Its hash, worked out once: dozens of tests need the same."""
    return Passwords().hash(password)


@asynccontextmanager
async def browsing(server: TestServer, more: Sequence[HTTPRouteHandler] = ()) -> AsyncIterator[httpx.AsyncClient]:
    """A client that keeps cookies and follows no redirect; a 500 is an answer, not an exception."""
    transport = httpx.ASGITransport(server.app(more), raise_app_exceptions=False)  # pyright: ignore[reportArgumentType]
    async with httpx.AsyncClient(transport=transport, base_url=server.settings.origin) as client:
        yield client


async def register(
    client: httpx.AsyncClient, redirect: str = OUT_OF_BAND, scopes: str = "read write follow push"
) -> Any:
    answer = await client.post(
        "/api/v1/apps", data={"client_name": "Client", "redirect_uris": redirect, "scopes": scopes}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def request_by(app: Any, **changes: Any) -> dict[str, Any]:
    """The query of /oauth/authorize for this app; None leaves a parameter out."""
    usual = {"response_type": "code", "client_id": app["client_id"], "redirect_uri": app["redirect_uris"][0]}
    both = {**usual, "scope": "read write follow push", **changes}
    return {name: value for name, value in both.items() if value is not None}


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of a page's form."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page)
    return {name: html.unescape(value) for name, value in found}


async def log_in(client: httpx.AsyncClient, query: dict[str, Any], **typed: str) -> httpx.Response:
    page = await client.get("/oauth/authorize", params=query)
    assert "Log in" in page.text, page.text
    fields = {**hidden(page.text), "login": "alice", "password": PASSWORD, "step": "log-in", **typed}
    return await client.post("/oauth/authorize", data=fields)


async def agree(client: httpx.AsyncClient, query: dict[str, Any], step: str = "allow") -> httpx.Response:
    """Logs in where that is asked, and presses a button of the consent page."""
    page = await client.get("/oauth/authorize", params=query)
    if 'type="password"' in page.text:
        page = await client.get((await log_in(client, query)).headers["location"])
    return await client.post("/oauth/authorize", data={**hidden(page.text), "step": step})


def code_in(answer: httpx.Response) -> str:
    """The code of a redirect or of the out-of-band page."""
    if "location" in answer.headers:
        return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
    found = re.search(r'<code id="code">([^<]+)</code>', answer.text)
    assert found, answer.text
    return found[1]


def exchange(app: Any, code: str | None, **changes: Any) -> dict[str, Any]:
    """The parameters of /oauth/token for this code; None leaves one out."""
    usual = {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": app["client_id"],
        "client_secret": app["client_secret"],
        "redirect_uri": app["redirect_uris"][0],
    }
    return {name: value for name, value in {**usual, **changes}.items() if value is not None}


async def token_for(server: TestServer, app: Any, scopes: str, account: int | None = 7) -> dict[str, str]:
    """The header of a token made without the dance."""
    secret = f"token-{app['id']}-{scopes}-{account}"
    await server.oauth.add_token(
        hash_of(secret), app=int(app["id"]), account=account, scopes=scopes.split(), now=server.now()
    )
    return {"Authorization": f"Bearer {secret}"}
