"""Signatures seen: remembered by the append itself, and forgotten here once they are too old to be taken again."""

from adapters.activitypub.signatures import LIFE_MAX, SKEW
from adapters.postgres.short_statements import Pool, ShortStatements

# A signature may be made an hour from now and live for twelve more; from then on the check of its time refuses it.
KEPT_FOR = SKEW + LIFE_MAX

# By the database's clock alone, which also wrote `seen_at`.
_FORGET = "DELETE FROM app.signatures WHERE seen_at < now() - %(kept_for)s"


class SeenSignatures:
    """Keeps the memory of signatures as short as it may be, when the schedule says so."""

    def __init__(self, pool: Pool) -> None:
        self._sql = ShortStatements(pool)

    async def forget(self) -> int:
        """Delete what is too old to be replayed; gives how many. Raises Unavailable."""
        return await self._sql.run(_FORGET, {"kept_for": KEPT_FOR})
