"""Settling an Undo: of what its id names, or without that of what stands between the ends that it gives.

One that came before its original waits behind that one's id, so that nothing remains of both (security A17).
"""

from typing import Final

from adapters.interpreter.claims import UNDO, Claim
from adapters.interpreter.outcome import Outcome, Settled, Wait, known_signer, refused_by
from adapters.interpreter.settle_follows import ended
from adapters.interpreter.settle_toggles import off
from adapters.interpreter.state import Ends, Known, State, ToggleKind
from domain.follow import Stage

UNDONE_BY: Final[dict[str, str]] = {
    "follow": "follow.ended",
    "favourite": "post.unfavourited",
    "boost": "post.unboosted",
    "block": "account.unblocked",
}
"""What undoing each kind of known activity comes to."""
_TOGGLES: Final[dict[str, ToggleKind]] = {
    "post.unfavourited": "favourite",
    "post.unboosted": "boost",
    "account.unblocked": "block",
}


def undo(claim: Claim, position: int, state: State) -> Settled:
    """The signer takes back something of their own."""
    actor = known_signer(claim, state)
    if not isinstance(actor, int):
        return actor
    if claim.object is not None:
        named = state.known[claim.object]
        if named is not None:
            return _of_named(claim, state, actor, named)
        if state.brought_by_parked(claim.object):
            return Wait(claim.object)
    found = _of_ends(claim, state, actor) if claim.inner_object is not None else None
    if found is not None:
        return found
    return Wait(claim.object) if claim.object is not None else refused_by(claim, state, "nothing to undo")


def _of_named(claim: Claim, state: State, actor: int, named: Known) -> Outcome:
    kind = UNDONE_BY.get(named.kind)
    if kind is None or claim.kind not in (UNDO, kind):
        return refused_by(claim, state, "wrong kind", named)
    if named.owner != actor:
        return refused_by(claim, state, "not the actor's to undo")
    assert named.object is not None, "what can be undone has two ends"
    toggle = _TOGGLES.get(kind)
    if toggle is None:
        return ended(claim, state, (actor, named.object))
    return off(claim, state, (toggle, actor, named.object))


def _of_ends(claim: Claim, state: State, actor: int) -> Outcome | None:
    """Of what stands between the signer and what the Undo embeds; None when nothing does."""
    assert claim.inner_object is not None, "it gives the other end"
    other = state.known[claim.inner_object]
    toggle = _TOGGLES.get(claim.kind)
    if toggle in (None, "block") and (other is None or other.kind != "account"):
        return refused_by(claim, state, "no such account")
    if other is None or other.id is None:
        return None
    if toggle is None:
        pair = actor, other.owner
        return ended(claim, state, pair) if state.relations[pair].stage is not Stage.NONE else None
    ends: Ends = (toggle, actor, other.id)
    return off(claim, state, ends) if other.kind in ("post", "account") and state.stands(ends) else None
