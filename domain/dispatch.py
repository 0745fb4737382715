"""The one path that writes commands: load, fold, decide, append; again when somebody else was first."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from domain.events import Event
from domain.ports import Conflict, EventLog, Facts, Recorded

ATTEMPTS_MAX = 10


class Concept(Protocol):
    """A concept's module: `domain.account`, `domain.post`, `domain.follow`, `domain.instance`."""

    INITIAL: Any
    TOUCHED_BY_REMOTE: bool

    @property
    def stream(self) -> Callable[[Any], str]: ...
    @property
    def decide(self) -> Callable[[Any, Any, datetime], Sequence[Any]]: ...
    @property
    def evolve(self) -> Callable[[Any, Any], Any]: ...


class Decided(msgspec.Struct, frozen=True):
    """What came of a command: the state it was decided on, the new events, the log position of the last one (or 0)."""

    before: Any
    after: Any
    events: tuple[Event, ...] = ()
    position: int = 0


class Dispatch:
    """Runs commands against the log.

    Raises domain.events.Refused when the command is not allowed, FactsBehind when remote facts that could touch the
    stream are not settled in time, Conflict when others were first ten times over.
    """

    def __init__(self, log: EventLog, facts: Facts, now: Callable[[], datetime]) -> None:
        self._log = log
        self._facts = facts
        self._now = now

    async def __call__(self, concept: Concept, command: Any, *, begins: bool = False) -> Decided:
        """Decide on a command and append what was decided.

        With `begins` the stream is taken to be empty at first, and is only loaded when the log says that it is not.
        """
        assert not (begins and concept.TOUCHED_BY_REMOTE), "what others did may be there already"
        for attempt in range(ATTEMPTS_MAX):
            try:
                return await self._once(concept, command, begins=begins and attempt == 0)
            except Conflict:
                if attempt == ATTEMPTS_MAX - 1:
                    raise
        raise AssertionError("unreachable")

    async def state(self, concept: Concept, command: Any) -> Any:
        """The state that this command would be decided on."""
        before, _ = await self._load(concept, concept.stream(command))
        return before

    async def _once(self, concept: Concept, command: Any, *, begins: bool) -> Decided:
        stream = concept.stream(command)
        before, version = (concept.INITIAL, 0) if begins else await self._load(concept, stream)
        events = tuple(concept.decide(before, command, self._now()))
        if not events:
            return Decided(before=before, after=before)
        recorded = await self._log.append(stream, version, events)
        after = before
        for event in events:
            after = concept.evolve(after, event)
        return Decided(before=before, after=after, events=events, position=recorded[-1].position)

    async def _load(self, concept: Concept, stream: str) -> tuple[Any, int]:
        if concept.TOUCHED_BY_REMOTE:
            await self._facts.caught_up()
        own: Sequence[Recorded] = await self._log.load(stream)
        remote: Sequence[Recorded] = await self._facts.of(stream) if concept.TOUCHED_BY_REMOTE else ()
        state = concept.INITIAL
        for recorded in sorted((*own, *remote), key=lambda recorded: recorded.position):
            state = concept.evolve(state, recorded.event)
        return state, own[-1].version if own else 0
