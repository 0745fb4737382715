"""An instance with some history, and its owner's eyes on its database: what tests of replays share."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import psycopg

from adapters.embedded.postgres import attached_dsn
from adapters.postgres.oauth import hash_of
from tests.system.instance import Instance, free_port

TOKEN = "only-in-tests"
POSTS = 150
TIMEOUT_S = 120
_TOKEN = """
    WITH app AS (
        INSERT INTO app.apps (name, redirect_uris, scopes, client_id, secret_hash, created_at)
        VALUES ('tests', '{}', '{read,write,follow}', 'tests', '', now()) RETURNING id
    )
    INSERT INTO app.access_tokens (token_hash, app, account, scopes, created_at)
    SELECT %s, app.id, u.account, '{read,write,follow}', now() FROM app, app.users u WHERE u.username = 'admin'
"""


class Running:
    """An instance with some history, and its owner's eyes on the database."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.instance = Instance(data, free_port()).ready()
        owner = attached_dsn(data)
        assert owner is not None
        self.owner = owner
        with psycopg.connect(owner) as connection:
            connection.execute(_TOKEN, [hash_of(TOKEN)])
        self.client = httpx.Client(
            base_url=f"http://localhost:{self.instance.port}",
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=10,
        )
        self._live_through_something()

    def post(self, text: str) -> str:
        """Publish; gives the status's id."""
        answer = self.client.post("/api/v1/statuses", json={"status": text})
        answer.raise_for_status()
        return answer.json()["id"]

    def value(self, query: str, *values: object) -> object:
        """The first column of the first row."""
        with psycopg.connect(self.owner) as connection:
            row = connection.execute(query.encode(), values or None).fetchone()
        return row[0] if row else None

    def generations(self) -> list[tuple[int, str]]:
        """Number and status of each."""
        with psycopg.connect(self.owner) as connection:
            return connection.execute("SELECT n, status FROM app.generations ORDER BY n").fetchall()

    def live(self) -> int:
        """The number of the generation that is read."""
        (found,) = [n for n, status in self.generations() if status == "live"]
        return found

    def position(self, n: int) -> int:
        """How far a generation has come; 0 while there is none of that number."""
        if self.value("SELECT to_regclass(%s)", f"read_{n}.checkpoint") is None:
            return 0
        found = self.value(f"SELECT notification_id FROM read_{n}.checkpoint WHERE application_name = 'daybook'")
        assert isinstance(found, int)
        return found

    def caught_up(self) -> None:
        """Return when what was posted has been projected."""
        answer = self.client.get("/api/v1/timelines/home").raise_for_status()
        assert "Daybook-Behind" not in answer.headers

    def start_again(self) -> None:
        """End the instance and start it on the same data."""
        self.instance.end()
        self.instance = Instance(self.data, self.instance.port).ready()

    def daybook(self, *arguments: str, through: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Run a command against this data; its output without its errors."""
        return subprocess.run(
            [*through, *command(*arguments)],
            env=environ(self.data),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    def _live_through_something(self) -> None:
        for name in ("alice", "bob"):
            done = self.daybook("account", "create", name)
            assert done.returncode == 0, done.stderr
            found = self.client.get("/api/v1/accounts/lookup", params={"acct": name}).raise_for_status().json()
            self.client.post(f"/api/v1/accounts/{found['id']}/follow").raise_for_status()
        self.client.post(f"/api/v1/accounts/{found['id']}/unfollow").raise_for_status()
        posted = [self.post(f"post {number}") for number in range(POSTS)]
        self.client.put(f"/api/v1/statuses/{posted[0]}", json={"status": "said better"}).raise_for_status()
        self.client.delete(f"/api/v1/statuses/{posted[1]}").raise_for_status()


def command(*arguments: str) -> list[str]:
    """`daybook …` of this environment."""
    return [sys.executable, "-P", "-m", "workers.cli", *arguments]


def environ(data: Path) -> dict[str, str]:
    """What an operator in another terminal has set: where the data are, and nothing of how it was started."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}
    kept = {name: value for name, value in kept.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    return {**kept, "DAYBOOK_DATA": str(data), "COLUMNS": "160"}
