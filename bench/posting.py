"""POST a status: one user, one after the other, and eight at once."""

import random

import msgspec
import uvloop

from adapters.config import Settings
from bench import peers
from bench.load import flat_out, post_json
from bench.measuring import Row, Target
from bench.services import instance
from bench.stage import Stage, staged

ALONE, TOGETHER = 1, 8
POSTS = {ALONE: 400, TOGETHER: 1_200}


def run(scale: float, rounds: int) -> list[Row]:
    """One after the other, then together, a round at a time."""
    with instance() as settings:
        return uvloop.run(_measured(settings, scale, rounds))


async def _measured(settings: Settings, scale: float, rounds: int) -> list[Row]:
    dice = random.Random(5)  # noqa: S311 - to be made again, not to be unguessable
    async with staged(settings) as stage:
        await _posted(stage, dice, TOGETHER, max(20, int(200 * scale)))
        found: dict[int, list[float]] = {ALONE: [], TOGETHER: []}
        for _ in range(rounds):
            for connections, wanted in POSTS.items():
                found[connections].append(await _posted(stage, dice, connections, max(10, int(wanted * scale))))
    return [
        Row(
            what="POST a status, one user, one after the other",
            unit="/s",
            measured=tuple(found[ALONE]),
            target=Target("at least", 300),
        ),
        Row(
            what=f"POST a status, {TOGETHER} at once",
            unit="/s",
            measured=tuple(found[TOGETHER]),
            target=Target("at least", 800),
        ),
    ]


async def _posted(stage: Stage, dice: random.Random, connections: int, wanted: int) -> float:
    bodies = [msgspec.json.encode({"status": peers.text(dice), "visibility": "public"}) for _ in range(wanted)]
    requests = [post_json(stage.port, "/api/v1/statuses", stage.token, body) for body in bodies]
    rate = (await flat_out(stage.port, requests, connections)).only(200).per_second
    await stage.settled()
    return rate
