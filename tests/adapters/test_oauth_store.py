"""Credentials, codes and tokens on real PostgreSQL, as the role that owns nothing."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from argon2 import PasswordHasher
from psycopg_pool import AsyncConnectionPool

from adapters.passwords import Passwords
from adapters.postgres.oauth import App, Code, OAuthStore, Revocation, hash_of, new_secret
from adapters.postgres.tokens import TokenCache, keep_current
from adapters.postgres.users import User, UserStore
from adapters.unavailable import Unavailable
from tests.database import Database

pytestmark = pytest.mark.anyio

NOW = dt.datetime(2026, 10, 14, 19, 6, 5, tzinfo=dt.UTC)
SOON = NOW + dt.timedelta(minutes=10)
ALICE = User(7, "Alice", "alice@example.com", "hash", "user", NOW, None)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[AsyncConnectionPool[Any]]:
    async with AsyncConnectionPool[Any](database.app, min_size=1, max_size=4, open=False) as opened:
        yield opened


@pytest.fixture
async def users(pool: AsyncConnectionPool[Any]) -> UserStore:
    store = UserStore(pool)
    await store.add(ALICE)
    return store


@pytest.fixture
async def store(pool: AsyncConnectionPool[Any]) -> OAuthStore:
    return OAuthStore(pool)


async def registered(store: OAuthStore) -> App:
    app = App(0, "Client", None, ["https://c.example/"], ["read"], new_secret(), hash_of("secret"), NOW)
    return await store.add_app(app)


async def given_code(store: OAuthStore, app: App, challenge: str | None = None) -> bytes:
    code_hash = hash_of(new_secret())
    await store.add_code(Code(code_hash, app.id, 7, "https://c.example/", ["read"], challenge, NOW, SOON))
    return code_hash


async def redeemed(store: OAuthStore, code_hash: bytes, app: App, token: str, **changes: Any) -> Code | None:
    usual: dict[str, Any] = {"redirect_uri": "https://c.example/", "challenge": None, "now": NOW}
    return await store.redeem(code_hash, app=app.id, token_hash=hash_of(token), **{**usual, **changes})


@pytest.mark.parametrize("login", ["alice", "ALICE", "Alice", "ALICE@example.com", " alice "])
async def test_a_log_in_name_is_a_username_or_an_address_in_any_case(users: UserStore, login: str) -> None:
    assert await users.by_login(login) == ALICE


async def test_a_username_is_taken_in_any_case(users: UserStore) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation):
        await users.add(User(8, "aLICE", None, "hash", "user", NOW, None))


async def test_a_session_ends_with_its_time_or_its_user(users: UserStore, pool: AsyncConnectionPool[Any]) -> None:
    await users.open_session(b"s", 7, NOW, SOON)
    assert await users.session(b"s", NOW) == ALICE
    assert await users.session(b"s", SOON) is None
    async with pool.connection() as connection:
        await connection.execute("UPDATE app.users SET disabled_at = now()")
    assert await users.session(b"s", NOW) is None


async def test_a_new_password_ends_every_session_and_token(users: UserStore, store: OAuthStore) -> None:
    app = await registered(store)
    await users.open_session(b"s", 7, NOW, SOON)
    await store.add_token(hash_of("t"), app=app.id, account=7, scopes=["read"], now=NOW)
    assert await users.set_password(7, "other", NOW)
    assert await users.session(b"s", NOW) is None
    assert await store.bearer(hash_of("t")) is None


async def test_a_code_becomes_a_token_once_and_a_second_use_revokes_it(users: UserStore, store: OAuthStore) -> None:
    app = await registered(store)
    code = await given_code(store, app)
    assert await redeemed(store, code, app, "first") is not None
    bearer = await store.bearer(hash_of("first"))
    assert bearer is not None and (bearer.account, bearer.app, bearer.scopes) == (7, app.id, ["read"])
    assert await redeemed(store, code, app, "second") is None
    assert await store.bearer(hash_of("first")) is None
    assert await store.bearer(hash_of("second")) is None


async def test_a_code_raced_for_becomes_one_token_at_most(users: UserStore, store: OAuthStore) -> None:
    app = await registered(store)
    code = await given_code(store, app)
    won = await asyncio.gather(*(redeemed(store, code, app, str(n)) for n in range(4)))
    assert sum(grant is not None for grant in won) == 1


@pytest.mark.parametrize(
    "changes",
    [{"redirect_uri": "https://c.example/x"}, {"now": SOON}, {"challenge": "unasked"}],
    ids=["another redirect", "too late", "a verifier for no challenge"],
)
async def test_a_code_that_does_not_fit_is_no_token(
    users: UserStore, store: OAuthStore, changes: dict[str, Any]
) -> None:
    app = await registered(store)
    assert await redeemed(store, await given_code(store, app), app, "t", **changes) is None


async def test_another_client_can_neither_redeem_a_code_nor_spoil_it(users: UserStore, store: OAuthStore) -> None:
    app, other = await registered(store), await registered(store)
    code = await given_code(store, app)
    assert await redeemed(store, code, other, "stolen") is None
    assert await redeemed(store, code, app, "t") is not None
    assert await redeemed(store, code, other, "stolen") is None
    assert await store.bearer(hash_of("t")) is not None


async def test_only_the_client_that_holds_a_token_can_revoke_it(store: OAuthStore) -> None:
    app, other = await registered(store), await registered(store)
    await store.add_token(hash_of("t"), app=app.id, account=None, scopes=["read"], now=NOW)
    assert await store.revoke(hash_of("t"), app=other.id, now=NOW) is Revocation.FOREIGN
    assert await store.bearer(hash_of("t")) is not None
    assert await store.revoke(hash_of("t"), app=app.id, now=NOW) is Revocation.DONE
    assert await store.revoke(hash_of("t"), app=app.id, now=NOW) is Revocation.DONE
    assert await store.bearer(hash_of("t")) is None


class Watched(TokenCache):
    """A cache whose tests can wait for what it is told."""

    told: "asyncio.Queue[str]"

    def forget(self, announced: str) -> None:
        super().forget(announced)
        self.told.put_nowait(announced)


@pytest.fixture
async def cache(store: OAuthStore, database: Database) -> AsyncIterator[Watched]:
    cache = Watched(store)
    cache.told = asyncio.Queue()
    watching = asyncio.create_task(keep_current(cache, database.app))
    await asyncio.wait_for(cache.told.get(), 10)
    yield cache
    watching.cancel()


async def test_a_remembered_token_is_forgotten_when_it_is_revoked(cache: Watched, store: OAuthStore) -> None:
    app = await registered(store)
    await store.add_token(hash_of("t"), app=app.id, account=None, scopes=["read"], now=NOW)
    assert await cache.find("t") is not None
    assert len(cache) == 1
    await store.revoke(hash_of("t"), app=app.id, now=NOW)
    assert await asyncio.wait_for(cache.told.get(), 10) == hash_of("t").hex()
    assert len(cache) == 0
    assert await cache.find("t") is None


async def test_all_tokens_are_forgotten_when_a_user_is_disabled(
    cache: Watched, users: UserStore, store: OAuthStore, pool: AsyncConnectionPool[Any]
) -> None:
    app = await registered(store)
    await store.add_token(hash_of("t"), app=app.id, account=7, scopes=["read"], now=NOW)
    assert await cache.find("t") is not None
    async with pool.connection() as connection:
        await connection.execute("UPDATE app.users SET disabled_at = now()")
    await asyncio.wait_for(cache.told.get(), 10)
    assert await cache.find("t") is None


async def test_nothing_is_remembered_once_the_channel_is_lost(
    cache: Watched, store: OAuthStore, database: Database
) -> None:
    app = await registered(store)
    await store.add_token(hash_of("t"), app=app.id, account=None, scopes=["read"], now=NOW)
    assert await cache.find("t") is not None
    with psycopg.connect(database.owner, autocommit=True) as owner:
        owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%%' AND datname = %s",
            [database.name],
        )
    await asyncio.wait_for(cache.told.get(), 10)
    assert len(cache) == 0


async def test_a_token_revoked_while_it_was_looked_up_is_not_remembered(store: OAuthStore) -> None:
    class Slow(OAuthStore):
        async def bearer(self, token_hash: bytes) -> Any:
            found = await store.bearer(token_hash)
            cache.forget(token_hash.hex())
            return found

    app = await registered(store)
    await store.add_token(hash_of("t"), app=app.id, account=None, scopes=["read"], now=NOW)
    cache = TokenCache(Slow.__new__(Slow))
    cache.listening(True)
    assert await cache.find("t") is not None
    assert len(cache) == 0


async def test_a_lost_database_is_unavailable_and_nothing_worse(database: Database) -> None:
    gone = database.app.replace(database.name, "no_such_database")
    async with AsyncConnectionPool[Any](gone, min_size=0, max_size=1, timeout=0.2, open=False) as pool:
        with pytest.raises(Unavailable):
            await OAuthStore(pool).bearer(b"")


async def test_a_password_is_right_or_wrong_and_old_parameters_are_renewed() -> None:
    passwords = Passwords()
    stored = passwords.hash("correct horse")
    assert "$argon2id$" in stored and "m=19456,t=2,p=1" in stored
    assert await passwords.check(stored, "correct horse") == (True, None)
    assert await passwords.check(stored, "wrong") == (False, None)
    assert await passwords.check(None, "") == (False, None)
    assert await passwords.check(stored, "x" * 5_000) == (False, None)
    checked = await passwords.check(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("old"), "old")
    assert checked.right and checked.rehashed is not None
    assert await passwords.check(checked.rehashed, "old") == (True, None)
