"""Payloads of our own writing, in the shapes that peers send: each comes to the very claim that stands beside it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from adapters.activitypub.incoming import Translator
from adapters.interpreter.claims import Claim
from domain.activity import ActivityReceived, Evidence
from domain.events import topic_of
from domain.ports import Recorded

PAYLOADS = Path(__file__).parent / "payloads"
GOLDEN = Path(__file__).parent / "claims.json"
OURS = "https://our.test"
ANN = "https://good.test/users/ann"
RECEIVED_AT = datetime(2026, 5, 1, tzinfo=UTC)
EVIDENCE = Evidence(key_id="", signed_lines=b"", signature=b"", key=b"")
INBOX = "/ap/users/131072/inbox"


def claim_of(raw: bytes, inbox: str = "/inbox") -> Claim:
    event = ActivityReceived(signer=ANN, inbox=inbox, raw=raw, evidence=EVIDENCE, received_at=RECEIVED_AT)
    return Translator(OURS).translate(Recorded(position=1, stream="remote:00ff", version=1, event=event))


def told(claim: Claim) -> dict[str, object]:
    """The claim without what is the same for all, as JSON has it, defaults left out."""
    plain = msgspec.to_builtins(msgspec.structs.replace(claim, event=None), builtin_types=())
    shown = {key: value for key, value in plain.items() if key not in {"position", "stream", "because", "at"}}
    if claim.event is not None:
        shown["event"] = {"topic": topic_of(claim.event), **_without_defaults(claim.event)}
    return shown


def _without_defaults(event: msgspec.Struct) -> dict[str, object]:
    plain = json.loads(msgspec.json.encode(event))
    return {key: value for key, value in plain.items() if value not in (None, [], "", False, 0) and key != "type"}


@pytest.mark.parametrize("path", sorted(PAYLOADS.glob("*.json")), ids=lambda path: path.stem)
def test_a_payload_comes_to_its_golden_claim(path: Path) -> None:
    assert told(claim_of(path.read_bytes())) == json.loads(GOLDEN.read_text())[path.stem]


def test_every_golden_claim_has_its_payload() -> None:
    assert {path.stem for path in PAYLOADS.glob("*.json")} == set(json.loads(GOLDEN.read_text()))


@pytest.mark.parametrize(
    ("name", "audience"),
    [
        ("create_followers_only", [f"{OURS}/ap/users/131072"]),
        ("create_direct_bare_strings", [f"{OURS}/ap/users/131072", f"{OURS}/ap/users/65536"]),
        ("create_addressed_to_nobody", [f"{OURS}/ap/users/131072"]),
        ("create_public_full", []),
    ],
)
def test_who_was_sent_a_private_post_by_their_own_inbox_is_of_its_audience(name: str, audience: list[str]) -> None:
    claim = claim_of((PAYLOADS / f"{name}.json").read_bytes(), inbox=INBOX)
    assert list(claim.event.audience) == audience
