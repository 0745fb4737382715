"""What every event, command and refusal has in common.

An event is a file format: its tag is written to the log for ever, fields are only ever added, with defaults, and
`tests/domain/golden_events.jsonl` holds one line of each kind that must read for ever.
"""

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened. Subclasses give an explicit `tag`, in the past tense: `post.published`."""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """Something somebody asks for, with every fact that deciding on it needs."""


class Refused(Exception):
    """The command is not allowed. `reason` is a sentence for the person who asked."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotFound(Refused):
    """What the command names does not exist, or must look so to this person (404, never 403)."""


class Forbidden(Refused):
    """Whoever it may be, not this person (403)."""


def topic_of(event: Event | type[Event]) -> str:
    """The tag under which an event kind is stored, e.g. `post.published`."""
    tag = event.__struct_config__.tag
    assert isinstance(tag, str), "an event kind must name its tag"
    return tag
