"""Documents for peers: actors and WebFinger, asked again, and a Note for a signer, against the server's empty route."""

import random
from datetime import UTC, datetime

import msgspec
import uvloop

from adapters.activitypub.signatures_sign import sign_cavage
from adapters.config import Settings
from bench import peers
from bench.load import flat_out, get, gets_of, post_json
from bench.measuring import Row, Target
from bench.services import instance
from bench.stage import Stage, staged

CONNECTIONS = 16
SECONDS = 2.0
EMPTY = "/api/v1/custom_emojis"
_NAME = "SELECT username FROM accounts WHERE id = %s"
_NOTE = "SELECT id FROM statuses WHERE account = %s ORDER BY id DESC LIMIT 1"


def run(scale: float, rounds: int) -> list[Row]:
    """Each for some seconds, in turn, a round at a time."""
    with instance() as settings:
        return uvloop.run(_measured(settings, scale, rounds))


async def _measured(settings: Settings, scale: float, rounds: int) -> list[Row]:
    async with staged(settings) as stage:
        actor = f"/ap/users/{stage.account}"
        note = f"{actor}/statuses/{await _posted(stage)}"
        named = await stage.server.reads.view().execute(_NAME, [stage.account])
        handle = f"/.well-known/webfinger?resource=acct:{named[0][0]}@{settings.domain}"
        requests = {
            "empty": get(stage.port, EMPTY),
            "actor": _signed(stage, actor),
            "webfinger": get(stage.port, handle),
            "note": _signed(stage, note),
        }
        found: dict[str, list[float]] = {name: [] for name in requests}
        for request in requests.values():
            await gets_of(stage.port, request, CONNECTIONS, SECONDS * scale / 4)
        for _ in range(rounds):
            for name, request in requests.items():
                found[name].append((await gets_of(stage.port, request, CONNECTIONS, SECONDS * scale))[0])
    rows = (
        ("actor", f"GET actor, signed, {CONNECTIONS} connections", 0.6),
        ("webfinger", "GET WebFinger", 0.6),
        ("note", "GET a Note, the signature verified", 0.4),
    )
    floor = tuple(found["empty"])
    return [
        Row(
            what=what,
            unit="/s",
            measured=tuple(found[name]),
            floor=floor,
            target=Target("of the floor", share),
            note=f"Floor: GET {EMPTY}, which answers [] to everybody." if name == "actor" else "",
        )
        for name, what, share in rows
    ]


async def _posted(stage: Stage) -> int:
    """A post of the stage's account, by its id."""
    body = msgspec.json.encode({"status": peers.text(random.Random(6)), "visibility": "public"})  # noqa: S311
    request = post_json(stage.port, "/api/v1/statuses", stage.token, body)
    (await flat_out(stage.port, [request], 1)).only(200)
    await stage.settled()
    rows = await stage.server.reads.view().execute(_NOTE, [stage.account])
    return rows[0][0]


def _signed(stage: Stage, path: str) -> bytes:
    """A GET by a remote author whose key is known. Its signature holds for long enough to be sent again and again."""
    url = f"{stage.settings.origin}{path}"
    headers = sign_cavage("GET", url, None, peers.key_id(0), stage.keys[0], datetime.now(UTC))
    return get(stage.port, path, headers=headers)
