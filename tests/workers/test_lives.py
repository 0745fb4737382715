"""What lives behind the web server hears what it needs, and not what only answers to clients depend on."""

import asyncio
import threading

import msgspec
import redis

from adapters.config import Settings
from adapters.embedded.valkey import EmbeddedValkey
from adapters.positions import CHANNEL
from adapters.wiring import Server
from workers.lives import live

PATIENCE_S = 10


def listeners(url: str) -> int:
    """How many listen to what is written."""
    with redis.Redis.from_url(url, decode_responses=True) as client:
        ((_, number),) = client.pubsub_numsub(CHANNEL)
    return number


def test_what_answers_nobody_does_not_listen_to_what_clients_write(
    settings: Settings, valkey_server: EmbeddedValkey
) -> None:
    settings = msgspec.structs.replace(settings, redis_url=valkey_server.url)
    # Instances of other tests may be listening, too.
    stopping, listening = threading.Event(), [listeners(valkey_server.url)]

    async def life(_: Server, stopped: asyncio.Event) -> None:
        answering = Server(settings)
        async with answering.running(), asyncio.timeout(PATIENCE_S):
            while answering.positions.known(1, answering.epoch) is None:
                await answering.written_by(1)
            listening.append(listeners(valkey_server.url))
        stopping.set()
        await stopped.wait()

    live(settings, stopping, life)
    before, meanwhile = listening
    assert meanwhile == before + 1
