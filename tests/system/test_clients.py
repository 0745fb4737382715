"""Stock clients, unmodified, against a real instance: they log in through its pages, post, and read their home."""

import html
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from copy import copy
from pathlib import Path
from typing import IO
from urllib.parse import urljoin

import httpx
import pytest
from mastodon import Mastodon

from tests.pictures import encoded, halves, located_jpeg, opened
from tests.system.instance import Instance, free_port

SCOPES = ["read", "write", "follow", "push"]
TIMEOUT_S = 30
PASSWORD = "correct horse battery staple"
_FIELD = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
_CODE = re.compile(r'<code id="code">([^<]+)</code>')


class Running:
    """An instance whose data is at `data`, and who may log in."""

    def __init__(self, instance: Instance, data: Path) -> None:
        self.base_url, self.data = f"http://localhost:{instance.port}", data
        self.login = instance.wait_for("Log in as").split()[3]
        self.password = instance.wait_for("Password").split()[1]

    def as_somebody_new(self, name: str) -> "Running":
        """The same instance for somebody whose account is made now."""
        making = [sys.executable, "-P", "-m", "workers.cli", "account", "create", name, "--stdin"]
        environ = {**os.environ, "DAYBOOK_DATA": str(self.data)}
        subprocess.run(making, input=f"{PASSWORD}\n", text=True, env=environ, check=True, timeout=TIMEOUT_S)
        other = copy(self)
        other.login, other.password = name, PASSWORD
        return other


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A fresh instance."""
    data = tmp_path_factory.mktemp("clients") / "data"
    instance = Instance(data, free_port())
    try:
        yield Running(instance.ready(), data)
    finally:
        instance.end()


def code_for(running: Running, url: str) -> str:
    """What a person does whom a client sent to `url`: log in, allow it, copy the code from the page."""
    with httpx.Client(follow_redirects=True, timeout=TIMEOUT_S) as browser:
        page = browser.get(url)
        typed = {"login": running.login, "password": running.password, "step": "log-in"}
        page = _submit(browser, page, typed)
        page = _submit(browser, page, {"step": "allow"})
        found = _CODE.search(page.text)
        assert found, page.text
        return found[1]


def _submit(browser: httpx.Client, page: httpx.Response, typed: dict[str, str]) -> httpx.Response:
    """Fill in the page's form and send it."""
    page.raise_for_status()
    hidden = {name: html.unescape(value) for name, value in _FIELD.findall(page.text)}
    return browser.post(urljoin(str(page.url), "/oauth/authorize"), data={**hidden, **typed})


class Toot:
    """The command `toot` with a configuration of its own."""

    def __init__(self, home: Path) -> None:
        self._command = [str(Path(sys.executable).with_name("toot"))]
        self._environ = {**os.environ, "XDG_CONFIG_HOME": str(home), "PYTHONUNBUFFERED": "1"}

    def run(self, *arguments: str) -> str:
        """What it prints; it must succeed."""
        done = subprocess.run(
            [*self._command, *arguments],
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def log_in(self, running: Running) -> str:
        """`toot login` with the out-of-band code: it prints an address, and asks for what that page shows."""
        process = subprocess.Popen(
            [*self._command, "login", "--instance", running.base_url],
            env=self._environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with process:
            assert process.stdout is not None
            url = _address_in(process.stdout)
            said, _ = process.communicate(f"n\n{code_for(running, url)}\n", timeout=TIMEOUT_S)
        assert process.returncode == 0, said
        return said


def _address_in(output: IO[str]) -> str:
    said: list[str] = []
    for line in output:
        said.append(line)
        if line.startswith("http"):
            return line.strip()
    raise AssertionError("no address was printed:\n" + "".join(said))


def test_toot_logs_in_posts_and_reads_its_home(running: Running, tmp_path: Path) -> None:
    toot = Toot(tmp_path)
    assert "Successfully logged in" in toot.log_in(running)
    assert "@admin" in toot.run("whoami")
    assert "Toot posted" in toot.run("post", "Hello from toot, #first")
    shown = toot.run("timelines", "home", "--no-pager", "--no-clear")
    assert "Hello from toot, #first" in shown
    for timeline in ("public", "account"):
        names = ["admin"] if timeline == "account" else []
        assert "Hello from toot" in toot.run("timelines", timeline, *names, "--no-pager", "--no-clear")
    assert "admin" in toot.run("whois", "admin")
    assert "Daybook" in toot.run("instance")


def mastodon_py(running: Running) -> Mastodon:
    """A client that is logged in."""
    client_id, secret = Mastodon.create_app(
        "Scripted", api_base_url=running.base_url, scopes=SCOPES, redirect_uris="urn:ietf:wg:oauth:2.0:oob"
    )
    client = Mastodon(client_id, secret, api_base_url=running.base_url)
    url = client.auth_request_url(scopes=SCOPES, allow_http=True)
    client.log_in(code=code_for(running, url), scopes=SCOPES, allow_http=True)
    return client


def test_mastodon_py_logs_in_posts_reads_edits_and_deletes(running: Running) -> None:
    client = mastodon_py(running)
    me = client.me()
    assert me.acct == "admin"
    status = client.status_post(
        "Hello from Mastodon.py", visibility="unlisted", spoiler_text="a greeting", idempotency_key="one"
    )
    assert client.status_post("Hello again", idempotency_key="one").id == status.id
    assert client.timeline_home()[0].id == status.id
    assert client.status(status.id).content == "<p>Hello from Mastodon.py</p>"
    assert client.status_update(status.id, "Hello, edited").content == "<p>Hello, edited</p>"
    thread = client.status_reply(status, "and more")
    assert thread.in_reply_to_id == status.id
    assert [one.id for one in client.account_statuses(me.id, limit=2)] == [thread.id, status.id]
    first = client.timeline_home(limit=1)
    assert client.fetch_next(first)[0].id == status.id
    assert client.account_lookup("admin").id == me.id
    assert client.account_relationships(me.id)[0].following is False
    assert client.status_delete(status.id).text == "Hello, edited"
    assert status.id not in [one.id for one in client.timeline_home()]
    for empty in (client.notifications, client.lists, client.custom_emojis, client.conversations):
        assert list(empty()) == []
    assert client.preferences()["posting:default:visibility"] == "public"


def test_toot_reads_who_follows_mentions_likes_and_boosts_its_owner(running: Running, tmp_path: Path) -> None:
    admin, bea = Toot(tmp_path / "admin"), Toot(tmp_path / "bea")
    admin.log_in(running)
    bea.log_in(running.as_somebody_new("bea"))
    posted = admin.run("post", "Like this")
    number = re.search(r"/(\d+)\s*$", posted)
    assert number, posted
    bea.run("follow", "admin")
    bea.run("favourite", number[1])
    bea.run("reblog", number[1])
    bea.run("post", "Good morning @admin")
    shown = admin.run("notifications")
    assert "Good morning @admin" in shown and shown.count("@bea") >= 4, shown


def test_toot_posts_pictures_with_their_descriptions_and_changes_its_avatar(running: Running, tmp_path: Path) -> None:
    cat, dog = tmp_path / "cat.jpg", tmp_path / "dog.png"
    cat.write_bytes(located_jpeg(6))
    dog.write_bytes(encoded(halves(300, 200), "PNG"))
    toot = Toot(tmp_path / "toot")
    toot.log_in(running)
    media = ["--media", str(cat), "--description", "a cat", "--media", str(dog), "--description", "a dog"]
    said = toot.run("post", "Two animals", *media, "--sensitive")
    assert "Toot posted" in said
    found = httpx.get(
        f"{running.base_url}/api/v1/timelines/public", params={"only_media": "true", "limit": 1}, timeout=TIMEOUT_S
    ).json()
    assert [one["description"] for one in found[0]["media_attachments"]] == ["a cat", "a dog"]
    assert found[0]["sensitive"] is True
    shown = opened(httpx.get(found[0]["media_attachments"][0]["url"], timeout=TIMEOUT_S).content)
    assert shown.size == (80, 120) and not dict(shown.getexif())
    assert found[0]["media_attachments"][0]["url"] in toot.run("timelines", "home", "--no-pager", "--no-clear")
    assert "updated" in toot.run("update-account", "--avatar", str(dog), "--display-name", "Toot").lower()
    assert "Toot" in toot.run("whoami")


def test_mastodon_py_uploads_pictures_and_edits_its_profile(running: Running) -> None:
    client, cat = mastodon_py(running), located_jpeg(1)
    media = client.media_post(cat, "image/jpeg", description="a cat", focus=(0.5, -0.5))
    assert client.media(media).url == media.url and media.meta.focus.x == 0.5
    media = client.media_update(media, description="a big cat")
    status = client.status_post("Look", media_ids=[media])
    assert [one.description for one in status.media_attachments] == ["a big cat"]
    attribute = client.generate_media_edit_attributes(media.id, description="a tiger")
    edited = client.status_update(status, "Look again", media_attributes=[attribute])
    assert edited.media_attachments[0].description == "a tiger"
    assert client.status_delete(status).media_attachments[0].id == media.id
    assert client.status_post("Once more", media_ids=[media]).media_attachments[0].description == "a tiger"
    me = client.account_update_credentials(
        display_name="Scripted",
        note="by Mastodon.py",
        avatar=cat,
        avatar_mime_type="image/jpeg",
        fields=[("Site", "https://example.org")],
    )
    assert (me.display_name, me.source.note, me.source.fields[0].value) == (
        "Scripted",
        "by Mastodon.py",
        "https://example.org",
    )
    assert opened(httpx.get(me.avatar, timeout=TIMEOUT_S).content).size == (400, 400)
    assert client.account_delete_avatar().avatar.endswith("/avatars/original/missing.png")


def test_pages_that_clients_read_aloud_are_json_even_for_what_is_not_there(running: Running) -> None:
    missing = "This server doesn't have this endpoint yet"
    for path, said in (
        ("/api/v1/nothing", missing),
        ("/api/v1/statuses/1", "Record not found"),
        ("/api/v9", missing),
    ):
        answer = httpx.get(running.base_url + path, headers={"Accept": "text/html"}, timeout=TIMEOUT_S)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        assert answer.json() == {"error": said}
