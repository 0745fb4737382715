"""Given these events, when this command, then those events."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from domain.events import Event

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def folded(concept: Any, given: Sequence[Event]) -> Any:
    """The state after these events."""
    state = concept.INITIAL
    for event in given:
        state = concept.evolve(state, event)
    return state


def decided(concept: Any, *, given: Sequence[Event], when: Any) -> list[Event]:
    """What a command leads to after these events."""
    return list(concept.decide(folded(concept, given), when, NOW))
