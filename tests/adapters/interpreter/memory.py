"""Interpretation without a database: the same translator and the same walk over a state that is never written."""

from collections.abc import Callable
from typing import Any

from adapters.activitypub.incoming import Translator
from adapters.interpreter.claims import Claim, names
from adapters.interpreter.ids import proposals
from adapters.interpreter.interpret import further
from adapters.interpreter.state import Said, State, Toggle
from adapters.interpreter.walk import Placed, walk
from domain.follow import Follow
from domain.ports import Recorded
from tests.adapters.interpreter.peers import LOCAL, OURS, log_of


class Complete(dict[Any, Any]):
    """A look-up that foresaw everything: what nobody has said yet is what empty tables say."""

    def __init__(self, absent: Callable[[], Any]) -> None:
        super().__init__()
        self._absent = absent

    def __missing__(self, key: Any) -> Any:
        return self.setdefault(key, self._absent())

    def __contains__(self, key: object) -> bool:
        return True


class MemoryState(State):
    """State that lasts as long as the test."""

    def __init__(self) -> None:
        super().__init__()
        self.tombs = Complete(bool)
        self.departed = Complete(bool)
        self.relations = Complete(Follow)
        self.toggles = Complete(Toggle)
        self.said = Complete(Said)
        self._bringing = Complete(set)


class Story:
    """A log that grows entry by entry, interpreted as it grows."""

    def __init__(self, *entries: tuple[str, Any]) -> None:
        self.translator = Translator(OURS)
        self.state = MemoryState()
        self.placed: list[Placed] = []
        self.log: list[Recorded] = []
        self.tell(*entries)

    def tell(self, *entries: tuple[str, Any]) -> list[str]:
        """Append and interpret; gives the verdicts of what was settled by it, in order."""
        recorded = log_of(entries, start=len(self.log) + 1)
        self.log.extend(recorded)
        settled = walk([self._claim(one) for one in recorded], self.state)
        self.placed.extend(settled)
        return [one.outcome.verdict for one in settled]

    def places(self) -> list[tuple[int, int, int, str, str]]:
        """Position, n, position of receipt, kind and verdict of every fact so far."""
        return [(p.position, p.n, p.claim.position, p.outcome.kind, p.outcome.verdict) for p in self.placed]

    def waiting(self) -> dict[int, str | None]:
        """What is parked, by position of receipt, and the URI it waits for."""
        return {position: parked.waits_for for position, parked in self.state.parked.items()}

    def stage(self, follower: str, followee: str) -> str:
        """How far the follow has come."""
        ids = self.state.ids
        pair = (LOCAL.get(follower) or ids[follower], LOCAL.get(followee) or ids[followee])
        return self.state.relations[pair].stage.value

    def _claim(self, recorded: Recorded) -> Claim:
        claim = self.translator.translate(recorded)
        self.state.seed(names(claim))
        for proposal in (*proposals(recorded.event, OURS), *further(claim, recorded.event)):
            self.state.seed([proposal.uri])
            self.state.ids[proposal.uri] = self.state.ids[proposal.uri] or proposal.id
            self.state.uris[proposal.id] = proposal.uri
        return claim
