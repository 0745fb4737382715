"""Settling follows: what a peer asks, answers and takes back, and whose request it was. Federation §11, security B4."""

from datetime import datetime

import msgspec

from adapters.interpreter.claims import DUPLICATE, Claim, refused
from adapters.interpreter.outcome import Outcome, Settled, known_account, known_signer, refused_by, verdict_on
from adapters.interpreter.state import Known, Pair, State
from domain.events import topic_of
from domain.follow import (
    INITIAL,
    Follow,
    FollowAccepted,
    FollowEnded,
    FollowRejected,
    FollowRequested,
    Stage,
    evolve,
    stream_of,
)
from projections.fact import APPLIED

FollowTurn = FollowRequested | FollowAccepted | FollowRejected | FollowEnded


def follow(claim: Claim, position: int, state: State) -> Settled:
    """A peer asks to follow somebody of ours. Asking again what stands is a duplicate, which may be answered again."""
    follower = known_signer(claim, state)
    if not isinstance(follower, int):
        return follower
    followee = known_account(claim, state)
    if not isinstance(followee, Known):
        return followee
    assert claim.activity is not None, "a Follow has an id or stands for it"
    request = state.known[claim.activity]
    if request is not None and (request.kind != "follow" or request.owner != follower):
        return refused_by(claim, state, "its id names something else", followee)
    pair = follower, followee.owner
    relation = state.relations[pair]
    # A silenced request is remembered too: an Undo may name this one.
    asked = Known(kind="follow", id=None, owner=follower, object=followee.owner, since=position)
    state.know(claim.activity, asked if request is None else msgspec.structs.replace(asked, since=request.since))
    if relation.stage is Stage.FOLLOWING or relation == Follow(Stage.REQUESTED, claim.activity):
        return verdict_on(claim, state, DUPLICATE, followee)
    state.relate(pair, Follow(Stage.REQUESTED, claim.activity))
    return _turned(
        FollowRequested(follower=follower, followee=followee.owner, request=claim.activity, requested_at=claim.at),
        by_follower=True,
    )


def answer(claim: Claim, position: int, state: State) -> Settled:
    """An Accept or Reject of what one of ours had asked, and of that very request."""
    followee = known_signer(claim, state)
    if not isinstance(followee, int):
        return followee
    named = state.known[claim.object] if claim.object is not None else None
    follower = state.known[claim.inner_actor] if claim.inner_actor is not None else None
    if follower is not None and follower.kind != "account":
        follower = None  # something of ours that asks nobody
    if named is not None and (named.kind != "follow" or named.object != followee):
        return refused_by(claim, state, "not asked of the actor")
    if named is not None:
        pair = named.owner, followee
    elif follower is not None:
        pair = follower.owner, followee
    else:
        return refused_by(claim, state, "no such request")
    relation = state.relations[pair]
    # An id that we don't know is the other server's own writing of a request of this pair.
    request = claim.object if named is not None else relation.request
    if relation.stage is Stage.NONE or request != relation.request:
        return refused_by(claim, state, "no such request")
    if claim.kind == "follow.accepted" and relation.stage is Stage.FOLLOWING:
        return verdict_on(claim, state, DUPLICATE, follower)
    accepted = claim.kind == "follow.accepted"
    state.relate(pair, Follow(Stage.FOLLOWING, relation.request) if accepted else INITIAL)
    return _turned(_answered(pair, relation.request, claim.at, accepted=accepted), by_follower=False)


def ended(claim: Claim, state: State, pair: Pair) -> Outcome:
    """The follower takes the request back, or unfollows."""
    relation = state.relations[pair]
    if relation.stage is Stage.NONE:
        again = verdict_on(claim, state, DUPLICATE)
        return msgspec.structs.replace(again, kind="follow.ended", object=pair[1])
    state.relate(pair, INITIAL)
    follower, followee = pair
    event = FollowEnded(follower=follower, followee=followee, request=relation.request, ended_at=claim.at)
    return _turned(event, by_follower=True)


def local_follow(claim: Claim, position: int, state: State, event: FollowTurn) -> Settled:
    """It was decided, but the log may hold a remote activity between: an answer to what was undone does no harm."""
    pair = event.follower, event.followee
    relation = state.relations[pair]
    after = evolve(relation, event)
    by_follower = isinstance(event, FollowRequested | FollowEnded)
    turned = msgspec.structs.replace(_turned(event, by_follower=by_follower), stream=claim.stream)
    if isinstance(event, FollowRequested):
        known = Known(kind="follow", id=None, owner=event.follower, object=event.followee, since=position)
        state.know(event.request, known)
        if relation.stage is Stage.FOLLOWING:
            after = relation
    if after == relation:
        again = by_follower or (relation.stage is Stage.FOLLOWING and event.request == relation.request)
        verdict = DUPLICATE if again else refused("overtaken")
        return msgspec.structs.replace(turned, verdict=verdict)
    state.relate(pair, after)
    return turned


def _answered(pair: Pair, request: str, at: datetime | None, *, accepted: bool) -> FollowAccepted | FollowRejected:
    follower, followee = pair
    if accepted:
        return FollowAccepted(follower=follower, followee=followee, request=request, accepted_at=at)
    return FollowRejected(follower=follower, followee=followee, request=request, rejected_at=at)


def _turned(event: FollowTurn, *, by_follower: bool) -> Outcome:
    pair = event.follower, event.followee
    actor, other = pair if by_follower else (pair[1], pair[0])
    return Outcome(APPLIED, topic_of(event), actor, other, stream=stream_of(*pair), event=event)
