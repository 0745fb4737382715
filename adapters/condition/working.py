"""Jobs and the schedule: what is late, what fails, what was given up, and whether anybody keeps the time."""

from collections.abc import Sequence
from typing import Final

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from adapters.condition.finding import Finding, ok, span, warning, wrong
from adapters.postgres.jobs import GIVEN_UP_KEPT_FOR, TRIES_MAX

LATE_S_MAX: Final = 300.0
LATE_TIMES: Final = 3
COUNTED_MAX: Final = 1_000_000
ERROR_SHOWN_MAX: Final = 100
WORKER, SCHEDULE = "daybook jobs", "daybook schedule"

_JOBS: Final = """
    SELECT count(*) FILTER (WHERE given_up_at IS NULL), count(*) FILTER (WHERE given_up_at IS NULL AND attempts > 0
            AND last_error IS NOT NULL),
        count(*) FILTER (WHERE given_up_at IS NOT NULL),
        extract(epoch FROM now() - min(due_at) FILTER (WHERE given_up_at IS NULL AND due_at <= now()
            AND coalesce(leased_until <= now(), true)))::float8
    FROM (SELECT * FROM app.jobs LIMIT %s) AS sample
"""
_FAILING: Final = """
    SELECT kind, given_up_at IS NOT NULL, count(*), (array_agg(last_error ORDER BY id DESC))[1]
    FROM (SELECT * FROM app.jobs WHERE last_error IS NOT NULL LIMIT %s) AS sample
    GROUP BY 1, 2 ORDER BY 3 DESC, 1 LIMIT 3
"""
_SCHEDULE: Final = """
    SELECT name, extract(epoch FROM now() - last_run)::float8, extract(epoch FROM every)::float8
    FROM app.schedule ORDER BY name
"""


class Failing(msgspec.Struct, frozen=True):
    """Jobs of a kind that failed: whether they were given up, how many, and what the newest failed by."""

    kind: str
    given_up: bool
    count: int
    error: str


class Run(msgspec.Struct, frozen=True):
    """A thing of the schedule: how long ago it was begun, and how often it is to be; None where nobody said."""

    name: str
    ago_s: float
    every_s: float | None

    @property
    def is_late(self) -> bool:
        """Whether it should have been begun several times since."""
        return self.every_s is not None and self.ago_s > max(LATE_TIMES * self.every_s, LATE_S_MAX)


class Working(msgspec.Struct, frozen=True, kw_only=True):
    """Open jobs, those of them that failed before, those given up within a week, how long the oldest is due that
    nobody does; when each thing of the schedule was begun.
    """

    open: int
    failing: int
    given_up: int
    late_s: float | None
    examples: Sequence[Failing]
    runs: Sequence[Run]
    workers: int
    keepers: int


async def working(connection: AsyncConnection[TupleRow], running: dict[str, int]) -> Working:
    """Measure jobs and schedule. Raises psycopg.Error."""
    jobs = await (await connection.execute(_JOBS, [COUNTED_MAX])).fetchone()
    assert jobs is not None, "counting always answers"
    failing = await (await connection.execute(_FAILING, [COUNTED_MAX])).fetchall() if jobs[1] or jobs[2] else []
    return Working(
        open=jobs[0],
        failing=jobs[1],
        given_up=jobs[2],
        late_s=jobs[3],
        examples=[Failing(*row) for row in failing],
        runs=[Run(*row) for row in await (await connection.execute(_SCHEDULE)).fetchall()],
        workers=running.get(WORKER, 0),
        keepers=running.get(SCHEDULE, 0),
    )


def judge_jobs(found: Working) -> Finding:
    """Whether jobs are done."""
    check = "jobs"
    if not found.workers:
        what = f"Nobody does jobs: {found.open:,} are open."
        return wrong(check, what, "Start `daybook behind` (or `daybook up`, or `daybook work`).")
    if found.late_s is not None and found.late_s > LATE_S_MAX:
        what = f"{found.open:,} jobs are open, and one is due for {span(found.late_s)} that nobody does."
        return warning(check, what, "Start another `daybook work`, and look at its log.")
    shown = "; ".join(
        f"{one.count:,} of {one.kind}{' given up' if one.given_up else ''} ({one.error[:ERROR_SHOWN_MAX]})"
        for one in found.examples
    )
    if found.given_up:
        what = f"{found.given_up:,} jobs were given up after {TRIES_MAX} tries: {shown}."
        todo = (
            "Documents that can't be fetched are no harm; an error that names Daybook's own code is to be reported. "
            f"They are forgotten after {GIVEN_UP_KEPT_FOR.days} days."
        )
        return warning(check, what, todo)
    again = f" {found.failing:,} failed before and are tried again: {shown}." if found.failing else ""
    return ok(check, f"{found.open:,} jobs are open, none late.{again}")


def judge_schedule(found: Working) -> Finding:
    """Whether time causes what it should."""
    check = "schedule"
    late = [f"{run.name} ({span(run.ago_s)} ago, every {span(run.every_s or 0)})" for run in found.runs if run.is_late]
    if not found.keepers:
        lacking = f", late are {', '.join(late)}" if late else ""
        what = f"Nobody keeps the schedule{lacking}."
        return wrong(check, what, "Start `daybook behind` (or `daybook up`, or `daybook tick`).")
    if late:
        return warning(check, f"Some of the schedule is late: {', '.join(late)}.", "Look at the log of `daybook tick`.")
    return ok(check, "The schedule is kept.")
