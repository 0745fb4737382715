"""`daybook tick`: what time causes. One process at a time keeps the schedule, and PostgreSQL knows what was begun when.

What happens because time passed is an event like any other: a thing that causes one phrases a command
(`server.do(…)`), and never touches a read model. To add one, write a function that may run twice and a line in
SCHEDULE.
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from adapters.config import Settings
from adapters.postgres.schedule import Schedule, keeping
from adapters.postgres.visits import away
from adapters.unavailable import Unavailable
from adapters.wiring import Server
from domain import home, mute, waiting
from domain.home import DropHome
from domain.mute import ExpireMute
from domain.waiting import EXPIRED_MAX, WAITS_MAX, ExpireWaiting
from projections.interpretation import waiting_since
from projections.mutes import over_by as mutes_over_by
from workers.lives import live, until

RUNG_FOR_MAX: Final = 100
ENDED_MAX: Final = 500
# What is dropped at once is taken out in one batch, which all that is projected waits for; and many go away on one day.
DROPPED_A_MINUTE_MAX: Final = 10
MEDIA_KEPT_FOR: Final = timedelta(days=1)
ANOTHER_KEEPS_IT_S: Final = 10.0
LOOK_AGAIN_S: Final = 0.5
# A connection that went away is noticed by asking.
WAIT_S_MAX: Final = 5.0
_log = logging.getLogger("daybook.tick")


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to be done every so often; `name` is what its last time is known by, so it never changes."""

    name: str
    every: timedelta
    do: Callable[[Server], Awaitable[object]]


async def ring_for_due_jobs(server: Server) -> None:
    """Wake those who do jobs for what is due and nobody does: its first bell may have been lost."""
    await server.bell.ring(await server.jobs.due(RUNG_FOR_MAX))


async def end_mutes(server: Server) -> None:
    """End the mutes whose time is over. What was ended but is not projected yet says nothing the second time."""
    for muter, muted in await server.reads.view().rows(mutes_over_by(server.now(), ENDED_MAX)):
        await server.do(mute, ExpireMute(muter=muter, muted=muted))


async def expire_what_waits(server: Server) -> None:
    """Give up what has waited too long. What was given up but is not projected yet says nothing the second time."""
    query = waiting_since(server.now() - WAITS_MAX, EXPIRED_MAX)
    positions = tuple(position for (position,) in await server.reads.view().rows(query))
    if positions:
        await server.do(waiting, ExpireWaiting(positions=positions))


async def drop_homes(server: Server) -> None:
    """Drop the homes of those who are away, a few a minute.

    What was dropped but is not projected yet says nothing the second time.
    """
    days = server.settings.home_days
    if not days:
        return
    before = server.now() - timedelta(days=days)
    for account, last_here_at in await away(server.reads.view(), before, DROPPED_A_MINUTE_MAX):
        await server.do(home, DropHome(account=account, last_here_at=last_here_at, days=days))


async def remove_unattached_media(server: Server) -> None:
    """Remove pictures that nobody has made part of a post, or whose post was deleted, since a day."""
    await server.media.remove_unattached(server.now() - MEDIA_KEPT_FOR)


SCHEDULE: Final[Sequence[Entry]] = (
    Entry("ring for due jobs", timedelta(seconds=30), ring_for_due_jobs),
    Entry("end mutes", timedelta(seconds=30), end_mutes),
    Entry("expire what waits", timedelta(seconds=30), expire_what_waits),
    Entry("drop homes", timedelta(minutes=1), drop_homes),
    Entry("forget old signatures", timedelta(minutes=5), lambda server: server.seen_signatures.forget()),
    Entry("forget old refusals", timedelta(hours=1), lambda server: server.refusals.forget()),
    Entry("remove unattached media", timedelta(hours=1), remove_unattached_media),
    Entry("forget jobs that were given up", timedelta(days=1), lambda server: server.jobs.forget()),
)


def tick(settings: Settings, stopping: threading.Event) -> None:
    """Keep the schedule until `stopping` is set. Raises SettingsError."""
    live(settings, stopping, keep)


async def keep(server: Server, stopped: asyncio.Event, entries: Sequence[Entry] = SCHEDULE) -> None:
    """Keep the schedule, or stand by while another process does. Raises Unavailable."""
    assert server.settings.database_app_url is not None, "settings are attached"
    everys = {entry.name: entry.every for entry in entries}
    while not stopped.is_set():
        async with keeping(server.settings.database_app_url) as schedule:
            if schedule is not None:
                await schedule.only(everys)
            while schedule is not None and not stopped.is_set():
                if (by := await schedule.follow_clock()) is not None:
                    _log.warning(
                        "the clock was set back by %.0f s: what was put off is due as much earlier", by.total_seconds()
                    )
                await _do_what_is_due(server, schedule, entries)
                await until(stopped, min(max(await schedule.next_in_s(everys), LOOK_AGAIN_S), WAIT_S_MAX))
        await until(stopped, ANOTHER_KEEPS_IT_S)


async def _do_what_is_due(server: Server, schedule: Schedule, entries: Sequence[Entry]) -> None:
    for entry in entries:
        if not await schedule.begin(entry.name, entry.every):
            continue
        try:
            await entry.do(server)
        except Unavailable as error:
            _log.warning("%s: not now (%s)", entry.name, error)
        except Exception:  # noqa: BLE001 - whatever one thing does, the others are done
            _log.exception("%s failed; it is tried again when its time comes", entry.name)
