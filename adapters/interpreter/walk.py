"""The walk: claims in the order of receipt → settled facts and what stays parked. Pure; tests need no database.

What a position makes known releases all that waited for it, and all of that is settled there, in the order of receipt
over everything released (a heap): breadth first, follow → undo → follow, all parked, would end the wrong way round.
What has waited too long is given up where an event says so, and lets go of what waits behind it.
"""

import logging
from collections.abc import Iterable
from heapq import heappop, heappush

import msgspec

from adapters.interpreter.claims import EXPIRED, TOO_MANY_WAIT, Claim, brings
from adapters.interpreter.outcome import Outcome, Wait, refused_by
from adapters.interpreter.settle import settle
from adapters.interpreter.state import NotLookedUp, Parked, State
from domain.waiting import WaitingExpired

_logger = logging.getLogger(__name__)


class Placed(msgspec.Struct, frozen=True):
    """An outcome at its place: the effective position, and n within it. `claim` is as it was translated or parked."""

    position: int
    n: int
    claim: Claim
    outcome: Outcome


def walk(claims: Iterable[Claim], state: State) -> list[Placed]:
    """Settle claims, given in the order of receipt, and whatever they release, in the order of their places.

    A rule that raises parks its claim alone, with the reason; a key that was not looked up raises NotLookedUp.
    """
    placed: list[Placed] = []
    for claim in claims:
        _settle_all(claim, state, placed)
    return placed


def poison(claim: Claim, problem: Exception) -> Parked:
    """What can't be settled because our own code failed on it: it waits for a mended generation, not for a URI."""
    without_body = msgspec.structs.replace(claim, event=None)
    return Parked(without_body, None, None, f"raised {type(problem).__name__}")


def _settle_all(received: Claim, state: State, placed: list[Placed]) -> None:
    position, n = received.position, 0
    heap: list[tuple[int, Claim, bool]] = [(position, received, False)]
    while heap:
        _, claim, was_parked = heappop(heap)
        outcome = _settled(claim, position, state)
        if isinstance(outcome, Parked):
            state.park(outcome)
        else:
            placed.append(Placed(position, n, claim, outcome))
            n += 1
        if isinstance(claim.event, WaitingExpired):
            for parked in state.take_out(claim.event.positions):
                expired = msgspec.structs.replace(parked.claim, verdict=EXPIRED)
                heappush(heap, (expired.position, expired, True))
        brought = brings(claim)
        if brought is None:
            continue
        # What failed to bring what it had promised lets go of those that waited behind it, too.
        gave_up = isinstance(outcome, Outcome) or outcome.waits_for is None
        if state.known[brought] is not None or (was_parked and gave_up):
            for parked in state.release(brought):
                heappush(heap, (parked.claim.position, parked.claim, True))


def _settled(claim: Claim, position: int, state: State) -> Outcome | Parked:
    try:
        outcome = settle(claim, position, state)
    except (NotLookedUp, MemoryError):
        raise
    except Exception as problem:
        _logger.exception("Event %d can't be settled and is set aside", claim.position)
        return poison(claim, problem)
    if isinstance(outcome, Wait) and state.is_crowded(outcome.uri):
        return refused_by(claim, state, TOO_MANY_WAIT)
    if isinstance(outcome, Wait):
        waiting = msgspec.structs.replace(claim, event=None)
        return Parked(waiting, outcome.uri, brings(claim), f"waits for {outcome.uri}")
    return outcome
