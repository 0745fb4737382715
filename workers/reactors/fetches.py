"""What has to be fetched before something can be understood: asked for as jobs, which are done behind.

Only what concerns somebody here: a post that an account followed from here boosts, the account that a followed one
moves to, the thread above an answer that was delivered, what somebody had said when they were followed from here. A
Like of something unknown fetches nothing.
"""

from collections.abc import Sequence
from typing import Final

from adapters.activitypub.urls import origin_of
from adapters.fetching import fetch_job, thread_job
from adapters.gathering import OUTBOX
from adapters.interpreter.claims import Claim
from adapters.postgres.jobs import Asked
from adapters.reacting import Happened
from projections import recipients
from workers.reactors.world import World

WAITING: Final = {"post.boosted": "boosted", "account.moved": "move target"}
"""The kinds of claims that are worth fetching for what they wait for, and why it is fetched."""


async def above(parents: Sequence[str], world: World) -> Sequence[Asked]:
    """The threads above answers whose parents are not known."""
    return [thread_job(uri) for uri in parents if _is_elsewhere(uri, world)]


async def waited_for(claim: Claim, uri: str, world: World) -> Sequence[Asked]:
    """What a claim waits for, if it is worth asking for."""
    why = WAITING.get(claim.kind)
    if why is None or claim.actor is None or not _is_elsewhere(uri, world):
        return ()
    row = await world.view.row(recipients.is_followed_from_here(claim.actor))
    return [fetch_job(uri, why)] if row is not None and row[0] else ()


async def once_followed(happened: Happened, world: World) -> Sequence[Asked]:
    """What somebody said before they were followed from here, once they have accepted that."""
    if happened.kind != "follow.accepted" or happened.verdict != "applied" or happened.claim is None:
        return ()
    followed = (await world.accounts(happened.actor)).get(happened.actor or 0)
    if followed is None or followed.local:
        return ()
    return [Asked(OUTBOX, followed.uri, {}, lane=_host(followed.uri))]


def _is_elsewhere(uri: str, world: World) -> bool:
    origin = origin_of(uri)
    return origin is not None and origin != origin_of(world.origin)


def _host(uri: str) -> str:
    return (origin_of(uri) or "").partition("://")[2]
