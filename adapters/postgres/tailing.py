"""Waiting for what comes: a connection that listens to the log and to the pointer of generations."""

import psycopg

from adapters.postgres import generations
from adapters.postgres.generations import Generation
from adapters.postgres.log import CHANNEL as LOG_CHANNEL

# Named here because drivers stay in adapters: nobody answers; and whatever else the database may say, a full disk or a
# missing right, all of which the projector's loop waits out.
DatabaseAway = psycopg.OperationalError
DatabaseTrouble = psycopg.Error

# What it meets when its generation was dropped under it.
TablesGone = psycopg.errors.UndefinedTable

# One projector a generation: whoever holds this lock may write its tables.
_LOCK = "SELECT pg_try_advisory_lock(hashtext('daybook projector'), %s)"


class Tail:
    """Raises psycopg.OperationalError when the database does not answer; make a new one then."""

    def __init__(self, dsn: str) -> None:
        self._connection = psycopg.connect(dsn, autocommit=True, application_name="daybook tail")
        self._connection.execute(f"LISTEN {LOG_CHANNEL}")
        self._connection.execute(f"LISTEN {generations.CHANNEL}")

    def ours(self) -> Generation | None:
        """The generation that this code is to project: the live one if it is ours, else the newest that is."""
        found = [one for one in generations.all_of_them(self._connection) if one.code_hash == generations.code_hash()]
        live = [one for one in found if one.status == "live"]
        building = [one for one in found if one.status == "building"]
        return (live or building[-1:] or [None])[0]

    def live(self) -> Generation | None:
        """The generation that is read, whoever made it."""
        return generations.live(self._connection)

    def switch(self, to: Generation) -> None:
        """Make a generation the one that is read."""
        generations.switch(self._connection, to)

    def head(self) -> int:
        """The log's last position."""
        row = self._connection.execute("SELECT position FROM log.head").fetchone()
        return row[0] if row else 0

    def claim(self, generation: Generation) -> bool:
        """Become the one projector of a generation, for as long as this connection lives."""
        row = self._connection.execute(_LOCK, [generation.n]).fetchone()
        return bool(row and row[0])

    def release(self, generation: Generation) -> None:
        """Let another process project it."""
        self._connection.execute("SELECT pg_advisory_unlock(hashtext('daybook projector'), %s)", [generation.n])

    def wait(self, timeout_s: float) -> bool:
        """Until something is appended or switched, or the time is up; whether the pointer may have moved.

        Takes in all that was said meanwhile: one look at the log answers it all.
        """
        moved = self._hear(timeout_s, 1)
        return self._hear(0, None) or moved

    def _hear(self, timeout_s: float, stop_after: int | None) -> bool:
        notes = list(self._connection.notifies(timeout=timeout_s, stop_after=stop_after))
        return any(note.channel == generations.CHANNEL for note in notes)

    def close(self) -> None:
        """Let go of everything."""
        self._connection.close()
