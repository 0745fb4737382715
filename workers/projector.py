"""`daybook project`: follows the log and keeps the live generation true; builds one first where the code is new."""

import logging
import threading
import time
from contextlib import suppress

from adapters.config import Settings
from adapters.postgres.generations import Generation
from adapters.postgres.projecting import Projector
from adapters.postgres.reading_beside import children_here
from adapters.postgres.tailing import DatabaseTrouble, TablesGone, Tail
from adapters.wiring import make_projector

BATCH_MAX = 2_000
RETRY_FIRST_S = 0.1
RETRY_MAX_S = 5.0
POLL_S = 1.0
BUSY_S = 0.02
LINGER_S = 0.005
PROGRESS_EVERY_S = 2.0
_log = logging.getLogger("daybook.project")


def follow(settings: Settings, stopping: threading.Event) -> None:
    """Project until `stopping` is set. A database that does not answer is waited for; nothing parks because of it."""
    pause_s = RETRY_FIRST_S
    told = _Told()
    while not stopping.is_set():
        begun = time.monotonic()
        try:
            _Follower(settings, stopping, told).run()
        except TablesGone:
            _log.warning("the read models projected into were dropped; taking up the live ones")
        except DatabaseTrouble as error:
            _log.warning(
                "the database does not go along (%s); nothing is lost, and it is tried again", str(error).strip()
            )
        # What ran for a while was well: only failing at once, again and again, is waited for longer and longer.
        pause_s = RETRY_FIRST_S if time.monotonic() - begun > RETRY_MAX_S else min(2 * pause_s, RETRY_MAX_S)
        stopping.wait(pause_s)


class _Told:
    """Where it was last said to go on, over several lives: one that ends before it came further is not news."""

    def __init__(self) -> None:
        self.position: int | None = None


class _Follower:
    """One life of the projector: a listening connection, and a projector of the generation that is ours."""

    def __init__(self, settings: Settings, stopping: threading.Event, told: _Told) -> None:
        assert settings.database_app_url is not None, "settings must be attached first"
        self._settings = settings
        self._dsn = settings.database_app_url
        self._stopping = stopping
        self._told = told
        self._tail = Tail(self._dsn)
        self._generation: Generation | None = None
        self._projector: Projector | None = None
        self._said_at = 0.0
        self._advanced_at = 0.0

    def run(self) -> None:
        try:
            while not self._stopping.is_set():
                if self._projector is None and not self._take_up():
                    self._tail.wait(POLL_S)
                    continue
                # The pointer may move while there is always more to project, so it is looked at after every batch.
                if self._tail.wait(0 if self._advance() else POLL_S):
                    self._let_go()
                elif time.monotonic() - self._advanced_at < BUSY_S:
                    # Events come faster than one by one is cheap: a few together cost hardly more than one.
                    self._stopping.wait(LINGER_S)
        finally:
            self._let_go()
            self._tail.close()

    def _take_up(self) -> bool:
        generation = self._tail.ours()
        if generation is None or not self._tail.claim(generation):
            return False
        self._generation = generation
        children = children_here() if generation.status == "building" else 0
        self._projector = make_projector(self._settings, self._dsn, generation, children=children)
        position = self._projector.position()
        if position != self._told.position:
            self._told.position = position
            _log.info("following the log from event %d", position + 1)
        return True

    def _let_go(self) -> None:
        if self._projector is not None and self._generation is not None:
            self._projector.close()
            with suppress(DatabaseTrouble):  # a connection that is gone has let go of the lock
                self._tail.release(self._generation)
        self._projector = self._generation = None

    def _advance(self) -> bool:
        """Project one batch; whether there is more already. What was being built goes live when there is none."""
        assert self._projector is not None and self._generation is not None, "taken up before"
        building = self._generation.status == "building"
        if self._projector.step(BATCH_MAX, self._tail.head() if building else None) > 0:
            self._advanced_at = time.monotonic()
        more = self._projector.behind
        if more:
            self._say_how_far("building the read models" if building else "catching up with the log")
        elif building:
            self._tail.switch(self._generation)
            _log.info("the read models are built: generation %d is live", self._generation.n)
        elif self._said_at:
            _log.info("caught up with the log at event %d", self._projector.position())
        if not more:
            self._said_at = 0.0
        return more

    def _say_how_far(self, doing: str) -> None:
        assert self._projector is not None, "taken up before"
        now = time.monotonic()
        if now - self._said_at >= PROGRESS_EVERY_S:
            self._said_at = now
            _log.info("%s: event %d of %d", doing, self._projector.position(), self._tail.head())
