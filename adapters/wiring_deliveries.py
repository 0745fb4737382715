"""What a deliverer is made of."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

import psycopg
import uvloop

from adapters.activitypub.guard import GuardedStreams, GuardPolicy
from adapters.activitypub.signatures_sign import SigningKey
from adapters.codec import Codec
from adapters.config import Settings
from adapters.deliveries.deliverer import Deliverer, Pace, Told
from adapters.deliveries.judging import Outcome
from adapters.deliveries.posting import Poster, PostLimits
from adapters.deliveries.signing import Signer
from adapters.deliveries.streams import AsyncioDialler
from adapters.master_key import load_master_key
from adapters.postgres import secrets
from adapters.tally import Tally
from adapters.vitals import DELIVERIES
from adapters.wiring import utc_now

STOP_POLL_S = 0.25


def run_deliverer(
    settings: Settings,
    stopping: threading.Event,
    *,
    clock: Callable[[], datetime] = utc_now,
    limits: PostLimits | None = None,
    pace: Pace | None = None,
) -> None:
    """Deliver until `stopping` is set.

    Raises psycopg.Error when the database does not go along, and SettingsError when it was never set up or the master
    key is another's.
    """
    dsn = settings.database_app_url
    assert dsn is not None, "settings must be attached first"
    codec = Codec(load_master_key(settings))
    with psycopg.connect(dsn) as connection:
        key = secrets.private_key(secrets.read_secret(connection, codec, secrets.INSTANCE_KEY))
    signer = Signer(SigningKey(f"{settings.origin}/actor#main-key", key), codec, clock)
    policy = GuardPolicy(name_map=settings.name_map, loopback=settings.loopback)

    async def run() -> None:
        streams = GuardedStreams(policy, dialler=AsyncioDialler())
        poster = Poster(streams, settings.origin, clock, limits)
        async with _counting(settings) as told:
            await _until_stopped(Deliverer(dsn, signer, poster, pace, told), poster, stopping)

    try:
        uvloop.run(run())
    finally:
        signer.close()


async def _until_stopped(deliverer: Deliverer, poster: Poster, stopping: threading.Event) -> None:
    delivering = asyncio.create_task(deliverer.run(), name="deliver")
    try:
        while not (delivering.done() or stopping.is_set()):
            await asyncio.wait([delivering], timeout=STOP_POLL_S)
        deliverer.stop()
        await delivering
    finally:
        await poster.aclose()


@asynccontextmanager
async def _counting(settings: Settings) -> AsyncGenerator[Told | None]:
    """What counts attempts for everybody to read; nothing where there is no Redis, which delivering can do without."""
    if settings.redis_url is None:
        yield None
        return
    tally = Tally(settings.redis_url)

    def told(outcome: Outcome) -> None:
        tally.count(DELIVERIES, outcome.value)

    async with tally.running():
        yield told
