"""Read models that were thrown away: made again from the log, which is all that they ever were.

There is nothing to compare them with then, so this is no replay; readers are answered 503 until they are built.
"""

from time import sleep

from adapters.advancing import Progress
from adapters.config import Settings
from adapters.pacing import FAST_BATCH
from adapters.postgres import generations
from adapters.postgres.generations import Generation
from adapters.postgres.reading_beside import children_here
from adapters.postgres.tailing import Tail
from adapters.replaying import POLL_S, app_role_of, check_current, connect
from adapters.wiring import make_projector


def rebuild_lost(settings: Settings, progress: Progress) -> Generation | None:
    """Build the live generation anew if any of its tables is gone; None when none is.

    `progress` is told (position come to, position to come to). A `project` that runs does the work, else this does.
    Raises SettingsError without the owner's database, ReplayError when the database is older than this program,
    psycopg.OperationalError when it goes away.
    """
    with connect(settings) as owner:
        assert settings.database_url is not None, "connected to it"
        check_current(owner)
        made = generations.replace_lost(owner, app_role_of(settings, owner))
        if made is None:
            return None
        tail = Tail(settings.database_url)
        try:
            while (live := generations.live(owner)) is None or live.n != made.n:
                if tail.claim(made):
                    _build(settings, settings.database_url, made, tail, progress)
                else:
                    progress(generations.position_of(owner, made), tail.head())
                    sleep(POLL_S)
        finally:
            tail.close()
        return made


def are_lost(settings: Settings) -> bool:
    """Whether `rebuild_lost` would have something to do. Raises what that does."""
    with connect(settings) as owner:
        check_current(owner)
        return generations.lost(owner) is not None


def _build(settings: Settings, url: str, made: Generation, tail: Tail, progress: Progress) -> None:
    projector = make_projector(settings, url, made, children=children_here())
    try:
        while projector.behind:
            projector.step(FAST_BATCH, tail.head())
            progress(projector.position(), tail.head())
    finally:
        projector.close()
    tail.switch(made)
    tail.release(made)
