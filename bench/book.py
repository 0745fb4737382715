"""Filling a log fast: events sealed and appended in big groups through the writer that the processes use."""

from collections.abc import Iterable
from concurrent.futures import Future
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

import psycopg

from adapters.codec import Codec, Pepper
from adapters.config import Settings
from adapters.master_key import load_master_key
from adapters.postgres import secrets
from adapters.postgres.received import content_key, new_stream
from adapters.postgres.writer import Appended, GroupWriter, NewEvent
from domain.activity import ActivityReceived, DocumentFetched, Evidence
from domain.events import Event

GROUP_EVENTS = 500
IN_FLIGHT_MAX = 4
INBOX = "/inbox"
# As long as real ones: the interpreter never looks inside.
EVIDENCE = (b"(request-target): post /inbox\nhost: localhost:3000\ndate: " + b"x" * 180, b"s" * 256, b"k" * 294)


class Line(NamedTuple):
    """An event and the stream that it goes to; `once` as the inbox gives it."""

    stream: str
    event: Event
    once: bytes | None = None


class Book:
    """An instance's log with the keys to it. Close it in the end."""

    def __init__(self, settings: Settings) -> None:
        assert settings.database_app_url is not None, "settings must be attached first"
        self.settings = settings
        self.codec = Codec(load_master_key(settings))
        with psycopg.connect(settings.database_app_url) as connection:
            self.pepper = Pepper(secrets.read_secret(connection, self.codec, secrets.PEPPER))
        self.writer = GroupWriter(settings.database_app_url)

    def received(self, signer: str, activity_id: str, raw: bytes, at: datetime, *, content: bool) -> Line:
        """An activity as the inbox would store it."""
        lines, signature, key = EVIDENCE
        evidence = Evidence(key_id=f"{signer}#main-key", signed_lines=lines, signature=signature, key=key)
        event = ActivityReceived(signer=signer, inbox=INBOX, raw=raw, evidence=evidence, received_at=at)
        return Line(
            # Not by `at`: in a log that is filled from a date of its own, later streams would sort among the first.
            new_stream(datetime.now(UTC)),
            event,
            content_key(self.pepper, signer, activity_id, raw) if content else None,
        )

    def fetched(self, uri: str, raw: bytes, at: datetime) -> Line:
        """A document as the fetcher would store it."""
        stream = f"document:{self.pepper.hash('document', uri).hex()}"
        return Line(stream, DocumentFetched(uri=uri, raw=raw, content_type="application/activity+json", fetched_at=at))

    def append(self, lines: Iterable[Line]) -> int:
        """Append all lines, in order; gives the position of the last."""
        source, pending = iter(lines), list[Future[Appended]]()
        last = 0
        while group := list(islice(source, GROUP_EVENTS)):
            sealed = [self.codec.seal(line.stream, line.event) for line in group]
            new = [NewEvent(line.stream, None, one, line.once) for line, one in zip(group, sealed, strict=True)]
            pending.append(self.writer.submit(new))
            if len(pending) > IN_FLIGHT_MAX:
                last = _position(pending.pop(0))
        for future in pending:
            last = _position(future)
        return last

    def ids(self, uris: Iterable[str]) -> dict[str, int]:
        """The ids that the interpreter gave out."""
        with psycopg.connect(self.settings.database_app_url or "") as connection:
            found = connection.execute("SELECT uri, id FROM app.ids WHERE uri = ANY(%s)", [list(uris)])
            return dict(found.fetchall())

    def close(self) -> None:
        """Write what is queued."""
        self.writer.close()


def _position(future: Future[Appended]) -> int:
    appended = future.result()
    assert appended.outcome == "stored", f"the generator repeated itself: {appended.outcome}"
    return appended.positions[-1]
