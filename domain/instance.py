"""Instance: the server itself. It is founded once; what its URIs begin with can never change after that.

The founding is the first event of every log, so that nothing that reads the log has to ask the configuration.
"""

from collections.abc import Sequence
from datetime import datetime

from domain.events import Command, Event, Refused


class InstanceFounded(Event, frozen=True, tag="instance.founded"):
    """`origin` is scheme and authority without a slash, `actor` the URI of the instance actor (type Application)."""

    origin: str
    domain: str
    actor: str
    public_key_pem: str
    founded_at: datetime


class FoundInstance(Command, frozen=True):
    """Found the instance under this origin. The key pair was made at the edge; only its public half is here."""

    origin: str
    domain: str
    actor: str
    public_key_pem: str


InstanceEvent = InstanceFounded
InstanceCommand = FoundInstance
Instance = InstanceFounded | None
INITIAL: Instance = None
TOUCHED_BY_REMOTE: bool = False


def stream(command: InstanceCommand) -> str:
    """There is one instance, so there is one stream."""
    return "instance"


def decide(state: Instance, command: InstanceCommand, now: datetime) -> Sequence[InstanceEvent]:
    """Founding again under the same origin is silence; under another it is refused."""
    if state is None:
        return [
            InstanceFounded(
                origin=command.origin,
                domain=command.domain,
                actor=command.actor,
                public_key_pem=command.public_key_pem,
                founded_at=now,
            )
        ]
    if state.origin != command.origin:
        raise Refused(
            f"This data belongs to {state.origin}, and addresses can't change once given out: "
            f"set DAYBOOK_DOMAIN={state.domain}, or start a new instance with another DAYBOOK_DATA."
        )
    return []


def evolve(state: Instance, event: InstanceEvent) -> Instance:
    """The founding is all there is to know."""
    return event
