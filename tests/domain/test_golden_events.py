"""An event is a file format: what was once written must read for ever, with everything that it says."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from domain.catalogue import BY_TOPIC
from domain.events import topic_of

LINES = (Path(__file__).parent / "golden_events.jsonl").read_text().splitlines()


def keeps(read: Any, written: Any) -> bool:
    """Whether everything written is read; what has grown a field since says more, at any depth."""
    if isinstance(written, dict):
        return isinstance(read, dict) and all(name in read and keeps(read[name], written[name]) for name in written)
    if isinstance(written, list):
        return len(read) == len(written) and all(map(keeps, read, written))
    return read == written


@pytest.mark.parametrize("line", LINES, ids=lambda line: json.loads(line)["type"])
def test_a_golden_line_reads_for_ever_and_loses_nothing(line: str) -> None:
    written = json.loads(line)
    event = msgspec.json.decode(line, type=BY_TOPIC[written["type"]])
    assert topic_of(event) == written["type"]
    assert keeps(json.loads(msgspec.json.encode(event)), written)


def test_every_kind_of_event_has_a_golden_line() -> None:
    assert {json.loads(line)["type"] for line in LINES} == set(BY_TOPIC)


def test_a_golden_line_reads_from_messagepack_as_the_log_holds_it() -> None:
    for line in LINES:
        kind = BY_TOPIC[json.loads(line)["type"]]
        event = msgspec.json.decode(line, type=kind)
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=kind) == event


@pytest.mark.parametrize("topic", sorted(BY_TOPIC))
def test_a_line_shows_every_field_its_kind_has(topic: str) -> None:
    """So that a field whose name or type is changed later is found out; one added later gets a line of its own."""
    shown = set().union(*(json.loads(line) for line in LINES if json.loads(line)["type"] == topic))
    assert shown >= {field.encode_name for field in msgspec.structs.fields(BY_TOPIC[topic])}
