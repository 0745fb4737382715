"""What follows from one fact: what is sent, and the commands of local accounts; and those that can't be decided yet.

A command waits for facts that are still being worked out, or loses to others ten times over. What stands behind it must
not wait for that: it becomes a job, which is put off until it can be decided. To decide twice changes nothing.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from adapters.postgres.jobs import Asked, Job
from adapters.reacting import Happened, Reading, Send
from adapters.wiring import Server
from domain.account import ProfileChanged
from domain.events import Refused
from workers.reactors import deliveries, follows
from workers.reactors.follows import Decide
from workers.reactors.world import World

DECIDE: Final = "decide"
DECIDED_IN: Final = timedelta(seconds=1)
_log = logging.getLogger("daybook.react")


def world_of(server: Server) -> World:
    """What may be asked, as of now."""
    settings = server.settings
    return World(server.reads.view(), server.actor_keys, settings.origin, settings.domain)


async def of(happened: Happened, world: World, server: Server) -> tuple[Sequence[Send], Sequence[Decide]]:
    """What is sent because of a fact, and what has to be decided."""

    def new_request(follower: int) -> str:
        return f"{server.settings.origin}/ap/users/{follower}/follows/{server.ids.next()}"

    sends = list(await deliveries.told(happened, world)) if happened.event is not None else []
    decisions: Sequence[Decide] = ()
    match happened.kind:
        case "follow.requested" if happened.claim is not None:
            decisions, more = await follows.asked(happened, world)
            sends += more
        case "account.blocked":
            decisions = await follows.parted(happened, world)
        case "account.profile_changed" if isinstance(happened.event, ProfileChanged):
            decisions = await follows.unlocked(happened.event, happened.position, world)
        case "account.moved" if happened.verdict == "applied" and happened.object is not None:
            decisions = await follows.moved(happened, world, happened.object, new_request)
        case _:
            pass
    return sends, decisions


async def decide(decisions: Sequence[Decide], server: Server) -> None:
    """Dispatch them. Raises FactsBehind, Conflict, Unavailable."""
    for decision in decisions:
        try:
            await server.do(decision.concept, decision.command)
        except Refused as refused:
            _log.info("what followed from an activity is refused: %s", refused.reason)


def later(happened: Happened) -> Asked:
    """The job that decides what follows from a fact."""
    place = {"position": happened.position, "n": happened.n}
    return Asked(DECIDE, f"{happened.position}.{happened.n}", place, due_in=DECIDED_IN)


async def decide_later(server: Server, job: Job) -> None:
    """Do such a job. Raises FactsBehind or Conflict when it has to be put off once more."""
    reading = Reading(server.codec, server.settings.origin)
    world = world_of(server)
    happened = await reading.at(world.view, job.payload["position"], job.payload["n"])
    if happened is not None:
        _, decisions = await of(happened, world, server)
        await decide(decisions, server)
