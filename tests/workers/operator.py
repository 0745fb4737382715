"""Somebody at the command line: runs `daybook` in a process of its own, with nothing set but where the data are."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

from adapters.codec import Codec
from adapters.config import Settings
from adapters.postgres.generations import Generation
from adapters.postgres.writer import GroupWriter, NewEvent
from adapters.wiring import make_projector
from domain.activity import ActivityReceived, Evidence
from domain.events import Event
from tests.database import MASTER_KEY

TIMEOUT_S = 60
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Operator:
    """`daybook` against one instance, and ways to make something happen in it."""

    def __init__(self, settings: Settings) -> None:
        assert settings.database_url is not None and settings.database_app_url is not None
        assert settings.redis_url is not None
        self.settings = settings
        self.url = settings.database_app_url
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}
        self.environ = {
            **kept,
            "COLUMNS": "160",
            "DATABASE_URL": settings.database_url,
            "DAYBOOK_DATABASE_APP_URL": settings.database_app_url,
            "DAYBOOK_DATA": str(settings.data),
            "DAYBOOK_MASTER_KEY": MASTER_KEY.hex(),
            "REDIS_URL": settings.redis_url,
            "PYTHONUNBUFFERED": "1",
        }

    def command(self, *arguments: str) -> list[str]:
        """The command line."""
        return [sys.executable, "-P", "-m", "workers.cli", *arguments]

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run it, whatever comes of it."""
        return subprocess.run(
            self.command(*arguments),
            env=self.environ,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    def says(self, *arguments: str, stdin: str = "") -> str:
        """What it prints; it must succeed."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refused(self, *arguments: str, stdin: str = "") -> str:
        """The one sentence it ends with."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 1, done.stdout + done.stderr
        (sentence,) = done.stderr.splitlines()
        return sentence

    def lines(self, *arguments: str) -> list[dict[str, Any]]:
        """What `daybook log show --json` prints."""
        return [json.loads(line) for line in self.says("log", "show", "--json", *arguments).splitlines()]

    def append(self, stream: str, event: Event) -> int:
        """One more event; gives its position."""
        writer = GroupWriter(self.url)
        try:
            sealed = Codec(MASTER_KEY).seal(stream, event)
            return writer.submit([NewEvent(stream, None, sealed)]).result(TIMEOUT_S).positions[0]
        finally:
            writer.close()

    def receive(self, raw: bytes, signer: str = "https://b.test/users/bob", stream: str = "activity:1") -> int:
        """Something that came by the shared inbox."""
        evidence = Evidence(key_id=f"{signer}#key", signed_lines=b"date: now", signature=b"\xff\x00", key=b"\xfe")
        event = ActivityReceived(signer=signer, inbox="/inbox", raw=raw, evidence=evidence, received_at=NOW)
        return self.append(stream, event)

    def project(self) -> None:
        """Project all that is there."""
        projector = make_projector(self.settings, self.url, Generation(1, "", ""))
        try:
            while projector.step(1_000):
                pass
        finally:
            projector.reset()
