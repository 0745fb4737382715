"""Claims: what an event says happened, by URIs, before anybody has checked it against what is known.

A translator makes them from the event alone; `settle` decides what comes of them. What waits for something not here
yet is kept as its claim, references only: the body stands in the log and nowhere else.
"""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from domain.events import Event
from domain.post import Visibility

DUPLICATE = "duplicate"
TOMBSTONED = "tombstoned"
UNPROVEN = "unproven"
EXPIRED = "expired"
TOO_MANY_WAIT = "too many wait"
UNDO = "undo"
"""The kind of an Undo that names an activity by its id alone: what that was is for the interpreter to know."""


def refused(reason: str) -> str:
    """The verdict on what may not be."""
    return f"refused: {reason}"


def not_understood(what: str) -> str:
    """The verdict on what no translator knows yet; a better one mends it at the next replay."""
    return f"not understood: {what}"


class UnreadableEvent(Event, frozen=True, tag="unreadable"):
    """Stands for an event whose sealed bytes can't be opened; it is never stored, and claims nothing."""

    reason: str


class Claim(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one event of the log claims.

    `position` and `stream` are those of its receipt. `kind` is the topic of the domain event that it would be (UNDO
    for one that names only an id), empty when only `verdict` is to be said. `object` is what is acted on: the post, the
    account to be followed, the actor itself, or for an answer and an Undo the activity they name, whose own actor and
    object are `inner_actor` and `inner_object` when it is `embedded`; `ours` says that the object is of our own origin,
    so that it can't come later. `activity` is the id of a toggle, or its stream when it has none. `parent` is what a
    post replies to, which never holds it up. `updated` is the version that a post's body says it is, `delivered` false
    for a document that was fetched. `visibility` is how far a post or a boost goes, `target` the collection that an Add
    names. `because` names the remote activity, `at` the time of its receipt. `event` is the same event that a
    local command would give, its ids 0; it is not kept when the claim is parked.
    """

    position: int
    stream: str
    kind: str = ""
    local: bool = False
    actor: str | None = None
    object: str | None = None
    activity: str | None = None
    inner_actor: str | None = None
    inner_object: str | None = None
    parent: str | None = None
    embedded: bool = False
    updated: datetime | None = None
    because: bytes | None = None
    verdict: str | None = None
    event: Event | None = None
    ours: bool = False
    delivered: bool = True
    visibility: Visibility | None = None
    target: str | None = None
    at: datetime | None = None


def names(claim: Claim) -> Iterator[str]:
    """Every URI that settling the claim may ask about."""
    for uri in (claim.actor, claim.object, claim.activity, claim.inner_actor, claim.inner_object, claim.parent):
        if uri is not None:
            yield uri


def brings(claim: Claim) -> str | None:
    """The URI that becomes known if the claim is not refused: an account, a post, or the id of what can be undone."""
    match claim.kind:
        case "account.registered" | "post.published":
            return claim.object
        case "follow.requested" | "post.favourited" | "post.boosted" | "account.blocked":
            return claim.activity
        case _:
            return None


def because_of(stream: str) -> bytes:
    """What tells a remote stream from all others: the hexadecimal digits at its end, else the whole name's bytes."""
    digits = stream.rpartition(":")[2]
    try:
        return bytes.fromhex(digits) or stream.encode()
    except ValueError:
        return stream.encode()
