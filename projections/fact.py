"""Facts: what interpretation found the log's events to mean. Every other projection reads these."""

import msgspec

from domain.events import Event

APPLIED = "applied"
"""The one verdict that rules match; every other one says why nothing came of an event."""


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One settled event of the log.

    `position` is the effective one: the later of its receipt and of all that it waited for; `n` counts within it, from
    0. `stream` is that of the local decision, or of the pair for a remote follow, else None. `because` names
    the remote activity, None for a local event. `event` is there when `verdict` is "applied", with every id filled in.

    `actor` is who acted and `object` what was acted on, as ids: a post (also for a favourite, a pin and a boost, whose
    own id is in its event), or for a follow, a block and a move the other account, for an account both itself. They are
    given with any other verdict too, as far as they are known: the repeated Follow of a "duplicate" can be answered.

    `delivered` is false for what a fetch brought: it may be read, but comes into nobody's home, and nobody is told of
    it. When its delivery comes after all, the post is published `again`: that goes where deliveries go, and changes
    nothing of what the post is and says.
    """

    position: int
    n: int
    received_at_position: int
    stream: str | None
    kind: str
    actor: int | None
    object: int | None
    because: bytes | None
    verdict: str
    event: Event | None = None
    delivered: bool = True
    again: bool = False
