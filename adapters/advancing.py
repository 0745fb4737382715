"""A generation that is brought on beside the live one, by one process, at its pace, and can take the live one's place.

Each batch is a transaction, so it may be interrupted anywhere: whoever claims the generation next goes on from its
checkpoint.
"""

from collections.abc import Callable

import psycopg

from adapters.config import Settings
from adapters.pacing import Pace
from adapters.postgres import generations
from adapters.postgres.generations import Generation
from adapters.postgres.projecting import Projector
from adapters.postgres.reading_beside import children_here
from adapters.postgres.tailing import Tail
from adapters.wiring import make_projector

DEADLOCKS_MAX = 10
CLOSE = 50
"""So few events are projected while the live generation is held."""

Progress = Callable[[int, int], None]
"""Is told (position come to, position to come to)."""


class Advancing:
    """Projects into a generation that this process has claimed through `tail`.

    Every step raises psycopg.OperationalError when the database goes away.
    """

    def __init__(
        self, settings: Settings, owner: psycopg.Connection, tail: Tail, generation: Generation, pace: Pace
    ) -> None:
        assert settings.database_url is not None, "only an owner replays"
        self._owner = owner
        self._tail = tail
        self._pace = pace
        self._projector: Projector | None = make_projector(
            settings, settings.database_url, generation, children=0 if pace.is_limited else children_here()
        )
        self.generation = generation

    def position(self) -> int:
        """The checkpoint."""
        return self._running().position()

    def to(self, goal: int, progress: Progress, *, hurry: bool = False) -> int:
        """Project up to a position, at its pace or in a `hurry`; gives the position come to."""
        while (reached := self.position()) < goal:
            progress(reached, goal)
            events = self._step(goal)
            if not hurry:
                self._pace.pause(events)
        progress(reached, max(goal, reached))
        return reached

    def up_to(self, live: Generation, progress: Progress) -> None:
        """Project until it is where the live generation is, which goes on meanwhile."""
        while True:
            goal = generations.position_of(self._owner, live)
            if self.to(goal, progress) >= goal:
                return

    def replace(self, live: Generation, progress: Progress, *, retain: bool) -> None:
        """Catch up to the head, then become the generation that is read, and let go.

        The live checkpoint is held for the moment of the switch, so that no reader ever goes back in time; the
        processes that project take over from here. With `retain` the one before can be gone back to.
        """
        # In a hurry: at its pace it might never come to the head.
        while self._tail.head() - self.position() > CLOSE:
            self.to(self._tail.head(), progress, hurry=True)
        with self._owner.transaction():
            self.to(generations.hold(self._owner, live), progress, hurry=True)
            self.let_go()
            generations.switch(self._owner, self.generation, retain=retain)

    def let_go(self) -> None:
        """Let another process project it; again changes nothing."""
        projector, self._projector = self._projector, None
        if projector is not None:
            projector.close()
            self._tail.release(self.generation)

    def close(self) -> None:
        """Close the connections, which lets go too, whether the database still answers or not."""
        projector, self._projector = self._projector, None
        if projector is not None:
            projector.close()

    def _step(self, to: int) -> int:
        """Project one batch; how many events. The live projector may be giving out the same ids."""
        for attempt in range(DEADLOCKS_MAX):
            try:
                return self._running().step(self._pace.batch, to)
            except psycopg.errors.DeadlockDetected:
                if attempt == DEADLOCKS_MAX - 1:
                    raise
        raise AssertionError("unreachable")

    def _running(self) -> Projector:
        assert self._projector is not None, "let go already"
        return self._projector
