"""Settling accounts: what their documents say, where they move to, and their end. Federation §7.2, §8.8, §11."""

from datetime import timedelta
from typing import Final

import msgspec

from adapters.interpreter.claims import DUPLICATE, TOMBSTONED, Claim
from adapters.interpreter.outcome import Outcome, Settled, Wait, known_signer, refused_by, signer_of, verdict_on
from adapters.interpreter.state import Known, Said, State
from domain.account import AccountDeleted, AccountMoved, AccountRegistered
from projections.fact import APPLIED

MOVES_APART: Final = timedelta(days=7)
"""How long an account stays where it moved to, before it may move on (Mastodon's rule)."""


def account(claim: Claim, position: int, state: State) -> Settled:
    """An actor's own document; the first makes it known."""
    uri, number, event = claim.object, signer_of(claim, state), claim.event
    assert uri is not None and number is not None and uri == claim.actor, "an account speaks for itself"
    assert isinstance(event, AccountRegistered), "an account never waits"
    known = state.known[uri]
    if known is not None and known.kind != "account":
        return refused_by(claim, state, "wrong kind", known)
    if known is None:
        # Known even when it is gone: what waits for it waits for nothing more.
        state.know(uri, Known(kind="account", id=number, owner=number, object=None, since=position))
    if state.departed[number]:
        return refused_by(claim, state, "gone", state.known[uri])
    featured = event.endpoints.featured if event.endpoints is not None else None
    state.say(number, Said(featured, event.profile.also_known_as))
    return Outcome(APPLIED, "account.registered" if known is None else "account.profile_changed", number, number)


def leave(claim: Claim, position: int, state: State) -> Settled:
    """An actor's Delete of itself: it never waits, and what comes of theirs afterwards is refused."""
    uri, number = claim.object, signer_of(claim, state)
    assert uri is not None and number is not None, "an actor deletes itself and has an id"
    known = state.known[uri]
    if known is not None and known.kind != "account":
        return refused_by(claim, state, "wrong kind", known)
    if state.departed[number]:
        return verdict_on(claim, state, DUPLICATE, known)
    state.depart(number)
    if known is None:
        return verdict_on(claim, state, TOMBSTONED)
    return Outcome(APPLIED, claim.kind, number, number, event=AccountDeleted(account=number, deleted_at=claim.at))


def move(claim: Claim, position: int, state: State) -> Settled:
    """Only to an account whose own document names this one; what was known of that is looked at anew once."""
    mover = known_signer(claim, state)
    if not isinstance(mover, int):
        return mover
    assert claim.actor is not None and claim.object is not None, "somebody moves somewhere"
    known = state.known[claim.actor]
    assert known is not None and claim.at is not None, "a signer is known, and it came some time"
    target = _target(claim, position, state)
    if not isinstance(target, Known):
        return target
    if known.object == target.owner:
        return verdict_on(claim, state, DUPLICATE, target)
    if known.updated is not None and claim.at - known.updated < MOVES_APART:
        return refused_by(claim, state, "moved a short while ago", target)
    state.know(claim.actor, msgspec.structs.replace(known, object=target.owner, updated=claim.at))
    event = AccountMoved(account=mover, target=target.owner, moved_at=claim.at)
    return Outcome(APPLIED, claim.kind, mover, target.owner, event=event)


def _target(claim: Claim, position: int, state: State) -> Known | Settled:
    assert claim.object is not None, "somebody moves somewhere"
    target = state.known[claim.object]
    if target is None:
        return refused_by(claim, state, "no such account") if claim.ours else Wait(claim.object)
    if target.kind != "account":
        return refused_by(claim, state, "wrong kind", target)
    if state.departed[target.owner]:
        return refused_by(claim, state, "gone", target)
    if claim.actor in state.said[target.owner].aliases:
        return target
    # It may have said so since: wait for its next document, but for no second one.
    if claim.ours or position > claim.position:
        return refused_by(claim, state, "not named by where it moves", target)
    return Wait(claim.object)
