"""What the routes need of the composition; `adapters/wiring.py` builds the real one."""

import datetime as dt
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeAlias, runtime_checkable

from litestar.di import NamedDependency
from litestar.params import SkipValidation

from adapters.config import Settings
from adapters.idempotency import Idempotency
from adapters.local_ids import LocalIds
from adapters.media.library import Library
from adapters.pages import Pages
from adapters.passwords import Passwords
from adapters.postgres.markers import Markers
from adapters.postgres.oauth import OAuthStore
from adapters.postgres.reads import Reads
from adapters.postgres.tokens import TokenCache
from adapters.postgres.users import UserStore
from adapters.postgres.visits import Visits
from adapters.resolving import Resolver
from adapters.vitals import Vitals
from domain.dispatch import Concept, Decided
from projections.usage import Usage


@runtime_checkable
class Server(Protocol):
    """The outside world as the routes see it."""

    @property
    def settings(self) -> Settings:
        """What the operator set."""
        ...

    @property
    def oauth(self) -> OAuthStore:
        """Apps, codes and tokens."""
        ...

    @property
    def users(self) -> UserStore:
        """Credentials and browser sessions."""
        ...

    @property
    def tokens(self) -> TokenCache:
        """Who holds a token."""
        ...

    @property
    def visits(self) -> Visits:
        """Who was here when."""
        ...

    @property
    def passwords(self) -> Passwords:
        """Argon2id."""
        ...

    def now(self) -> dt.datetime:
        """The time, aware, in UTC."""
        ...

    async def usage(self) -> Usage:
        """How much is here, a little stale at most. Raises Unavailable."""
        ...

    def running(self) -> AbstractAsyncContextManager[None]:
        """Opens pools and starts what listens; entered when the process starts serving, left when it stops."""
        ...


# How a route asks for it. Unchecked: a Protocol's isinstance costs a tenth of a millisecond on every request.
TheServer: TypeAlias = NamedDependency[SkipValidation[Server]]


class Book(Server, Protocol):
    """The outside world with the log and the read models, for routes that ask or say something."""

    @property
    def reads(self) -> Reads:
        """The read models, and how far they have come."""
        ...

    @property
    def ids(self) -> LocalIds:
        """Ids for what is made here."""
        ...

    @property
    def media(self) -> Library:
        """Pictures that were uploaded."""
        ...

    @property
    def markers(self) -> Markers:
        """How far everybody has read."""
        ...

    @property
    def idempotency(self) -> Idempotency:
        """What was already asked for under a key."""
        ...

    @property
    def resolver(self) -> Resolver:
        """Looks elsewhere for what is not known here."""
        ...

    @property
    def vitals(self) -> Vitals:
        """What is counted and measured."""
        ...

    async def do(self, concept: Concept, command: Any, token: int | None = None, *, begins: bool = False) -> Decided:
        """Run a command; that token's later reads wait for it. Raises Refused, FactsBehind, Unavailable."""
        ...

    async def state(self, concept: Concept, command: Any) -> Any:
        """What this command would be decided on, as the log has it now. Raises FactsBehind, Unavailable."""
        ...

    async def written_by(self, token: int) -> int:
        """The position that this token's reads must have passed."""
        ...

    def reads_what_it_wrote(self, token: int) -> bool:
        """Whether it is certain, without asking anybody, that this token's reads have passed all that it wrote."""
        ...

    @property
    def pages(self) -> Pages:
        """Answers that were made already."""
        ...


TheBook: TypeAlias = NamedDependency[SkipValidation[Book]]
