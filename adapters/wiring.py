"""The composition root: what a process is made of, wired once, by hand."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import psycopg
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from adapters.accounts import Accounts
from adapters.activitypub.fetch import Fetcher
from adapters.activitypub.guard import GuardedTransport, GuardPolicy
from adapters.activitypub.remote_keys import RemoteKeys
from adapters.activitypub.signatures_sign import SigningKey
from adapters.activitypub.webfinger import WebFinger
from adapters.bell import Bell
from adapters.codec import Codec, Pepper
from adapters.condition.ready import Ready
from adapters.condition.sampled import Sampled
from adapters.config import Settings
from adapters.fetching import Documents, Known
from adapters.idempotency import Idempotency
from adapters.interpreter.interpret import Interpreter
from adapters.local_ids import LocalIds
from adapters.master_key import load_master_key
from adapters.media.library import Library
from adapters.metrics import Metrics
from adapters.pages import Pages
from adapters.passwords import Passwords
from adapters.positions import Positions
from adapters.postgres import generations, secrets
from adapters.postgres.actor_keys import ActorKeys
from adapters.postgres.event_log import PostgresEventLog, PostgresFacts
from adapters.postgres.host_life import HostLife
from adapters.postgres.jobs import JobQueue
from adapters.postgres.markers import Markers
from adapters.postgres.oauth import OAuthStore
from adapters.postgres.pools import make_pool
from adapters.postgres.projecting import Projector
from adapters.postgres.reading_beside import ReadingBeside, Work
from adapters.postgres.reads import Reads
from adapters.postgres.received import FetchedKeys, Inbox
from adapters.postgres.refusals import Refusals
from adapters.postgres.seen_signatures import SeenSignatures
from adapters.postgres.tokens import TokenCache, keep_current
from adapters.postgres.users import UserStore
from adapters.postgres.visits import Visits
from adapters.postgres.writer import GroupWriter
from adapters.redis_link import RedisLink
from adapters.resolving import Resolver
from adapters.tally import Tally
from adapters.tasks import end
from adapters.vitals import Vitals
from domain.dispatch import Concept, Decided, Dispatch
from projections.catalogue import PROJECTIONS
from projections.usage import Usage, usage

APP_CONNECTIONS_MAX = 8
USAGE_MAX_S = 60


def utc_now() -> datetime:
    """The one clock."""
    return datetime.now(UTC)


class Server:
    """Everything that answering requests needs. Open it with `running` before use.

    A process that `answers` none keeps no pages and no tokens, and need not hear what is written and touched elsewhere.
    Raises SettingsError when the database was never set up or the master key is another's.
    """

    def __init__(self, settings: Settings, now: Callable[[], datetime] = utc_now, *, answers: bool = True) -> None:
        dsn = settings.database_app_url
        assert dsn is not None and settings.redis_url is not None, "settings must be attached first"
        self.settings = settings
        self.now = now
        self.codec = Codec(load_master_key(settings))
        with psycopg.connect(dsn) as connection:
            self.pepper = Pepper(secrets.read_secret(connection, self.codec, secrets.PEPPER))
            key = secrets.private_key(secrets.read_secret(connection, self.codec, secrets.INSTANCE_KEY))
            row = connection.execute("SELECT epoch, (SELECT max(id) FROM app.ids) FROM log.head").fetchone()
        assert row is not None, "the migrations make the head"
        self.epoch: str = row[0]
        self.instance_key = key
        self.instance_pem = secrets.public_pem(key)
        self.ids = LocalIds(now, row[1] or 0)
        self.passwords = Passwords()
        self.pool = make_pool(dsn, APP_CONNECTIONS_MAX, "daybook serve")
        self.media = Library(self.pool, settings.data, self.ids, now, settings.origin)
        self.oauth = OAuthStore(self.pool)
        self.users = UserStore(self.pool)
        self.tokens = TokenCache(self.oauth)
        self.visits = Visits(self.pool, now)
        self.actor_keys = ActorKeys(self.pool)
        self.markers = Markers(self.pool)
        metrics = Metrics()
        self.refusals = Refusals(self.pool, now, metrics.refused)
        self.host_life = HostLife(self.pool, now)
        self.seen_signatures = SeenSignatures(self.pool)
        self.pages = Pages(settings.pages_mb * 1_000_000 if answers else 0)
        self.reads = Reads(dsn, beside=[self.pool], pages=self.pages if answers else None)
        self.tally = Tally(settings.redis_url)
        self.vitals = Vitals(metrics, self.pages, Sampled(dsn, settings.data), self.tally, Ready(self.reads))
        self._redis = RedisLink(settings.redis_url)
        self.positions = Positions(self._redis, settings.redis_url)
        self.idempotency = Idempotency(self._redis)
        self.jobs = JobQueue(self.pool)
        self.bell = Bell(settings.redis_url)
        self._dsn = dsn
        self._answers = answers
        self._writer: GroupWriter | None = None
        self._usage: tuple[datetime, Usage] | None = None

    async def do(self, concept: Concept, command: Any, token: int | None = None, *, begins: bool = False) -> Decided:
        """Run a command; with `token`, that token's later reads wait for what was decided.

        `begins` says that its stream is most likely empty, as that of a new id is.
        Raises Refused, FactsBehind, Unavailable.
        """
        decided = await self.dispatch(concept, command, begins=begins)
        if token is not None and decided.position:
            await self.positions.remember(token, self.epoch, decided.position)
        return decided

    async def state(self, concept: Concept, command: Any) -> Any:
        """What this command would be decided on, as the log has it now. Raises FactsBehind, Unavailable."""
        return await self.dispatch.state(concept, command)

    async def written_by(self, token: int) -> int:
        """The position that this token's reads must have passed; the head's, while Redis does not say."""
        position = await self.positions.last_of(token, self.epoch)
        return (await self.reads.head())[0] if position is None else position

    def reads_what_it_wrote(self, token: int) -> bool:
        """Whether it is certain, without asking anybody, that this token's reads have passed all that it wrote."""
        position = self.positions.known(token, self.epoch)
        return position is not None and not self.reads.behind(position)

    async def usage(self) -> Usage:
        """How much is here, or was at most USAGE_MAX_S seconds ago: all accounts are counted for it.

        Raises Unavailable.
        """
        now = self.now()
        if self._usage is not None:
            counted_at, counted = self._usage
            if now - counted_at < timedelta(seconds=USAGE_MAX_S):
                return counted
            # Whoever asks while it is counted anew is told the old.
            self._usage = now, counted
        row = await self.reads.view().row(usage())
        assert row is not None, "counting always answers"
        self._usage = now, Usage(*row)
        return self._usage[1]

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Open pools and start what listens; close all of it at the end."""
        self._open_log()
        await self.pool.open()
        hearing = self._hearing() if self._answers else []
        transport = GuardedTransport(_policy(self.settings))
        fetcher = Fetcher(
            transport, own_origin=self.settings.origin, clock=self.now, signer=_signer(self.settings, self.instance_key)
        )
        assert self._writer is not None, "just opened"
        store = FetchedKeys(self._writer, self.pool, self.codec, self.pepper)
        self.keys = RemoteKeys(fetcher, store, clock=self.now)
        self.documents = Documents(
            fetcher, store, Known(self.reads, store).knows, own_origin=self.settings.origin, clock=self.now
        )
        webfinger = WebFinger(fetcher, self.settings.is_plain)
        self.resolver = Resolver(
            self.documents, webfinger, self.jobs, self.bell, own_origin=self.settings.origin, clock=self.now
        )
        try:
            async with self.reads.running(), self.refusals.running(), self.tally.running():
                yield
        finally:
            await end(*hearing)
            await self.keys.aclose()
            await self.documents.aclose()
            await transport.aclose()
            await asyncio.to_thread(self._writer.close)
            await self.pool.close()
            await self.positions.aclose()
            await self._redis.aclose()
            self.bell.close()

    def _hearing(self) -> list[asyncio.Task[None]]:
        return [
            asyncio.create_task(keep_current(self.tokens, self._dsn), name="keep tokens current"),
            asyncio.create_task(self.positions.keep_current(), name="hear what is written"),
        ]

    def _open_log(self) -> None:
        self._writer = GroupWriter(self._dsn)
        log = PostgresEventLog(self._writer, self.pool, self.codec)
        self.dispatch = Dispatch(log, PostgresFacts(self.reads), self.now)
        self.inbox = Inbox(self._writer, self.pool, self.codec, self.pepper, self.vitals.metrics.received)
        self.accounts = Accounts(self.dispatch, self.users, self.codec, self)


def make_projector(settings: Settings, dsn: str, generation: generations.Generation, *, children: int = 0) -> Projector:
    """A projector into one generation, for this instance's own log; with `children`, so many processes read for it.

    Raises SettingsError when the database was never set up or the master key is another's: projecting then would park
    every event as unreadable, for good.
    """
    master_key = load_master_key(settings)
    codec = Codec(master_key)
    with psycopg.connect(dsn) as connection:
        secrets.read_secret(connection, codec, secrets.PEPPER)
    work = Work(dsn, master_key, settings.origin)
    beside = partial(ReadingBeside, work, children) if children else None
    return Projector(dsn, generation, codec, Interpreter(settings.origin), settings.origin, PROJECTIONS, beside)


def _policy(settings: Settings) -> GuardPolicy:
    return GuardPolicy(name_map=settings.name_map, loopback=settings.loopback)


def _signer(settings: Settings, key: RSAPrivateKey) -> SigningKey:
    return SigningKey(f"{settings.origin}/actor#main-key", key)
