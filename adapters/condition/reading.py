"""The read side's condition: which generation is read, how far it is behind, who works on it, what it set aside."""

from collections.abc import Sequence
from typing import Final

import msgspec
from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow

from adapters.condition.finding import Finding, ok, span, warning, wrong
from adapters.postgres import generations
from adapters.postgres.generations import Generation
from domain.waiting import WAITS_MAX

# So many events are projected in a second or two, and none of them can be read meanwhile.
BEHIND_MAX: Final = 5_000
POISON_SHOWN_MAX: Final = 3
PARKED_COUNTED_MAX: Final = 1_000_000
WAITING_MANY: Final = 100_000
PROJECTOR, REACTOR = "daybook project", "daybook react"

_HEAD: Final = "SELECT position FROM log.head"
_GENERATIONS: Final = "SELECT n, code_hash, status FROM app.generations ORDER BY n"
_REACTOR: Final = """
    SELECT r.position, count(f.position), max(f.position),
        (array_agg(f.reason ORDER BY f.failed_at DESC))[1], extract(epoch FROM now() - max(f.failed_at))::float8
    FROM app.reactor r LEFT JOIN app.reactor_failures f ON true GROUP BY r.position
"""
# As long as one is away for a moment only, the processes' connections say what runs; our own role's are all shown.
_PARTS: Final = """
    SELECT application_name, count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'daybook %' GROUP BY 1
"""
_PARKED: Final = sql.SQL("""
    SELECT count(*) FILTER (WHERE waits_for IS NOT NULL), count(*) FILTER (WHERE waits_for IS NULL),
        min(received_at_position) FILTER (WHERE waits_for IS NOT NULL)
    FROM (SELECT waits_for, received_at_position FROM {}.parked LIMIT %s) AS sample
""")
_POISON: Final = sql.SQL("""
    SELECT split_part(reason, ':', 1), count(*), max(received_at_position) FROM {}.parked
    WHERE waits_for IS NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %s
""")
_AWAITED: Final = sql.SQL("""
    SELECT split_part(waits_for, '/', 3), count(*) FROM (
        SELECT waits_for FROM {}.parked WHERE waits_for IS NOT NULL
        ORDER BY received_at_position DESC LIMIT %s) AS sample
    GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %s
""")


class Poison(msgspec.Struct, frozen=True):
    """Events set aside because our own code fails on them: how many by the same kind of error, and the last of them."""

    reason: str
    count: int
    last_position: int


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """`live` is what is read, `ours` whether this code made it, `building` what it is to be replaced by; positions are
    the log's. `awaited` are hosts whose documents most of what waits is waiting for, with how many.
    """

    head: int
    live: int | None
    ours: bool
    building: int | None
    built: int
    kept: Sequence[int]
    projected: int
    projectors: int
    waiting: int = 0
    poisoned: int = 0
    oldest_waiting: int | None = None
    poison: Sequence[Poison] = ()
    awaited: Sequence[tuple[str, int]] = ()

    @property
    def behind(self) -> int:
        """How many events are in the log and can't be read yet."""
        return max(0, self.head - self.projected)


class Reacting(msgspec.Struct, frozen=True, kw_only=True):
    """How far what follows from facts is done, and the facts that our own code failed to act upon."""

    position: int
    behind: int
    reactors: int
    failures: int
    last_failure: int | None
    last_reason: str | None
    last_failed_ago_s: float | None


async def parts(connection: AsyncConnection[TupleRow]) -> dict[str, int]:
    """How many connections each part of the instance holds, by the name that it gives them."""
    return dict(await (await connection.execute(_PARTS)).fetchall())


async def reading(connection: AsyncConnection[TupleRow], running: dict[str, int]) -> Reading:
    """Measure the read side. Raises psycopg.Error."""
    head = await _number(connection, _HEAD)
    found = [Generation(*row) for row in await (await connection.execute(_GENERATIONS)).fetchall()]
    live = next((one for one in found if one.status == "live"), None)
    ours = [one for one in found if one.code_hash == generations.code_hash()]
    building = next((one for one in reversed(ours) if one.status == "building"), None)
    measured = Reading(
        head=head,
        live=None if live is None else live.n,
        ours=live in ours,
        building=None if building is None else building.n,
        built=0 if building is None else await _number(connection, generations.checkpoint_of(building.n)),
        kept=[one.n for one in found if one.status == "kept"],
        projected=0 if live is None else await _number(connection, generations.checkpoint_of(live.n)),
        projectors=sum(count for name, count in running.items() if name.startswith(PROJECTOR)),
    )
    return measured if live is None else await _with_parked(connection, measured, live)


async def reacting(connection: AsyncConnection[TupleRow], running: dict[str, int], projected: int) -> Reacting:
    """Measure the reactor, against how far projecting has come. Raises psycopg.Error."""
    row = await (await connection.execute(_REACTOR)).fetchone()
    assert row is not None, "the migrations make the row"
    position, failures, last, reason, ago_s = row
    return Reacting(
        position=position,
        behind=max(0, projected - position),
        reactors=running.get(REACTOR, 0),
        failures=failures,
        last_failure=last,
        last_reason=reason,
        last_failed_ago_s=ago_s,
    )


def judge_generation(found: Reading) -> Finding:
    """Whether there is something to read, made by this code."""
    check = "read models"
    if found.live is not None and found.ours:
        kept = f"; {len(found.kept)} older kept" if found.kept else ""
        return ok(check, f"Generation {found.live} is live and made by this code{kept}.")
    if found.building is not None:
        share = f"event {found.built:,} of {found.head:,}"
        if found.projectors:
            what = f"Generation {found.building} is being built by this code ({share}); until then it answers 503."
            return warning(check, what, "Wait: it goes live by itself.")
        what = f"Generation {found.building} is to be built by this code ({share}), and nobody builds it."
        return wrong(check, what, "Start `daybook behind` (or `daybook up`).")
    if found.live is not None:
        what = f"Generation {found.live} is live, but another version of the code made it."
        return wrong(check, what, "Start `daybook up`, or `daybook migrate` and then the parts: they build anew.")
    return wrong(check, "There are no read models.", "Start `daybook up`, or `daybook migrate` and then the parts.")


def judge_projection(found: Reading) -> Finding:
    """Whether the read models keep up with the log."""
    check = "projection"
    if found.live is None:
        return ok(check, f"There is nothing live to project into; the log has {found.head:,} events.")
    if not found.behind and found.projectors:
        return ok(check, f"All {found.head:,} events are projected.")
    if not found.projectors:
        what = f"Nobody projects; {found.behind:,} of {found.head:,} events can't be read yet."
        return wrong(check, what, "Start `daybook behind` (or `daybook up`, or `daybook project`).")
    if found.behind > BEHIND_MAX:
        what = f"The read models are {found.behind:,} events behind the log."
        return warning(check, what, "Look again in a minute; if it grows, look at the projector's log and the CPU.")
    return ok(check, f"The read models are {found.behind:,} events behind, which is a moment.")


def judge_parked(found: Reading) -> Finding:
    """What could not be interpreted, or waits for something that never came."""
    check = "parked events"
    waits = f"{found.waiting:,} events wait for documents that have not come" if found.waiting else ""
    if found.awaited:
        most = ", ".join(f"{host or 'no host'}: {count:,}" for host, count in found.awaited)
        waits += f" (of the newest most for {most})"
    if found.poisoned:
        kinds = ", ".join(f"{one.reason} ({one.count:,}, last {one.last_position})" for one in found.poison)
        last = found.poison[0].last_position if found.poison else 0
        return warning(
            check,
            f"{found.poisoned:,} events are set aside because this code fails on them: {kinds}."
            + (f" {waits}." if waits else ""),
            f"Look at one with `daybook log show --from {last} --to {last}` and report it; "
            "a mended version reads them at its next rebuild.",
        )
    if found.waiting > WAITING_MANY:
        look = f"`daybook log show --from {found.oldest_waiting} --limit 10`"
        return warning(check, f"{waits}.", f"Look at the oldest with {look}: one host may be sending rubbish.")
    usual = f"{waits}: usual, and given up after {WAITS_MAX.days} days."
    return ok(check, usual if waits else "Nothing is set aside and nothing waits.")


def judge_reacting(found: Reacting) -> Finding:
    """Whether what should follow from events does."""
    check = "reactor"
    if not found.reactors:
        what = f"Nobody reacts; {found.behind:,} events are not acted upon: nothing is sent, no follow is answered."
        return wrong(check, what, "Start `daybook behind` (or `daybook up`, or `daybook react`).")
    if found.failures:
        ago = span(found.last_failed_ago_s or 0)
        at = found.last_failure
        what = f"{found.failures:,} facts could not be acted upon, the last {ago} ago ({found.last_reason})."
        todo = f"Look at it with `daybook log show --from {at} --to {at}`, and at the reactor's log; report it."
        return warning(check, what, todo)
    if found.behind > BEHIND_MAX:
        what = f"The reactor is {found.behind:,} events behind the read models."
        return warning(check, what, "Look again in a minute; if it grows, look at the reactor's log.")
    return ok(check, "All that happened is acted upon." if not found.behind else "The reactor is a moment behind.")


async def _with_parked(connection: AsyncConnection[TupleRow], measured: Reading, live: Generation) -> Reading:
    schema = _schema(live)
    counted = await (await connection.execute(_PARKED.format(schema), [PARKED_COUNTED_MAX])).fetchone()
    assert counted is not None, "counting always answers"
    waiting, poisoned, oldest = counted
    poison = await connection.execute(_POISON.format(schema), [POISON_SHOWN_MAX]) if poisoned else None
    awaited = await connection.execute(_AWAITED.format(schema), [BEHIND_MAX, POISON_SHOWN_MAX]) if waiting else None
    return msgspec.structs.replace(
        measured,
        waiting=waiting,
        poisoned=poisoned,
        oldest_waiting=oldest,
        poison=[Poison(*row) for row in await poison.fetchall()] if poison else [],
        awaited=await awaited.fetchall() if awaited else [],
    )


async def _number(connection: AsyncConnection[TupleRow], query: str | sql.Composed) -> int:
    row = await (await connection.execute(query.encode() if isinstance(query, str) else query)).fetchone()
    return 0 if row is None else row[0]


def _schema(generation: Generation) -> sql.Identifier:
    return sql.Identifier(generation.schema)
