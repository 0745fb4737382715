"""Secrets fly through every channel of a running instance, and none of them lands in what any part of it says."""

import json
import re
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx

from tests.database import APP_PASSWORD, Database
from tests.system.instance import Instance, free_port

REDIRECT = "https://client.example/back"
HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


def fields(page: str) -> dict[str, str]:
    return {name: value.replace("&amp;", "&") for name, value in HIDDEN.findall(page)}


def test_no_part_ever_says_a_secret(database: Database, tmp_path: Path) -> None:
    fly = {name: f"{name}-{secrets.token_hex(8)}" for name in ("bearer", "query", "typed", "code", "metrics", "cookie")}
    fly |= {"mail": f"{secrets.token_hex(6)}@mail.example", "key": secrets.token_hex(32), "redis": secrets.token_hex(9)}
    nowhere, port = free_port(), free_port()
    instance = Instance(
        tmp_path,
        port,
        DATABASE_URL=database.owner,
        DAYBOOK_DATABASE_APP_URL=database.app,
        # Nobody is there, so that everything that needs it complains.
        REDIS_URL=f"redis://:{fly['redis']}@127.0.0.1:{nowhere}/0",
        DAYBOOK_MASTER_KEY=fly["key"],
        DAYBOOK_METRICS_TOKEN=fly["metrics"],
        DAYBOOK_LOG_LEVEL="debug",
    )
    try:
        first = instance.ready().wait_for("(it is kept nowhere: note it down)")
        password = first.partition(" is ")[2].split()[0]
        with httpx.Client(base_url=f"http://localhost:{port}", timeout=20) as client:
            given = _log_in(client, password, fly)
            _knock(client, given, fly)
            last = client.get("/api/v1/timelines/home", headers={"Authorization": f"Bearer {given['token']}"})
        assert last.status_code == 200, last.text
        instance.wait_for(last.headers["x-request-id"])
    finally:
        instance.end()
    # The first password is told on purpose, twice; never in a line of the log.
    said = "".join(line for line in instance.said if "note it down" not in line and not line.startswith("  Password"))
    owner = urlsplit(database.owner).password
    assert owner is not None
    for name, secret in {**fly, **given, "password": password, "owner": owner, "app": APP_PASSWORD}.items():
        assert secret not in said and quote(secret, safe="") not in said, f"{name} was said"
    lines = [json.loads(line) for line in instance.said if line.startswith("{")]
    assert {line["logger"] for line in lines} >= {"daybook.request", "daybook.up", "daybook.serve", "daybook.project"}
    asked = {(line["method"], line["route"], line["status"]) for line in lines if line["logger"] == "daybook.request"}
    assert ("POST", "/oauth/token", 200) in asked and ("GET", "/api/v1/timelines/home", 200) in asked


def test_a_refused_database_password_is_not_repeated(database: Database, tmp_path: Path) -> None:
    parts = urlsplit(database.owner)
    for password in ("swordfish-swordfish", "sword@fish/fish", "swordfish%zz"):
        url = parts._replace(netloc=f"nobody:{password}@127.0.0.1:1", query="").geturl()
        instance = Instance(tmp_path, free_port(), DATABASE_URL=url)
        assert instance.process.wait(30) == 1
        instance.end()
        assert "fish" not in "".join(instance.said)


def _log_in(client: httpx.Client, password: str, fly: dict[str, str]) -> dict[str, str]:
    """The whole OAuth dance; gives everything secret that came of it."""
    app: Any = client.post(
        "/api/v1/apps", data={"client_name": "C", "redirect_uris": REDIRECT, "scopes": "read write"}
    ).json()
    query = {"response_type": "code", "client_id": app["client_id"], "redirect_uri": REDIRECT, "scope": "read write"}
    page = client.get("/oauth/authorize", params=query)
    wrong = {**fields(page.text), "login": fly["mail"], "password": fly["typed"], "step": "log-in"}
    assert client.post("/oauth/authorize", data=wrong).status_code in (200, 401, 403, 422)
    page = client.get("/oauth/authorize", params=query)
    right = {**fields(page.text), "login": "admin", "password": password, "step": "log-in"}
    consent = client.get(client.post("/oauth/authorize", data=right).headers["location"])
    allowed = client.post("/oauth/authorize", data={**fields(consent.text), "step": "allow"})
    code = parse_qs(urlsplit(allowed.headers["location"]).query)["code"][0]
    exchange = {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": app["client_id"],
        "client_secret": app["client_secret"],
        "redirect_uri": REDIRECT,
    }
    token = client.post("/oauth/token", data=exchange).json()["access_token"]
    assert client.post("/oauth/token", params={**exchange, "code": fly["code"]}).status_code == 400
    session = next(iter(client.cookies.jar)).value
    assert session is not None
    return {"code used": code, "client secret": app["client_secret"], "token": token, "session": session}


def _knock(client: httpx.Client, given: dict[str, str], fly: dict[str, str]) -> None:
    """Good and bad secrets in headers, queries, forms, JSON and where they don't belong."""
    bearer = {"Authorization": f"Bearer {given['token']}"}
    client.post("/api/v1/statuses", headers=bearer, data={"status": f"write to {fly['mail']}"})
    client.get("/api/v1/timelines/home", params={"access_token": fly["query"]})
    client.get("/api/v1/timelines/home", headers={"Authorization": f"Bearer {fly['bearer']}"})
    client.get(f"/api/v1/nothing/{fly['query']}", params={"access_token": given["token"]})
    client.get(f"/oauth/authorize/{fly['code']}", headers={"Cookie": f"session={fly['cookie']}"})
    client.post("/oauth/token", json={"password": fly["typed"], "code": fly["code"]})
    client.post("/oauth/revoke", data={"token": fly["query"], "client_secret": fly["typed"]})
    client.get("/metrics", headers={"Authorization": f"Bearer {fly['metrics']}"})
    client.get("/metrics", headers={"Authorization": f"Bearer {fly['metrics']}x"})
    signature = f'keyId="http://localhost:1/{fly["query"]}",headers="date",signature="{fly["bearer"]}"'
    headers = {"Signature": signature, "Content-Type": "application/activity+json"}
    client.post("/inbox", headers=headers, content=b'{"type": "Like", "actor": "http://localhost:1/a", "id": "x"}')
    client.get("/api/v2/search", headers=bearer, params={"q": fly["mail"], "resolve": "true"})
    client.request("PROPFIND", f"/{fly['code']}", headers=bearer)
