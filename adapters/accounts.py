"""Making local accounts: the keys and the log-in first, and then the name in the log, which is for good."""

import asyncio
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
from adapters.postgres.users import KeptKey, Role, User, UserStore
from domain import account, instance
from domain.account import AddKey, RegisterAccount
from domain.dispatch import Dispatch
from domain.events import NotFound, Refused
from domain.instance import FoundInstance

PASSWORD_WORDS = 4
PASSWORD_LENGTH_MIN = 8
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

    def __init__(self, dispatch: Dispatch, users: UserStore, codec: Codec, tools: Tools) -> None:
        self._dispatch = dispatch
        self._users = users
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
        """Register a local account that can log in at once; gives its id.

        Whatever may fail comes before the name, which is taken for good. What a crash leaves half made is completed by
        the next call for that name: under the same id, with the e-mail, password and role given then.
        """
        check_password(password)
        account.check_username(username)
        async with self._users.making_one():
            begun = await self._users.by_login(username)
            number = self._tools.ids.next() if begun is None else begun.account
            register = self._registration(number, username if begun is None else begun.username)
            owner: int | None = (await self._dispatch.state(account, register)).account
            if owner not in (None, number) or (begun is not None and await self.is_complete(begun)):
                raise Refused("Username has already been taken")
            key = await self._keep(register, email, password, role)
            try:
                await self._dispatch(account, register)
            except Refused:
                await self._users.forget(number)
                raise
            await self._dispatch(account, _publication(number, key))
        return number

    async def is_complete(self, user: User) -> bool:
        """Whether the log has the name and the key of this log-in: else its making was cut short."""
        register = self._registration(user.account, user.username)
        if (await self._dispatch.state(account, register)).account != user.account:
            return False
        probe = AddKey(account=user.account, key_id="", public_key_pem="")
        return bool((await self._dispatch.state(account, probe)).keys)

    async def set_password(self, username: str, password: str) -> None:
        """Give a new password; every session and token ends."""
        check_password(password)
        user = await self._users.by_login(username)
        if user is None:
            raise NotFound(f"There is no local account {username!r} with a log-in.")
        password_hash = await asyncio.to_thread(self._tools.passwords.hash, password)
        await self._users.set_password(user.account, password_hash, self._tools.now())

    def _registration(self, number: int, username: str) -> RegisterAccount:
        origin = self._tools.settings.origin
        return RegisterAccount(
            account=number,
            username=username,
            username_key=self._tools.pepper.hash("username", username.casefold()).hex(),
            uri=f"{origin}/ap/users/{number}",
            url=f"{origin}/@{username}",
        )

    async def _keep(self, register: RegisterAccount, email: str | None, password: str, role: Role) -> KeptKey:
        password_hash = await asyncio.to_thread(self._tools.passwords.hash, password)
        pair = await asyncio.to_thread(new_key_pair)
        key = KeptKey(f"{register.uri}#main-key", pair.public_pem, self._codec.wrap_secret(pair.private_pem))
        user = User(register.account, register.username, email, password_hash, role, self._tools.now(), None)
        try:
            return await self._users.keep(user, key)
        except psycopg.errors.UniqueViolation as error:
            if error.diag.constraint_name == "users_email":
                raise Refused("Somebody logs in by that e-mail address already.") from error
            raise Refused("Username has already been taken") from error


def _publication(number: int, key: KeptKey) -> AddKey:
    return AddKey(account=number, key_id=key.key_id, public_key_pem=key.public_pem)


def check_password(password: str) -> None:
    """Raises Refused for one that is too short."""
    if len(password) < PASSWORD_LENGTH_MIN:
        raise Refused(f"A password has at least {PASSWORD_LENGTH_MIN} characters.")


def new_password() -> str:
    """A random password that is easy to read out: some 80 bits, in groups."""
    groups = ["".join(randomness.choice(_ALPHABET) for _ in range(4)) for _ in range(PASSWORD_WORDS)]
    return "-".join(groups)
