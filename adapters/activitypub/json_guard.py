"""JSON from elsewhere: decoded once, into one tree, within limits.

Duplicate keys are resolved silently (the last wins) by every parser, so the tree that comes out here is the one that is
both checked and used; nobody parses the bytes a second time with something else.
"""

from typing import Any, Final, cast

import msgspec

DEPTH_MAX: Final = 32
KEYS_MAX: Final = 10_000
ACTIVITYSTREAMS_CONTEXTS: Final = frozenset(
    {
        "https://www.w3.org/ns/activitystreams",
        "http://www.w3.org/ns/activitystreams",
        "https://www.w3.org/ns/activitystreams#",
    }
)

JsonObject = dict[str, Any]


class JsonRefused(Exception):
    """The bytes are no JSON object within the limits; `reason` says why in a sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def decode_json_object(raw: bytes) -> JsonObject:
    """The object that `raw` holds: UTF-8, RFC 8259, at most 32 levels and 10,000 keys, no NUL in any string.

    The length of `raw` is the caller's to limit. Raises JsonRefused, and nothing else.
    """
    try:
        document = msgspec.json.decode(raw)
    except RecursionError:
        raise JsonRefused("The JSON is nested too deeply.") from None
    except UnicodeDecodeError:
        raise JsonRefused("The JSON is not valid UTF-8.") from None
    except msgspec.ValidationError:
        raise JsonRefused("The JSON holds a number that is out of range.") from None
    except msgspec.DecodeError as problem:
        raise JsonRefused(f"This is not JSON: {problem}.") from None
    if not isinstance(document, dict):
        raise JsonRefused("The JSON is not an object.")
    tree = cast(JsonObject, document)
    # Counting brackets and colons is far quicker than a walk, and almost always enough.
    if raw.count(b"{") + raw.count(b"[") > DEPTH_MAX or raw.count(b":") > KEYS_MAX:
        _check_size(tree)
    if b"\\u0000" in raw:
        _check_no_nul(tree)
    return tree


def has_activitystreams_context(document: JsonObject) -> bool:
    """Whether `@context` is, or lists, ActivityStreams 2.0 (its section 2.1). Nothing else in it is interpreted."""
    context: object = document.get("@context")
    if isinstance(context, str):
        return context in ACTIVITYSTREAMS_CONTEXTS
    if not isinstance(context, list):
        return False
    entries = cast(list[object], context)
    return any(isinstance(entry, str) and entry in ACTIVITYSTREAMS_CONTEXTS for entry in entries)


def _check_size(tree: JsonObject) -> None:
    keys = 0
    level: list[object] = [tree]
    for _ in range(DEPTH_MAX):
        keys += sum(len(cast(JsonObject, node)) for node in level if isinstance(node, dict))
        if keys > KEYS_MAX:
            raise JsonRefused(f"The JSON has more than {KEYS_MAX:,} keys.")
        level = [child for node in level for child in _children(node) if isinstance(child, dict | list)]
        if not level:
            return
    raise JsonRefused(f"The JSON is nested more than {DEPTH_MAX} levels deep.")


def _check_no_nul(tree: JsonObject) -> None:
    waiting: list[object] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            if "\0" in node:
                raise JsonRefused("The JSON holds a NUL character.")
        elif isinstance(node, dict):
            waiting.extend(cast(JsonObject, node))
            waiting.extend(cast(JsonObject, node).values())
        elif isinstance(node, list):
            waiting.extend(cast(list[object], node))


def _children(node: object) -> list[object]:
    return list(cast(JsonObject, node).values()) if isinstance(node, dict) else cast(list[object], node)
