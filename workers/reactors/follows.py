"""What follows from others' follows, blocks and moves: commands of the local accounts concerned.

Decided on by `dispatch` like everything else, where "already so" is silence: to react twice changes nothing.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from adapters.reacting import Happened, Send
from domain import follow
from domain.account import ProfileChanged
from domain.dispatch import Concept
from domain.follow import AcceptFollow, EndFollow, RejectFollow, RequestFollow
from projections import recipients
from workers.reactors.deliveries import accepted_again
from workers.reactors.world import World

KINDS: Final = frozenset({"follow.requested", "follow.accepted", "account.blocked", "account.moved"})
"""The facts that ask for a decision or, once accepted, for what was said before; whoever they are of."""


class Decide(NamedTuple):
    """A command to dispatch, and the concept that decides on it."""

    concept: Concept
    command: Any


class _Asked(NamedTuple):
    follower: int
    followee: int
    request: str


async def asked(happened: Happened, world: World) -> tuple[Sequence[Decide], Sequence[Send]]:
    """The answer to a remote Follow of a local account; none while a person has to give it.

    What asks again although it is followed already gets its Accept again: the first one was lost.
    """
    of = _asked(happened)
    row = None
    if of is not None:
        row = await world.view.row(recipients.followee_as_of(of.followee, of.follower, happened.position))
    if of is None or row is None:
        return (), ()
    local, locked, apart, followed = row
    if local and happened.verdict == "duplicate" and followed:
        return (), await accepted_again(of.follower, of.followee, of.request, happened.position, world)
    if not local or happened.verdict == "duplicate" or (locked and not apart):
        return (), ()
    answer = RejectFollow if apart else AcceptFollow
    return [Decide(follow, answer(follower=of.follower, followee=of.followee, request=of.request))], ()


def _asked(happened: Happened) -> _Asked | None:
    claim = happened.claim
    if happened.actor is None or happened.object is None or claim is None or claim.activity is None:
        return None
    return _Asked(happened.actor, happened.object, claim.activity)


async def parted(happened: Happened, world: World) -> Sequence[Decide]:
    """A block ends the follows between both that were there when it came, as far as one of them is ours to end.

    It may be acted upon late: who follows anew since it was lifted goes on.
    """
    if happened.actor is None or happened.object is None:
        return ()
    known = await world.accounts(happened.actor, happened.object)
    ended: list[Decide] = []
    query = recipients.standing_between(happened.actor, happened.object, happened.position)
    for follower, followee in await world.view.rows(query):
        if follower in known and known[follower].local:
            ended.append(Decide(follow, EndFollow(follower=follower, followee=followee)))
        if followee in known and known[followee].local:
            ended.append(Decide(follow, RejectFollow(follower=follower, followee=followee)))
    return ended


async def unlocked(event: ProfileChanged, position: int, world: World) -> Sequence[Decide]:
    """Whoever waits for an account that asks nobody any more is let in, as Mastodon does."""
    if event.profile.locked:
        return ()
    rows = await world.view.rows(recipients.waiting_for(event.account, position))
    return [
        Decide(follow, AcceptFollow(follower=follower, followee=event.account, request=request))
        for follower, request in rows
    ]


async def moved(happened: Happened, world: World, target: int, request_of: Any) -> Sequence[Decide]:
    """Whoever here followed the account that moved follows where it went, and no longer where it was.

    `request_of` gives the URI of a new request of an account's.
    """
    if happened.actor is None:
        return ()
    decided: list[Decide] = []
    row = await world.view.row(recipients.followee_as_of(target, happened.actor, happened.position))
    if row is None:
        return ()
    local, locked, _, _ = row
    for follower, barred in await world.local_followers_of(happened.actor, target):
        if follower != target:
            command = RequestFollow(
                follower=follower,
                followee=target,
                request=request_of(follower),
                needs_approval=locked or not local,
                barred=barred,
            )
            decided.append(Decide(follow, command))
        decided.append(Decide(follow, EndFollow(follower=follower, followee=happened.actor)))
    return decided
