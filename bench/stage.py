"""What an instance needs before requests to it can be measured: somebody to log in, and authors whom they follow."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from secrets import token_hex

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from adapters.activitypub.fetch_documents import FetchedDocument
from adapters.activitypub.remote_keys import StoredKey
from adapters.activitypub.signatures_sign import sign_cavage
from adapters.config import Settings
from adapters.keypairs import new_key_pair
from adapters.postgres.oauth import App, hash_of, new_secret
from adapters.postgres.received import FetchedKeys
from adapters.wiring import Server
from bench import peers
from bench.book import INBOX, Book, Line
from bench.services import BenchError
from domain.follow import FollowRequested

AUTHORS = 16
KEY_PAIRS = 4
CAUGHT_UP_TIMEOUT_S = 60.0
SCOPES = ["read", "write", "follow"]


class Stage:
    """A local account with its token, following `AUTHORS` remote authors whose keys the instance knows."""

    def __init__(self, settings: Settings, book: Book, server: Server, account: int, token: str) -> None:
        self.settings = settings
        self.book = book
        self.server = server
        self.account = account
        self.token = token
        self.ids: dict[str, int] = {}
        self.keys: list[RSAPrivateKey] = []

    @property
    def port(self) -> int:
        """Where the instance listens."""
        return self.settings.port

    async def settled(self) -> None:
        """Return when all that is in the log is projected. Raises BenchError."""
        position, _ = await self.server.reads.head()
        if await self.server.reads.caught_up(position, CAUGHT_UP_TIMEOUT_S):
            raise BenchError("the projector does not catch up")

    def signed(self, bodies: Sequence[bytes], authors: Sequence[int]) -> list[bytes]:
        """POSTs of activities to the shared inbox, as bytes, each signed by its author just now."""
        now = datetime.now(UTC)
        return [self._signed(body, author, now) for body, author in zip(bodies, authors, strict=True)]

    def _signed(self, body: bytes, author: int, now: datetime) -> bytes:
        return signed_post(self.settings.origin, body, peers.key_id(author), self.keys[author % KEY_PAIRS], now)


def signed_post(origin: str, body: bytes, key_id: str, key: RSAPrivateKey, now: datetime) -> bytes:
    """A POST to the shared inbox of the instance at `origin`, as bytes."""
    headers = sign_cavage("POST", f"{origin}{INBOX}", body, key_id, key, now)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {INBOX} HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body


@asynccontextmanager
async def staged(settings: Settings) -> AsyncGenerator[Stage]:
    """Set the stage in a running instance."""
    book, server = Book(settings), Server(settings)
    try:
        async with server.running():
            account = await server.accounts.create(f"measured_{token_hex(3)}", None, "a password for benches")
            stage = Stage(settings, book, server, account, await token_for(server, account))
            await _know_authors(stage)
            await stage.settled()
            stage.ids = book.ids(map(peers.author_uri, range(AUTHORS)))
            await asyncio.to_thread(book.append, _follows(stage))
            await stage.settled()
            yield stage
    finally:
        book.close()


async def token_for(server: Server, account: int) -> str:
    """A token with which a client may do everything for this account."""
    app = App(
        id=0,
        name="bench",
        website=None,
        redirect_uris=["urn:ietf:wg:oauth:2.0:oob"],
        scopes=SCOPES,
        client_id=new_secret(),
        secret_hash=hash_of(new_secret()),
        created_at=server.now(),
    )
    app, token = await server.oauth.add_app(app), new_secret()
    await server.oauth.add_token(hash_of(token), app=app.id, account=account, scopes=SCOPES, now=server.now())
    return token


async def _know_authors(stage: Stage) -> None:
    store = FetchedKeys(stage.book.writer, stage.server.pool, stage.book.codec, stage.book.pepper)
    pairs = [new_key_pair() for _ in range(KEY_PAIRS)]
    for pair in pairs:
        key = load_pem_private_key(pair.private_pem, None)
        assert isinstance(key, RSAPrivateKey), "that is what is made"
        stage.keys.append(key)
    for author in range(AUTHORS):
        pem, uri = pairs[author % KEY_PAIRS].public_pem, peers.author_uri(author)
        actor = peers.actor(author, pem)
        body = msgspec.json.encode(actor)
        document = FetchedDocument(uri, uri, body, actor, "application/activity+json", datetime.now(UTC))
        await store.save([StoredKey(peers.key_id(author), uri, pem)], document)


def _follows(stage: Stage) -> list[Line]:
    follower = f"{stage.settings.origin}/ap/users/{stage.account}"
    lines: list[Line] = []
    for author in range(AUTHORS):
        uri = peers.author_uri(author)
        followee = stage.ids[uri]
        request = f"{follower}#follows/{followee}"
        asked = FollowRequested(follower=stage.account, followee=followee, request=request)
        lines.append(Line(f"follow:{stage.account}:{followee}", asked))
        accept = peers.small("Accept", author, 0, {"id": request, "type": "Follow", "actor": follower, "object": uri})
        raw = peers.encoded(accept)
        lines.append(stage.book.received(uri, accept["id"], raw, datetime.now(UTC), content=False))
    return lines
