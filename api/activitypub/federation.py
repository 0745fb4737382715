"""What the federation's routes need of the composition; `adapters/wiring.py` builds the real one."""

import datetime as dt
from typing import Protocol, TypeAlias

from litestar.di import NamedDependency
from litestar.params import SkipValidation

from adapters.activitypub.remote_keys import RemoteKeys
from adapters.config import Settings
from adapters.pages import Pages
from adapters.postgres.actor_keys import ActorKeys
from adapters.postgres.host_life import HostLife
from adapters.postgres.reads import Reads
from adapters.postgres.received import Inbox
from adapters.postgres.refusals import Refusals
from projections.usage import Usage


class Federation(Protocol):
    """The outside world as peers' requests meet it."""

    @property
    def settings(self) -> Settings:
        """What the operator set."""
        ...

    @property
    def inbox(self) -> Inbox:
        """Where verified activities go."""
        ...

    @property
    def keys(self) -> RemoteKeys:
        """Remote actors' keys, known or fetched."""
        ...

    @property
    def actor_keys(self) -> ActorKeys:
        """Whose keys are known, and the public ones of local accounts."""
        ...

    @property
    def host_life(self) -> HostLife:
        """Which hosts speak, and so can be sent to again."""
        ...

    @property
    def refusals(self) -> Refusals:
        """What is counted of requests that were turned away."""
        ...

    @property
    def reads(self) -> Reads:
        """The read models."""
        ...

    @property
    def pages(self) -> Pages:
        """Answers that were made already."""
        ...

    @property
    def instance_pem(self) -> str:
        """The instance actor's public key."""
        ...

    def now(self) -> dt.datetime:
        """The time, aware, in UTC."""
        ...

    async def usage(self) -> Usage:
        """How much is here, a little stale at most. Raises Unavailable."""
        ...


# How a route asks for it, unchecked as in `api/server.py`.
TheFederation: TypeAlias = NamedDependency[SkipValidation[Federation]]
