"""Making local accounts: the name in the log, the keys and the log-in beside it."""

import secrets as randomness
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import psycopg

from adapters.codec import Codec, Pepper
from adapters.config import Settings
from adapters.keypairs import new_key_pair
from adapters.local_ids import LocalIds
from adapters.passwords import Passwords
from adapters.postgres.reads import Pool
from adapters.postgres.users import Role, User, UserStore
from domain import account, instance
from domain.account import AddKey, RegisterAccount
from domain.dispatch import Dispatch
from domain.events import NotFound, Refused
from domain.instance import FoundInstance

PASSWORD_WORDS = 4
PASSWORD_LENGTH_MIN = 8
_KEEP_KEY = """
    INSERT INTO app.account_keys (account, key_id, public_pem, wrapped) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


class Tools(Protocol):
    """The parts of the composition that making accounts needs."""

    settings: Settings
    ids: LocalIds
    pepper: Pepper
    passwords: Passwords
    now: Callable[[], datetime]


class Accounts:
    """Local accounts and their log-ins. Raises Refused with a sentence when something is not allowed."""

    def __init__(self, dispatch: Dispatch, users: UserStore, pool: Pool, codec: Codec, tools: Tools) -> None:
        self._dispatch = dispatch
        self._users = users
        self._pool = pool
        self._codec = codec
        self._tools = tools

    async def found(self, public_key_pem: str) -> None:
        """Found the instance under its origin; again is silence, under another origin refused."""
        settings = self._tools.settings
        command = FoundInstance(
            origin=settings.origin,
            domain=settings.domain,
            actor=f"{settings.origin}/actor",
            public_key_pem=public_key_pem,
        )
        await self._dispatch(instance, command)

    async def create(self, username: str, email: str | None, password: str, role: Role = "user") -> int:
        """Register a local account that can log in at once; gives its id."""
        check_password(password)
        settings, number = self._tools.settings, self._tools.ids.next()
        uri = f"{settings.origin}/ap/users/{number}"
        command = RegisterAccount(
            account=number,
            username=username,
            username_key=self._tools.pepper.hash("username", username.casefold()).hex(),
            uri=uri,
            url=f"{settings.origin}/@{username}",
        )
        await self._dispatch(account, command)
        await self._add_key(number, f"{uri}#main-key")
        await self._add_user(number, username, email, password, role)
        return number

    async def set_password(self, username: str, password: str) -> None:
        """Give a new password; every session and token ends."""
        check_password(password)
        user = await self._users.by_login(username)
        if user is None:
            raise NotFound(f"There is no local account {username!r} with a log-in.")
        await self._users.set_password(user.account, self._tools.passwords.hash(password), self._tools.now())

    async def anyone(self) -> bool:
        """Whether anybody can log in."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute("SELECT EXISTS (SELECT FROM app.users)")
            row = await cursor.fetchone()
        return bool(row and row[0])

    async def first(self) -> tuple[str, str | None] | None:
        """Username and e-mail of the account that can log in for the longest time."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute("SELECT username, email FROM app.users ORDER BY account LIMIT 1")
            row = await cursor.fetchone()
        return (row[0], row[1]) if row else None

    async def _add_key(self, number: int, key_id: str) -> None:
        pair = new_key_pair()
        wrapped = self._codec.wrap_secret(pair.private_pem)
        async with self._pool.connection() as connection:
            await connection.execute(_KEEP_KEY, [number, key_id, pair.public_pem, wrapped])
        await self._dispatch(account, AddKey(account=number, key_id=key_id, public_key_pem=pair.public_pem))

    async def _add_user(self, number: int, username: str, email: str | None, password: str, role: Role) -> None:
        user = User(
            account=number,
            username=username,
            email=email,
            password_hash=self._tools.passwords.hash(password),
            role=role,
            created_at=self._tools.now(),
            disabled_at=None,
        )
        try:
            await self._users.add(user)
        except psycopg.errors.UniqueViolation as error:
            raise Refused("Somebody logs in by this name or e-mail address already.") from error


def check_password(password: str) -> None:
    """Raises Refused for one that is too short."""
    if len(password) < PASSWORD_LENGTH_MIN:
        raise Refused(f"A password has at least {PASSWORD_LENGTH_MIN} characters.")


def new_password() -> str:
    """A random password that is easy to read out: some 80 bits, in groups."""
    groups = ["".join(randomness.choice(_ALPHABET) for _ in range(4)) for _ in range(PASSWORD_WORDS)]
    return "-".join(groups)
