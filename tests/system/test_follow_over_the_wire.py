"""A follow across servers as both sides see it: a real `daybook up`, a stub peer, a client of the Mastodon API."""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from psycopg_pool import AsyncConnectionPool

from adapters.config import load_settings
from adapters.first_start import attached
from adapters.postgres.oauth import App, OAuthStore, hash_of
from adapters.postgres.users import UserStore
from adapters.wiring import utc_now
from tests.federation.peer import Peer, running_peer
from tests.system.instance import Instance, free_port

IN_HOME_WITHIN_S = 1.0
SETTLES_WITHIN_S = 20.0
ASK_EVERY_S = 0.005
SCOPES = ["read", "write", "follow"]
TOKEN = "a token made beside the log-in page"


class Running:
    """The instance, what its operator can ask on the command line, and admin's client."""

    def __init__(self, data: Path, port: int) -> None:
        self.origin = f"http://localhost:{port}"
        self.inbox = f"{self.origin}/inbox"
        own = {"DAYBOOK_DATA": str(data), "DAYBOOK_PORT": str(port)}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}
        self.environ = {n: v for n, v in kept.items() if n not in ("DATABASE_URL", "REDIS_URL")} | own
        self.client = httpx.Client(base_url=self.origin, headers={"Authorization": f"Bearer {TOKEN}"})

    async def make_token(self) -> None:
        settings = attached(load_settings(self.environ))
        async with AsyncConnectionPool[Any](str(settings.database_app_url), min_size=1, open=False) as pool:
            admin = await UserStore(pool).by_login("admin")
            assert admin is not None
            tokens = OAuthStore(pool)
            app = await tokens.add_app(App(0, "Test", None, ["urn:x"], SCOPES, "client", b"", utc_now()))
            await tokens.add_token(hash_of(TOKEN), app=app.id, account=admin.account, scopes=SCOPES, now=utc_now())

    def log(self, *options: str) -> list[Any]:
        """What `daybook log show --json` prints."""
        command = [sys.executable, "-P", "-m", "workers.cli", "log", "show", "--json", *options]
        shown = subprocess.run(command, env=self.environ, check=True, capture_output=True, text=True, timeout=60)
        return [json.loads(line) for line in shown.stdout.splitlines()]

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self.client.get(path, params=params)

    def until(self, path: str, holds: Callable[[httpx.Response], bool], **params: Any) -> None:
        """Ask as a client does until the answer is right."""
        deadline, pause = time.monotonic() + SETTLES_WITHIN_S, threading.Event()
        while not holds(answer := self.get(path, **params)):
            assert time.monotonic() < deadline, answer.text
            pause.wait(ASK_EVERY_S)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """An instance that answers, with a client that is logged in."""
    port = free_port()
    instance = Instance(tmp_path / "data", port)
    made = Running(tmp_path / "data", port)
    try:
        instance.ready()
        asyncio.run(made.make_token())
        yield made
    finally:
        made.client.close()
        instance.end()


@pytest.fixture
def peer() -> Iterator[Peer]:
    """Somebody elsewhere."""
    with running_peer() as peer:
        yield peer


def known(answer: httpx.Response) -> bool:
    return answer.status_code == 200


def test_a_peers_post_is_in_home_within_a_second_of_the_accepted_follow(
    running: Running, peer: Peer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert peer.post(running.inbox, peer.note("Hello from afar")).status == 202
    running.until("/api/v1/accounts/lookup", known, acct=peer.acct)
    found = running.get("/api/v1/accounts/lookup", acct=peer.acct).json()
    assert found["uri"] == peer.actor

    asked = running.client.post(f"/api/v1/accounts/{found['id']}/follow").json()
    assert (asked["following"], asked["requested"]) == (False, True)
    (requested,) = running.log("--topic", "follow.requested")
    follower = f"{running.origin}/ap/users/{requested['event']['follower']}"

    assert peer.post(running.inbox, peer.accept(requested["event"]["request"], follower)).status == 202
    running.until(
        "/api/v1/accounts/relationships",
        lambda answer: answer.json()[0]["following"],
        id=found["id"],
    )
    note = peer.note("Fresh from the wire")
    start = time.monotonic()
    assert peer.post(running.inbox, note).status == 202
    running.until(
        "/api/v1/timelines/home",
        lambda answer: any(status["uri"] == note["object"]["id"] for status in answer.json()),
    )
    took_s = time.monotonic() - start
    with capsys.disabled():
        print(f"\nfrom the peer's POST to a client's home: {1000 * took_s:.0f} ms")  # noqa: T201 (a measurement to be seen)
    assert took_s < IN_HOME_WITHIN_S
    assert "Fresh from the wire" in running.get("/api/v1/timelines/home").json()[0]["content"]


def test_the_log_is_a_whole_record_of_what_came(running: Running, peer: Peer) -> None:
    activity = peer.activity("Listen", "https://music.test/1")
    assert peer.post(running.inbox, activity).status == 202
    (received,) = running.log("--topic", "activity.received")
    assert received["activity"] == activity
    assert received["event"]["signer"] == peer.actor
    (fetched,) = running.log("--topic", "document.fetched")
    assert fetched["document"] == peer.document()
