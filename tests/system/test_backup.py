"""From a running instance to a backup, and from that to another place: the same people, posts, pictures and keys."""

import asyncio
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from adapters.embedded.postgres import attached_dsn
from tests.pictures import encoded, halves
from tests.system.instance import Instance, free_port
from tests.system.sites import Person, Site, environ_of
from tests.system.test_clients import Running, Toot

TIMEOUT_S = 120
HEAD = "SELECT position, epoch FROM log.head"


class Story:
    """An instance on which something happened; what people are answered is asked of whichever life runs."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.site = Site("localhost", free_port(), place / "data", "")
        asyncio.run(self.site.settle_people(2))
        self.running = Running(self.site.instance, self.site.data)
        self.alice, self.bob = self.site.person(), self.site.person()
        self.bob.follows(self.alice)
        self.picture = self.alice.send("POST", "/api/v2/media", {"file": encoded(halves(300, 200), "PNG")})
        self.avatar = self.alice.send(
            "PATCH", "/api/v1/accounts/update_credentials", {"avatar": encoded(halves(90, 90), "PNG")}
        )["avatar"]
        self.post = self.alice.says("A picture", media_ids=[self.picture["id"]])
        self.bob.post(f"/api/v1/statuses/{self.post['id']}/favourite")

    def daybook(self, *arguments: str, data: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command against the instance's data, or another's; its output in `stdout`, errors included."""
        environ = {**environ_of(self.site), "COLUMNS": "200"}
        return subprocess.run(
            [sys.executable, "-P", "-m", "workers.cli", *arguments],
            env=environ | ({} if data is None else {"DAYBOOK_DATA": str(data)}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    def answers(self) -> dict[str, Any]:
        """What the two are answered, what other servers are, and the pictures' bytes."""
        asked = {
            f"{who.name} {path}": who.get(path)
            for who in (self.alice, self.bob)
            for path in (
                "/api/v1/timelines/home",
                "/api/v1/accounts/verify_credentials",
                "/api/v1/notifications",
                f"/api/v1/statuses/{self.post['id']}/favourited_by",
                f"/api/v1/accounts/{self.alice.id}/followers",
            )
        }
        for path in ("/actor", f"/ap/users/{self.alice.id}", f"/ap/users/{self.alice.id}/statuses/{self.post['id']}"):
            asked[path] = self.alice.client.get(path, headers={"Accept": "application/activity+json"}).json()
        for url in (self.picture["url"], self.picture["preview_url"], self.avatar):
            asked[url] = self.alice.client.get(httpx.URL(url).raw_path.decode()).raise_for_status().content
        return asked

    def head(self, data: Path) -> tuple[int, str]:
        owner = attached_dsn(data)
        assert owner is not None
        with psycopg.connect(owner) as connection:
            row = connection.execute(HEAD).fetchone()
        assert row is not None
        return row


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """One for the module, whose tests tell it in order."""
    made = Story(tmp_path_factory.mktemp("story"))
    yield made
    for person in (made.alice, made.bob):
        person.client.close()
    made.site.instance.end()


@contextmanager
def posting(who: Person) -> Iterator[list[str]]:
    """Somebody posts all the while; gives the ids of their posts."""
    stopping, begun, posted = threading.Event(), threading.Event(), list[str]()

    def post() -> None:
        while not stopping.is_set():
            posted.append(who.post("/api/v1/statuses", status=f"number {len(posted)}")["id"])
            begun.set()

    thread = threading.Thread(target=post)
    thread.start()
    try:
        assert begun.wait(TIMEOUT_S)
        yield posted
    finally:
        stopping.set()
        thread.join()


def test_a_backup_made_while_people_post_is_proved_to_be_of_one_moment(story: Story) -> None:
    folder = story.place / "busy"
    with posting(story.alice) as posted:
        before = len(posted)
        done = story.daybook("backup", str(folder))
        assert len(posted) > before, "nothing was posted meanwhile"
        assert done.returncode == 0, done.stdout
        proof = story.daybook("backup", "verify", str(folder))
    assert proof.returncode == 0, proof.stdout
    assert "which are, byte for byte, what they were when it was made" in proof.stdout
    assert "The live instance's log begins with these very events." in proof.stdout


def test_the_next_backup_into_the_same_folder_has_what_came_since(story: Story) -> None:
    folder = story.place / "backup"
    assert story.daybook("backup", str(folder)).returncode == 0
    said = story.alice.says("Since the last one")
    assert story.bob.get("/api/v1/timelines/home")[0]["id"] == said["id"]
    done = story.daybook("backup", str(folder))
    assert done.returncode == 0, done.stdout
    assert "The master key is NOT in it" in done.stdout
    proof = story.daybook("backup", "verify", str(folder))
    assert proof.returncode == 0, proof.stdout
    assert ", and what they are in the live instance" in proof.stdout


@pytest.mark.parametrize("which", ["log/events-*", "keys/event_keys-*", "app/users-*", "media/??/*"])
def test_a_flipped_bit_is_named(story: Story, tmp_path: Path, which: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(story.place / "backup", copy)
    path = sorted(copy.glob(which))[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    for command in (["backup", "verify"], ["restore"]):
        done = story.daybook(*command, str(copy), data=tmp_path / "data")
        assert done.returncode == 3, done.stdout
        assert f"Damaged: {path} was changed" in done.stdout
    assert not (tmp_path / "data" / "postgres").exists()


def test_read_models_that_are_not_what_the_log_gives_are_told(story: Story, tmp_path: Path) -> None:
    owner = attached_dsn(story.site.data)
    assert owner is not None
    with psycopg.connect(owner) as connection:
        (live,) = connection.execute("SELECT n FROM app.generations WHERE status = 'live'").fetchall()[0]
        statuses, number = f"read_{live}.statuses", int(story.post["id"])
        connection.execute(f"UPDATE {statuses} SET favourites = favourites + 1 WHERE id = {number}")
        connection.commit()
        assert story.daybook("backup", str(tmp_path)).returncode == 0
        connection.execute(f"UPDATE {statuses} SET favourites = favourites - 1 WHERE id = {number}")
    done = story.daybook("backup", "verify", str(tmp_path))
    assert done.returncode == 3, done.stdout
    assert "Not the same: statuses." in done.stdout
    assert "Proved" not in done.stdout


def test_nothing_is_restored_over_an_instance_that_runs_or_ran(story: Story, tmp_path: Path) -> None:
    folder = str(story.place / "backup")
    done = story.daybook("restore", folder)
    assert done.returncode == 1
    assert "already runs on" in done.stdout


def test_a_restored_instance_answers_as_the_one_before_and_people_log_in(story: Story, tmp_path: Path) -> None:
    data, folder = story.place / "elsewhere", str(story.place / "backup")
    before, head = story.answers(), story.head(story.site.data)
    story.site.instance.end()
    stopped = story.daybook("backup", folder)
    assert (stopped.returncode, f"{head[0]:,} events, " in stopped.stdout) == (0, True), stopped.stdout
    refused = story.daybook("restore", folder, data=data)
    assert (refused.returncode, "There is no master key" in refused.stdout) == (1, True)
    key = ("--master-key-file", str(story.site.data / "master.key"))
    done = story.daybook("restore", folder, *key, data=data)
    assert done.returncode == 0, done.stdout
    again = Instance(data, story.site.port).ready()
    try:
        assert story.answers() == before
        position, epoch = story.head(data)
        assert position == head[0]
        assert epoch != head[1]
        assert "Successfully logged in" in Toot(tmp_path).log_in(story.running)
        said = story.alice.says("Here again")
        assert story.bob.get("/api/v1/timelines/home")[0]["id"] == said["id"]
        mixed = story.daybook("backup", folder, data=data)
        assert (mixed.returncode, "in another life" in mixed.stdout) == (1, True)
        assert story.daybook("backup", str(story.place / "new"), data=data).returncode == 0
    finally:
        again.end()
    twice = story.daybook("restore", folder, data=data)
    assert (twice.returncode, "is not empty" in twice.stdout) == (1, True)
