"""The interpreter: a batch of the log → facts, in one pass, inside the caller's transaction.

Translate, look up, walk, write. The events of the applied facts are handed on with every id filled in, so that the
projections need not read the log again; only a released fact's body is read back, from where it was received.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from psycopg import Cursor

from adapters.activitypub.incoming import Translator
from adapters.interpreter.claims import Claim, UnreadableEvent, brings, refused
from adapters.interpreter.ids import Proposal, proposals
from adapters.interpreter.outcome import Outcome
from adapters.interpreter.state import WAITING_MAX, Parked
from adapters.interpreter.storage import look_up, write
from adapters.interpreter.walk import Placed, poison, walk
from domain.account import AccountRegistered, ProfileChanged
from domain.boost import PostBoosted
from domain.events import Event
from domain.ports import Recorded
from domain.post import PostEdited, PostPublished
from projections.fact import APPLIED, Fact

_logger = logging.getLogger(__name__)
ReadBack = Callable[[Sequence[int]], Iterable[Recorded]]
# What a post says, which a newer document of it says anew.
_SAID = tuple({*PostPublished.__struct_fields__} & {*PostEdited.__struct_fields__} - {"post", "author", "edited_at"})
_WITH_ID = frozenset({"account.registered", "post.published", "post.boosted"})


class Translated(NamedTuple):
    """A batch before anything is looked up: claims in order, what can't be translated, ids that are asked for."""

    claims: list[Claim]
    poisoned: list[Parked]
    proposed: list[Proposal]


class Interpreter:
    """Interprets for the instance at `origin` (scheme and authority, no slash at the end).

    No more than `waiting_max` wait for one URI.
    """

    def __init__(self, origin: str, waiting_max: int = WAITING_MAX) -> None:
        self._origin = origin
        self._waiting_max = waiting_max
        self._translator = Translator(origin)

    def interpret(self, cursor: Cursor[Any], recorded: Sequence[Recorded], read_back: ReadBack) -> list[Fact]:
        """`translate` and `settle` in one."""
        return self.settle(cursor, self.translate(recorded), read_back)

    def translate(self, recorded: Sequence[Recorded]) -> Translated:
        """What the events of a batch claim, each by itself. Pure, so that it may run ahead in another thread.

        An event that our own code fails on is set aside, to be parked alone.
        """
        batch = Translated([], [], [])
        for event in recorded:
            translated = self._translated(event, batch.proposed)
            if isinstance(translated, Claim):
                batch.claims.append(translated)
            else:
                batch.poisoned.append(translated)
        return batch

    def settle(self, cursor: Cursor[Any], batch: Translated, read_back: ReadBack) -> list[Fact]:
        """The facts of a batch, given in the order of the log and without gaps, ordered by (position, n).

        Writes facts and everything remembered through `cursor`, whose search path is the generation's schema; commits
        nothing. `read_back` gives the events at some positions of the log. Raises NotLookedUp for a bug that must stop
        the line, and psycopg's errors.
        """
        state = look_up(cursor, batch.claims, batch.proposed, self._waiting_max)
        for parked in batch.poisoned:
            state.park(parked)
        placed = walk(batch.claims, state)
        facts = self._facts(placed, read_back)
        write(cursor, state, facts)
        return facts

    def _translated(self, recorded: Recorded, proposed: list[Proposal]) -> Claim | Parked:
        if isinstance(recorded.event, UnreadableEvent):
            return Parked(Claim(position=recorded.position, stream=recorded.stream), None, None, recorded.event.reason)
        try:
            proposed.extend(proposals(recorded.event, self._origin))
            claim = self._translator.translate(recorded)
            proposed.extend(further(claim, recorded.event))
            return claim
        except MemoryError:
            raise
        except Exception as problem:
            _logger.exception("Event %d can't be translated and is set aside", recorded.position)
            return poison(Claim(position=recorded.position, stream=recorded.stream), problem)

    def _facts(self, placed: Sequence[Placed], read_back: ReadBack) -> list[Fact]:
        missing = [one.claim.position for one in placed if _lacks_body(one)]
        bodies: dict[int, Event | None] = {}
        if missing:
            # Translated anew, as at every replay; the same code gave the claim, so the event is there again.
            claims = map(self._translator.translate, read_back(missing))
            bodies = {claim.position: claim.event for claim in claims}
        return [_fact(one, bodies) for one in placed]


def further(claim: Claim, event: Event) -> list[Proposal]:
    """What the frozen extractor did not see, but a translator that has learnt since brings, gets its id by receipt."""
    if isinstance(event, PostBoosted):
        return [Proposal(event.uri, given=event.boost)]
    uri = brings(claim)
    if uri is None or claim.at is None or claim.kind not in _WITH_ID:
        return []
    return [Proposal(uri, None, claim.at)]


def _lacks_body(placed: Placed) -> bool:
    claim, outcome = placed.claim, placed.outcome
    return outcome.verdict == APPLIED and claim.event is None and outcome.event is None


def _fact(placed: Placed, bodies: Mapping[int, Event | None]) -> Fact:
    claim, outcome = placed.claim, placed.outcome
    event, verdict = None, outcome.verdict
    if verdict == APPLIED:
        event = claim.event if claim.local else outcome.event
        if event is None:
            event = completed(claim.event or bodies.get(claim.position), claim, outcome)
        # It was readable when it was received and is not any more: nothing can be shown of it, and nothing must stop.
        verdict = APPLIED if event is not None else refused("its body can't be read")
    return Fact(
        position=placed.position,
        n=placed.n,
        received_at_position=claim.position,
        stream=outcome.stream,
        kind=outcome.kind,
        actor=outcome.actor,
        object=outcome.object,
        because=claim.because,
        verdict=verdict,
        event=event,
        delivered=outcome.delivered,
        again=outcome.again,
    )


def completed(event: Event | None, claim: Claim, outcome: Outcome) -> Event | None:
    """The event of a body with the ids of its outcome; None without one."""
    assert outcome.actor is not None and outcome.object is not None, "an applied fact has an actor and an object"
    match event:
        case AccountRegistered(profile=profile, actor_type=kind, endpoints=endpoints):
            if outcome.kind == "account.registered":
                return msgspec.structs.replace(event, account=outcome.object)
            return ProfileChanged(
                account=outcome.object, profile=profile, actor_type=kind, endpoints=endpoints, changed_at=claim.at
            )
        case PostPublished() if outcome.kind == "post.published":
            return msgspec.structs.replace(event, post=outcome.object, author=outcome.actor, in_reply_to=outcome.parent)
        case PostPublished():
            assert claim.updated is not None, "an edit has a time"
            said = {field: getattr(event, field) for field in _SAID}
            return PostEdited(post=outcome.object, author=outcome.actor, edited_at=claim.updated, **said)
        case PostEdited():
            return msgspec.structs.replace(event, post=outcome.object, author=outcome.actor)
        case _:
            return None
