"""The bell: dramatiq messages that carry a job's id, rung after the job is in PostgreSQL, whose truth it is.

A message that is lost costs latency, never the job; one that comes twice finds the job taken. So nothing is retried,
delayed or kept here.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionBroke
from redis.exceptions import RedisError
from redis.retry import Retry

from adapters.outage import Outage

QUEUE: Final = "jobs"
ACTOR: Final = "look_at_job"
NAMESPACE: Final = "daybook:jobs"
DATABASE: Final = 1
TIMEOUT_S: Final = 1.0
# A killed worker's messages come back soon: the queue is small, and looking after it costs little.
MAINTENANCE_CHANCE: Final = 1_000_000
HEARTBEAT_TIMEOUT_MS: Final = 30_000
STOP_TIMEOUT_MS: Final = 5_000
HEARD_EVERY_MS: Final = 1_000


def make_broker(redis_url: str) -> RedisBroker:
    """A broker of our own: dramatiq's global one is never used.

    It looks through all keys of its database now and then, so it has one to itself unless the URL names one.
    """
    client: Any = redis.Redis.from_url(  # pyright: ignore[reportUnknownMemberType] - its keyword types are open
        redis_url,
        db=DATABASE,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        # What a restart broke is made anew at once; what is silent is not waited for twice.
        retry=Retry(NoBackoff(), 1, (ConnectionBroke,)),
    )
    # No middleware: it retries, limits and calls back, all of which a job does by its row.
    broker = RedisBroker(
        client=client,
        middleware=[],
        namespace=NAMESPACE,
        maintenance_chance=MAINTENANCE_CHANCE,
        heartbeat_timeout=HEARTBEAT_TIMEOUT_MS,
    )
    broker.declare_queue(QUEUE)
    return broker


class Bell:
    """Rings about jobs. One a process."""

    def __init__(self, redis_url: str) -> None:
        self._broker = make_broker(redis_url)
        self._outage = Outage("Redis", "nobody is woken by it; jobs are heard of from PostgreSQL, or looked for")

    async def ring(self, jobs: Sequence[int]) -> None:
        """Wake whoever does jobs; a failure is only logged, since they look by themselves."""
        if jobs and self._outage.worth_asking():
            await asyncio.to_thread(self._ring, jobs)

    def _ring(self, jobs: Sequence[int]) -> None:
        try:
            for job in jobs:
                message: dramatiq.Message[None] = dramatiq.Message(QUEUE, ACTOR, (job,), {}, {})
                self._broker.enqueue(message)  # pyright: ignore[reportUnknownMemberType]
        except (RedisError, dramatiq.DramatiqError, OSError) as error:
            self._outage.failed(error)
        else:
            self._outage.answered()

    def close(self) -> None:
        """Close the connection."""
        self._broker.close()


class Listener:
    """Calls `heard` with a job's id whenever somebody rings, in a thread of its own (dramatiq's Worker)."""

    def __init__(self, redis_url: str, heard: Callable[[int], object]) -> None:
        self._broker = make_broker(redis_url)
        # Its threads say of every second without Redis that there is none; that is known, and matters to nobody.
        logging.getLogger("dramatiq").setLevel(logging.CRITICAL + 1)

        @dramatiq.actor(broker=self._broker, actor_name=ACTOR, queue_name=QUEUE)
        def look_at_job(job: int) -> None:  # pyright: ignore[reportUnusedFunction] - the broker calls it
            heard(job)

        self._worker = dramatiq.Worker(self._broker, worker_threads=1, worker_timeout=HEARD_EVERY_MS)

    def start(self) -> None:
        """Listen from now on."""
        self._worker.start()

    def stop(self) -> None:
        """Stop listening; takes up to some seconds."""
        self._worker.stop(timeout=STOP_TIMEOUT_MS)
        self._broker.close()
