"""Keys by whose they are: whether one of a remote actor is held, and the public half of a local account's."""

import msgspec

from adapters.postgres.short_statements import Pool, ShortStatements

LOCAL_IN_MEMORY_MAX = 100_000

_KNOWN = "SELECT true AS there FROM app.remote_keys WHERE actor = %(actor)s LIMIT 1"
_LOCAL = "SELECT key_id, public_pem FROM app.account_keys WHERE account = %(account)s"


class LocalKey(msgspec.Struct, frozen=True):
    """A local account's key as peers may see it: its id (a URL), and SubjectPublicKeyInfo as PEM."""

    key_id: str
    public_pem: str


class _There(msgspec.Struct, frozen=True):
    there: bool


class ActorKeys:
    """Raises Unavailable when PostgreSQL can't be reached."""

    def __init__(self, pool: Pool) -> None:
        self._sql = ShortStatements(pool)
        self._local: set[int] = set()

    async def knows(self, actor: str) -> bool:
        """Whether the remote actor of that id ever proved who they are."""
        return await self._sql.one(_There, _KNOWN, {"actor": actor}) is not None

    async def is_local(self, account: int) -> bool:
        """Whether that is the id of an account here. Remembered, since none is ever taken away."""
        if account in self._local:
            return True
        if await self.of_local(account) is None:
            return False
        if len(self._local) < LOCAL_IN_MEMORY_MAX:
            self._local.add(account)
        return True

    async def of_local(self, account: int) -> LocalKey | None:
        """The key that a local account signs with."""
        return await self._sql.one(LocalKey, _LOCAL, {"account": account})
