"""What was refused at the door within a day, by reason: a clock that is wrong, or somebody who knocks in vain."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from adapters.condition.finding import Finding, ok, warning

MANY: Final = 1_000
HOSTS_MIN: Final = 20
HOSTS_SHOWN_MAX: Final = 3

_BY_REASON: Final = """
    SELECT reason, sum(count)::bigint FROM app.refusals WHERE hour > now() - interval '1 day' GROUP BY 1 ORDER BY 2 DESC
"""
_SIGNATURES: Final = """
    SELECT host, sum(count)::bigint, count(*) OVER ()::int FROM app.refusals
    WHERE hour > now() - interval '1 day' AND reason = 'signature' AND host <> '' GROUP BY 1 ORDER BY 2 DESC LIMIT %s
"""


class Door(msgspec.Struct, frozen=True):
    """Refusals by reason; how many hosts' signatures did not hold, and the hosts with most of them."""

    reasons: Mapping[str, int]
    hosts: int
    most: Sequence[tuple[str, int]]


async def door(connection: AsyncConnection[TupleRow]) -> Door:
    """Measure a day of refusals. Raises psycopg.Error."""
    reasons = dict(await (await connection.execute(_BY_REASON)).fetchall())
    rows = await (await connection.execute(_SIGNATURES, [HOSTS_SHOWN_MAX])).fetchall()
    return Door(reasons, rows[0][2] if rows else 0, [(host, count) for host, count, _ in rows])


def judge_door(found: Door) -> Finding:
    """Whether so much is refused that the fault may be ours."""
    check = "refused at the door"
    if not found.reasons:
        return ok(check, "Nothing was refused within a day.")
    shown = ", ".join(f"{reason} {count:,}" for reason, count in found.reasons.items())
    if found.hosts >= HOSTS_MIN and found.reasons.get("signature", 0) > MANY:
        most = ", ".join(f"{host} {count:,}" for host, count in found.most)
        what = f"Signatures of {found.hosts:,} hosts did not hold within a day ({shown}; most: {most})."
        return warning(
            check, what, "Look at this machine's clock, and whether the proxy passes Host and paths unchanged."
        )
    return ok(check, f"Within a day: {shown}.")
