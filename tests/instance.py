"""A whole instance in this process, for tests that knock from outside: granian on a real port, a projector, an account.

`tests/system/instance.py` runs the same by `daybook up`; this one starts in a second and can be asked about its log.
"""

import asyncio
import http.client
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psycopg
from granian.constants import Interfaces
from granian.server.embed import Server as Granian

from adapters.config import Settings
from adapters.first_account import prepare_database, prepare_instance
from adapters.postgres.oauth import App, hash_of
from adapters.wiring import Server, utc_now
from api.app import create_app
from domain.events import Event
from domain.follow import FollowRequested
from tests.database import MASTER_KEY, Database
from tests.federation.peer import Peer
from tests.system.instance import free_port
from workers.deliverer import deliver
from workers.jobs import work
from workers.projector import follow
from workers.reactor import react

TIMEOUT_S = 20.0
SCOPES = ["read", "write", "follow"]
T = TypeVar("T")

_EVENTS = """
    SELECT e.notification_id, e.originator_id, e.topic, e.state, k.wrapped_key
    FROM log.events e JOIN keys.event_keys k ON k.position = e.notification_id
    WHERE e.notification_id > %s ORDER BY e.notification_id
"""


class LiveInstance:
    """An instance that answers at `origin`; its first account is `admin`."""

    def __init__(self, settings: Settings, now: Callable[[], datetime] = utc_now) -> None:
        self.settings = settings
        self.origin = settings.origin
        self.inbox = f"{self.origin}/inbox"
        self.server = Server(settings, now)
        self.loop = asyncio.new_event_loop()
        self.granian = Granian(
            create_app(self.server, [self.server.vitals.metrics.seen]),
            port=settings.port,
            interface=Interfaces.ASGI,
            log_enabled=False,
        )
        self.client = httpx.Client(base_url=self.origin, timeout=TIMEOUT_S)

    def serve(self) -> None:
        """Run until `granian` is stopped."""
        self.loop.run_until_complete(self.granian.serve())
        self.loop.close()

    def run(self, work: Awaitable[T]) -> T:
        """Something of the server's, on its own event loop."""

        async def wait() -> T:
            return await work

        return asyncio.run_coroutine_threadsafe(wait(), self.loop).result(TIMEOUT_S)

    def await_answer(self) -> None:
        """Wait until the port answers."""
        pause = threading.Event()
        for _ in range(int(TIMEOUT_S / 0.02)):
            connection = http.client.HTTPConnection("127.0.0.1", self.settings.port, timeout=TIMEOUT_S)
            with suppress(OSError):
                connection.request("GET", "/actor")
                assert connection.getresponse().status == 200
                connection.close()
                return
            connection.close()
            pause.wait(0.02)
        raise AssertionError("the instance does not answer")

    def log_in(self) -> int:
        """Make the client admin's; gives the account's id."""
        user = self.run(self.server.users.by_login("admin"))
        assert user is not None
        app = self.run(self.server.oauth.add_app(App(0, "T", None, ["urn:x"], SCOPES, "c", b"", self.server.now())))
        self.run(
            self.server.oauth.add_token(
                hash_of("secret"), app=app.id, account=user.account, scopes=SCOPES, now=self.server.now()
            )
        )
        self.client.headers["Authorization"] = "Bearer secret"
        return user.account

    def head(self) -> int:
        return self.run(self.server.reads.head())[0]

    def settled(self) -> None:
        """Wait until everything that was written is projected."""
        assert self.run(self.server.reads.caught_up(self.head(), timeout_s=TIMEOUT_S)) == 0

    def events(self, after: int = 0) -> list[Event]:
        """The log from there on, in the clear."""
        with psycopg.connect(str(self.settings.database_app_url)) as connection:
            rows = connection.execute(_EVENTS, [after]).fetchall()
        return [self.server.codec.open(*row[1:]) for row in rows]

    def rows(self, sql: Any, *values: Any) -> list[tuple[Any, ...]]:
        """Of the live read models."""
        return self.run(self.server.reads.view().execute(sql, values))

    def verdicts(self, after: int) -> list[str]:
        """What came of the events from there on."""
        self.settled()
        sql = "SELECT verdict FROM facts WHERE received_at_position > %s ORDER BY received_at_position, n"
        return [row[0] for row in self.rows(sql, after)]

    def home(self) -> list[str]:
        """The texts in admin's home."""
        self.settled()
        answer = self.client.get("/api/v1/timelines/home", params={"limit": 40})
        assert answer.status_code == 200, answer.text
        return [status["content"] for status in answer.json()]

    def befriend(self, peer: Peer) -> None:
        """Become known to each other, and let admin follow the peer."""
        assert peer.post(self.inbox, peer.note("First of all")).status == 202
        self.settled()
        found = self.client.get("/api/v1/accounts/lookup", params={"acct": peer.acct})
        assert found.status_code == 200, found.text
        before = self.head()
        asked = self.client.post(f"/api/v1/accounts/{found.json()['id']}/follow")
        assert asked.status_code == 200, asked.text
        (request,) = [event for event in self.events(before) if isinstance(event, FollowRequested)]
        follower = f"{self.origin}/ap/users/{request.follower}"
        assert peer.post(self.inbox, peer.accept(request.request, follower)).status == 202
        self.settled()


@contextmanager
def running_instance(
    database: Database, redis_url: str, data: Path, *peers: Peer, now: Callable[[], datetime] = utc_now
) -> Iterator[LiveInstance]:
    """Found and prepare an instance in this database, and run it until the block ends.

    `peers` are those whose names have to be mapped to where they listen; who answers requests takes `now` for the time.
    """
    port = free_port()
    settings = Settings(
        domain=f"localhost:{port}",
        port=port,
        data=data,
        database_url=database.owner,
        database_app_url=database.app,
        redis_url=redis_url,
        master_key=MASTER_KEY.hex(),
        name_map={peer.origin.partition("://")[2]: peer.address for peer in peers},
    )
    prepare_database(settings)
    asyncio.run(prepare_instance(settings))
    instance, stopping = LiveInstance(settings, now), threading.Event()
    threads = [
        threading.Thread(target=instance.serve, name="serve"),
        threading.Thread(target=follow, args=(settings, stopping), name="project"),
        threading.Thread(target=react, args=(settings, stopping), name="react"),
        threading.Thread(target=work, args=(settings, stopping), name="work"),
        threading.Thread(target=deliver, args=(settings, stopping), name="deliver"),
    ]
    for thread in threads:
        thread.start()
    try:
        instance.await_answer()
        instance.log_in()
        yield instance
    finally:
        stopping.set()
        instance.loop.call_soon_threadsafe(instance.granian.stop)
        for thread in threads:
            thread.join()
        instance.client.close()
