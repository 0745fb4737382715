"""An event of the log as one line of JSON.

Bytes are text where they are text, else {"base64": …}; numbers that JavaScript would round (ids) are strings; a
received activity stands parsed under "activity", a fetched document under "document".
"""

import re
from base64 import b64encode
from datetime import datetime
from typing import Any, cast

import msgspec

from adapters.postgres.reading_log import Entry, Finding, Names
from domain.activity import ActivityReceived, DocumentFetched
from workers.log_parties import activity_of

SAFE_INTEGER_MAX = 2**53 - 1
# JSON escapes only what is below U+0020; a terminal may obey these as well.
_CONTROLS = re.compile("[\x7f-\x9f]")


def json_line(entry: Entry, names: Names) -> str:
    """One line, without its end."""
    shown: dict[str, Any] = {
        "position": entry.position,
        "stream": entry.stream,
        "version": entry.version,
        "topic": entry.topic,
    }
    if entry.unreadable is not None:
        shown["unreadable"] = entry.unreadable
    parsed = None
    if entry.event is not None:
        event: dict[str, Any] = msgspec.to_builtins(entry.event, builtin_types=(bytes, datetime))
        event.pop("type", None)
        if isinstance(entry.event, ActivityReceived | DocumentFetched):
            parsed = activity_of(entry.event.raw)
            if parsed is not None:
                del event["raw"]
        shown["event"] = plain(event)
        if parsed is not None:
            shown["activity" if isinstance(entry.event, ActivityReceived) else "document"] = parsed
    shown["facts"] = [_fact(fact, names) for fact in entry.facts]
    if entry.parked is not None:
        shown["parked"] = {"waits_for": entry.parked.waits_for, "reason": entry.parked.reason}
    return for_terminals(msgspec.json.encode(shown).decode())


def for_terminals(line: str) -> str:
    """The same JSON without what a terminal would obey."""
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", line)


def _fact(fact: Finding, names: Names) -> dict[str, Any]:
    return {
        "position": fact.position,
        "n": fact.n,
        "stream": fact.stream,
        "kind": fact.kind,
        "verdict": fact.verdict,
        "actor": None if fact.actor is None else str(fact.actor),
        "actor_uri": names.uris.get(fact.actor or 0),
        "object": None if fact.object is None else str(fact.object),
        "object_uri": names.uris.get(fact.object or 0),
    }


def plain(value: object) -> object:
    """The same in what JSON has."""
    match value:
        case dict():
            return {str(key): plain(inner) for key, inner in cast(dict[object, object], value).items()}
        case list() | tuple():
            return [plain(inner) for inner in cast(list[object], value)]
        case bytes():
            return _text(value)
        case bool():
            return value
        case int() if abs(value) > SAFE_INTEGER_MAX:
            return str(value)
        case _:
            return value


def _text(value: bytes) -> object:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = ""
    if value and not text.replace("\n", "").replace("\t", "").isprintable():
        text = ""
    return text if text or not value else {"base64": b64encode(value).decode()}
