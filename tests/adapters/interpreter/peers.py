"""Events as they stand in a log: what peers send, what documents say, what local commands decided."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from domain.account import AccountRegistered
from domain.activity import ActivityReceived, ActivityReceivedAgain, DocumentFetched, Evidence
from domain.events import Event
from domain.ports import Recorded

OURS = "https://our.test"
PUBLIC = "https://www.w3.org/ns/activitystreams#Public"
START = datetime(2026, 5, 1, tzinfo=UTC)
EVIDENCE = Evidence(key_id="k", signed_lines=b"", signature=b"", key=b"")
ANN, MAL = "https://good.test/u/ann", "https://evil.test/u/mal"
BEN = "https://good.test/u/ben"
ALICE, BOB = f"{OURS}/ap/users/65536", f"{OURS}/ap/users/131072"
CAROL = f"{OURS}/ap/users/196608"
LOCAL = {ALICE: 65536, BOB: 131072, CAROL: 196608}


def at(position: int) -> datetime:
    """One second a position, so that times follow the log."""
    return START + timedelta(seconds=position)


_numbers = count(1)


def _new_stream() -> str:
    """Each activity and document in a stream of its own: what they mean must not depend on where they stand."""
    return f"wire:{next(_numbers):028x}"


def received(signer: str, body: object, inbox: str = "/inbox") -> tuple[str, Any]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return _new_stream(), lambda when: ActivityReceived(
        signer=signer, inbox=inbox, raw=raw, evidence=EVIDENCE, received_at=when
    )


def again(signer: str) -> tuple[str, Any]:
    return _new_stream(), lambda when: ActivityReceivedAgain(signer=signer, inbox="/x", received_at=when)


def fetched(uri: str, body: object) -> tuple[str, Any]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return _new_stream(), lambda when: DocumentFetched(
        uri=uri, raw=raw, content_type="application/activity+json", fetched_at=when
    )


def local(stream: str, event: Event) -> tuple[str, Any]:
    return stream, lambda when: event


def registered(uri: str) -> tuple[str, Any]:
    account = AccountRegistered(account=LOCAL[uri], username=f"u{LOCAL[uri]}", uri=uri, url=uri, registered_at=START)
    return local(f"username:{LOCAL[uri]}", account)


def log_of(entries: Sequence[tuple[str, Any]], start: int = 1) -> list[Recorded]:
    """The entries at dense positions."""
    return [
        Recorded(position=position, stream=stream, version=1, event=make(at(position)))
        for position, (stream, make) in enumerate(entries, start)
    ]


def actor(uri: str, **more: Any) -> dict[str, Any]:
    name = uri.rpartition("/")[2]
    return {"id": uri, "type": "Person", "preferredUsername": name, "inbox": f"{uri}/inbox", **more}


def note(uri: str, author: str, **more: Any) -> dict[str, Any]:
    return {
        "id": uri,
        "type": "Note",
        "attributedTo": author,
        "content": "<p>hi</p>",
        "published": "2026-04-30T12:00:00Z",
        "to": [PUBLIC],
        **more,
    }


def create(uri: str, author: str, **more: Any) -> dict[str, Any]:
    return {"id": f"{uri}/create", "type": "Create", "actor": author, "object": note(uri, author, **more)}


def update(uri: str, author: str, updated: str | None = "2026-04-30T13:00:00Z", **more: Any) -> dict[str, Any]:
    changed = note(uri, author, updated=updated, **more)
    return {"id": f"{uri}/update/{updated}", "type": "Update", "actor": author, "object": changed}


def delete(uri: str, author: str) -> dict[str, Any]:
    tombstone = {"id": uri, "type": "Tombstone"}
    return {"id": f"{author}/delete/{uri.rpartition('/')[2]}", "type": "Delete", "actor": author, "object": tombstone}


def follow(follower: str, followee: str, name: str | None = "f1") -> dict[str, Any]:
    asked: dict[str, Any] = {"type": "Follow", "actor": follower, "object": followee}
    return asked if name is None else {"id": f"{follower}/{name}", **asked}


def undo(follower: str, undone: object, name: str = "undo") -> dict[str, Any]:
    return {"id": f"{follower}/{name}", "type": "Undo", "actor": follower, "object": undone}


def act(kind: str, who: str, what: object, name: str | None = None, **more: Any) -> dict[str, Any]:
    """An activity of any type; `name` is its id, as the end of the actor's URI."""
    done: dict[str, Any] = {"type": kind, "actor": who, "object": what, **more}
    return done if name is None else {"id": f"{who}/{name}", **done}


def answer(kind: str, followee: str, request: object) -> dict[str, Any]:
    return {"id": f"{followee}/{kind}", "type": kind, "actor": followee, "object": request}
