"""What comes of a claim, and what every rule asks first: who signed, and whether that account may still speak."""

import msgspec

from adapters.interpreter.claims import Claim, refused
from adapters.interpreter.state import Known, State
from domain.events import Event


class Outcome(msgspec.Struct, frozen=True):
    """A fact without its place.

    `event` is complete when it holds nothing but ids and times; what has a body is completed from that, by the ids here
    and `parent`. `delivered` is false for what only a fetch has brought, `again` true for what one had brought before.
    """

    verdict: str
    kind: str
    actor: int | None = None
    object: int | None = None
    stream: str | None = None
    parent: int | None = None
    event: Event | None = None
    delivered: bool = True
    again: bool = False


class Wait(msgspec.Struct, frozen=True):
    """This has to be known first."""

    uri: str


Settled = Outcome | Wait


def verdict_on(claim: Claim, state: State, verdict: str, about: Known | None = None) -> Outcome:
    """The outcome that says only why nothing came of the claim, and what it was about."""
    return Outcome(
        verdict=verdict,
        kind=claim.kind,
        actor=signer_of(claim, state),
        object=about.id if about is not None else None,
        delivered=claim.delivered,
    )


def refused_by(claim: Claim, state: State, reason: str, about: Known | None = None) -> Outcome:
    """The outcome of what may not be."""
    return verdict_on(claim, state, refused(reason), about)


def signer_of(claim: Claim, state: State) -> int | None:
    """The signer's id: it has one from the first activity on, whether the account is known or not.

    Whoever is only said to have written what was fetched has none before they are known: what is looked up for a batch
    holds the ids that its later events give out, too.
    """
    if claim.actor is None or (not claim.delivered and state.known[claim.actor] is None):
        return None
    return state.ids[claim.actor]


def known_signer(claim: Claim, state: State) -> Settled | int:
    """The id of the account that signed; or why nothing can come of the claim (yet)."""
    assert claim.actor is not None, "a claim with a kind has an actor"
    known = state.known[claim.actor]
    if known is None:
        return Wait(claim.actor)
    if known.kind != "account":
        return refused_by(claim, state, "wrong kind", known)
    if state.departed[known.owner]:
        return refused_by(claim, state, "gone")
    return known.owner


def known_account(claim: Claim, state: State) -> Known | Outcome:
    """The account of ours that the claim acts on; it can't come later."""
    assert claim.object is not None, "it names an account"
    account = state.known[claim.object]
    if account is None:
        return refused_by(claim, state, "no such account")
    if account.kind != "account":
        return refused_by(claim, state, "wrong kind", account)
    if state.departed[account.owner]:
        return refused_by(claim, state, "gone", account)
    return account
