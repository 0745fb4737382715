"""One host's turn: a few deliveries, in lanes, and the report on them.

The first goes alone: to a host that is dead that costs one attempt, not four. Then each sender has a lane, in order; a
delivery that fails by itself holds back what follows it about the same object.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from adapters.deliveries.judging import (
    ATTEMPTS_MAX,
    BREAKER_FAILURES,
    BREAKER_PAUSE_S,
    Outcome,
    Verdict,
    delay_s,
)
from adapters.postgres.deliveries import Again, Due, Leased, Report

LANES_MAX: Final = 4
# So long may a turn begin new deliveries: what its lease allows, less what the last one may take.
TURN_S: Final = 20.0
# What failed that often by itself no longer holds up what has nothing to do with it but the sender.
HOLDS_UP_MAX: Final = 4
_log = logging.getLogger("daybook.deliver")

Send = Callable[[Due], Awaitable[Verdict]]
"""Makes one attempt; raises nothing that the world can cause."""


@dataclass(slots=True)
class Turn:
    """What is going on with a host that is leased to us."""

    leased: Leased
    send: Send
    delay: Callable[[int], float]
    done: list[int] = field(default_factory=list[int])
    again: list[Again] = field(default_factory=list[Again])
    held: set[int] = field(default_factory=set[int])
    succeeded: bool = False
    own_failures: int = 0
    stop: Verdict | None = None
    early: bool = False
    error: str | None = None

    async def run(self) -> Report:
        """Send what there is to send."""
        rows = self.leased.rows
        if rows:
            until = asyncio.get_running_loop().time() + TURN_S
            await self._lane(rows[:1], until)
            lanes: list[list[Due]] = [[] for _ in range(LANES_MAX)]
            for row in rows[1:]:
                lanes[(row.sender or 0) % LANES_MAX].append(row)
            await asyncio.gather(*(self._lane(lane, until) for lane in lanes if lane))
        return self.report()

    def stop_early(self) -> None:
        """Begin no other delivery."""
        self.early = True

    async def _lane(self, rows: Sequence[Due], until: float) -> None:
        for row in rows:
            if self.early or self.stop is not None or asyncio.get_running_loop().time() > until:
                return
            if row.lane not in self.held:
                self._take_in(row, await self.send(row))

    def _take_in(self, row: Due, verdict: Verdict) -> None:
        match verdict.outcome:
            case Outcome.DONE | Outcome.DROPPED:
                self.succeeded = True
                self.done.append(row.id)
                if verdict.outcome is Outcome.DROPPED:
                    _log.info("%s is not wanted at %s: %s", row.uri, row.url, verdict.words)
            case Outcome.AGAIN:
                self.own_failures += 1
                self._try_again(row, verdict)
            case Outcome.TROUBLE:
                self.stop = verdict
                self._try_again(row, verdict)
            case Outcome.UNREACHABLE | Outcome.WAIT:
                self.stop = verdict

    def _try_again(self, row: Due, verdict: Verdict) -> None:
        self.error = verdict.words
        failures = row.attempt + 1
        if failures >= ATTEMPTS_MAX:
            _log.warning("%s is given up at %s after %d attempts: %s", row.uri, row.url, failures, verdict.words)
            self.done.append(row.id)
            return
        self.again.append(Again(row.id, self.delay(failures), failures >= HOLDS_UP_MAX and not row.about_object))
        if row.lane is not None:
            self.held.add(row.lane)

    def report(self) -> Report:
        """What has become of the turn until now."""
        if not (self.succeeded or self.own_failures or self.stop):
            return Report(self.leased.host, [], [], self.leased.failures, tried=False)
        failures = 0 if self.succeeded else self.leased.failures + self.own_failures
        pause_s: float | None = None
        if self.stop is not None:
            failures += 1
            pause_s = self.stop.wait_s or self.delay(failures)
        elif failures >= BREAKER_FAILURES:
            pause_s = BREAKER_PAUSE_S
        return Report(
            self.leased.host,
            self.done,
            self.again,
            failures,
            succeeded=self.succeeded,
            failed=not (self.succeeded or self._only_asked_to_wait()),
            pause_s=pause_s,
            error=self.stop.words if self.stop is not None else self.error,
        )

    def _only_asked_to_wait(self) -> bool:
        return self.stop is not None and self.stop.outcome is Outcome.WAIT and not self.own_failures


def turn_of(leased: Leased, send: Send, dice: random.Random) -> Turn:
    """A turn with the usual delays."""
    return Turn(leased, send, lambda failures: delay_s(failures, dice))
