"""A whole instance for tests of the client API: the log, a projector that runs, the application, and people in it."""

import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from psycopg import OperationalError

from adapters.config import Settings
from adapters.first_account import prepare_database
from adapters.postgres.oauth import App, hash_of
from adapters.postgres.users import User
from adapters.postgres.writer import GroupWriter, NewEvent
from adapters.wiring import Server
from api.app import create_app
from domain import account as accounts
from domain import block as blocks
from domain.account import ChangeProfile, Profile, RegisterAccount
from domain.block import BlockAccount
from tests.database import MASTER_KEY, Database
from workers.projector import follow

ORIGIN = "http://localhost:3000"
PUBLIC = "https://www.w3.org/ns/activitystreams#Public"


class Person:
    """Somebody with an account here, and a client that is logged in as them."""

    def __init__(self, number: int, name: str, client: httpx.AsyncClient) -> None:
        self.id = str(number)
        self.number = number
        self.name = name
        self._client = client

    @property
    def authorization(self) -> dict[str, str]:
        """The header that says who asks; none for anybody."""
        header = self._client.headers.get("authorization")
        return {} if header is None else {"Authorization": header}

    async def ask(self, method: str, path: str, status: int = 200, **how: Any) -> Any:
        """The JSON of an answer that must have this status."""
        answer = await self._client.request(method, path, **how)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def get(self, path: str, status: int = 200, **params: Any) -> Any:
        return await self.ask("GET", path, status, params=params)

    async def raw(self, method: str, path: str, **how: Any) -> httpx.Response:
        return await self._client.request(method, path, **how)

    async def post(self, text: str, **more: Any) -> Any:
        return await self.ask("POST", "/api/v1/statuses", json={"status": text, **more})

    async def upload(self, raw: bytes, status: int = 200, **fields: str) -> Any:
        """Upload a file as clients do whose files have neither a name nor a type that says anything."""
        file = {"file": ("blob", raw, "application/octet-stream")}
        return await self.ask("POST", "/api/v2/media", status, files=file, data=fields)

    async def follow(self, other: "Person") -> Any:
        return await self.ask("POST", f"/api/v1/accounts/{other.id}/follow")

    async def unfollow(self, other: "Person") -> Any:
        return await self.ask("POST", f"/api/v1/accounts/{other.id}/unfollow")

    async def home(self, **params: Any) -> list[str]:
        return [status["id"] for status in await self.get("/api/v1/timelines/home", **params)]

    async def sees(self, status: str) -> bool:
        """Whether this person gets to see a status by its id."""
        answer = await self._client.get(f"/api/v1/statuses/{status}")
        assert answer.status_code in (200, 404), answer.text
        return answer.status_code == 200


class World:
    """An instance that runs, and how to populate it."""

    def __init__(self, server: Server, settings: Settings) -> None:
        self.server = server
        self.settings = settings
        self.app: Any = create_app(server)
        self._clients: list[httpx.AsyncClient] = []
        self._app_id: int | None = None

    def client(self, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=headers or {})
        self._clients.append(client)
        return client

    def anybody(self) -> Person:
        """Somebody who is not logged in."""
        return Person(0, "", self.client())

    async def person(self, name: str, profile: Profile | None = None) -> Person:
        """Register somebody, and log them in. Their key pair is left out: nobody signs here."""
        number = self.server.ids.next()
        uri, url = f"{ORIGIN}/ap/users/{number}", f"{ORIGIN}/@{name}"
        command = RegisterAccount(account=number, username=name, username_key=name, uri=uri, url=url)
        await self.server.do(accounts, command)
        if profile is not None:
            await self.server.do(accounts, ChangeProfile(account=number, profile=profile))
        await self.settled()
        await self.server.users.add(User(number, name, None, "no password", "user", self.server.now(), None))
        return Person(number, name, self.client(await self.token(number)))

    async def rename(self, person: Person, name: str) -> None:
        """Change what somebody is called."""
        await self.server.do(accounts, ChangeProfile(account=person.number, profile=Profile(display_name=name)))
        await self.settled()

    async def jobs(self) -> list[tuple[str, str]]:
        """Kind and subject of the jobs that are asked for; nobody does them here."""
        async with self.server.pool.connection() as connection:
            cursor = await connection.execute("SELECT kind, subject FROM app.jobs ORDER BY kind, subject")
            return [(row[0], row[1]) for row in await cursor.fetchall()]

    async def token(self, number: int, scopes: str = "read write follow push") -> dict[str, str]:
        """The header of a token of its own."""
        if self._app_id is None:
            app = App(0, "Client", None, ["urn:x"], scopes.split(), "client", b"", self.server.now())
            self._app_id = (await self.server.oauth.add_app(app)).id
        secret = f"token-{number}-{self.server.ids.next()}"
        await self.server.oauth.add_token(
            hash_of(secret), app=self._app_id, account=number, scopes=scopes.split(), now=self.server.now()
        )
        return {"Authorization": f"Bearer {secret}"}

    async def block(self, person: Person, other: int) -> None:
        """Let somebody block an account."""
        activity = f"{ORIGIN}/ap/users/{person.id}/blocks/{self.server.ids.next()}"
        await self.server.do(blocks, BlockAccount(blocker=person.number, blocked=other, activity=activity))
        await self.settled()

    async def settled(self) -> None:
        """Wait until everything that was written is projected."""
        position, _ = await self.server.reads.head()
        assert await self.server.reads.caught_up(position, timeout_s=20) == 0

    async def hear(self, *came: tuple[str, Any]) -> None:
        """Append what peers send, as `tests.adapters.interpreter.peers` makes it, and wait for what comes of it."""
        writer = GroupWriter(str(self.settings.database_app_url))
        try:
            for stream, make in came:
                sealed = self.server.codec.seal(stream, make(self.server.now()))
                assert writer.submit([NewEvent(stream, None, sealed)]).result().outcome == "stored"
        finally:
            writer.close()
        await self.settled()

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()


@asynccontextmanager
async def running_world(database: Database, redis_url: str, data: Path) -> AsyncGenerator[World]:
    """An instance on this database, with its projector in a thread."""
    settings = Settings(
        data=data,
        database_url=database.owner,
        database_app_url=database.app,
        redis_url=redis_url,
        master_key=MASTER_KEY.hex(),
    )
    prepare_database(settings)
    server, stopping = Server(settings), threading.Event()
    projecting = threading.Thread(target=_project, args=(settings, stopping))
    projecting.start()
    try:
        async with server.running():
            world = World(server, settings)
            await server.accounts.found("pem")
            yield world
            await world.close()
    finally:
        stopping.set()
        projecting.join()


def _project(settings: Settings, stopping: threading.Event) -> None:
    with suppress(OperationalError):
        follow(settings, stopping)
