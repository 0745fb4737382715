"""Making accounts: wherever a process dies meanwhile, the next call leaves one account, one key pair, one log-in."""

import asyncio
from pathlib import Path
from typing import Any

import psycopg
import pytest

from adapters.accounts import Accounts
from adapters.config import Settings
from adapters.embedded.valkey import EmbeddedValkey
from adapters.first_account import Prepared, prepare_database, prepare_instance
from adapters.postgres.users import KeptKey, User, UserStore
from adapters.wiring import Server
from domain.account import AccountRegistered, KeyAdded, RegisterAccount
from domain.dispatch import Concept, Decided, Dispatch
from domain.events import Event, Refused
from tests.database import MASTER_KEY, Database

pytestmark = pytest.mark.anyio
PASSWORD = "correct horse"
_EVENTS = """
    SELECT e.originator_id, e.topic, e.state, k.wrapped_key
    FROM log.events e JOIN keys.event_keys k ON k.position = e.notification_id ORDER BY e.notification_id
"""
_ROWS = """
    SELECT u.account, u.username, u.email, u.role, k.public_pem
    FROM app.users u FULL JOIN app.account_keys k USING (account) ORDER BY u.account
"""


class Died(BaseException):
    """The process ends here."""


class DyingDispatch(Dispatch):
    """The log's, until the process dies: before so many commands and one more."""

    def __init__(self, whole: Dispatch, commands: int) -> None:
        self._whole = whole
        self._left = commands

    async def __call__(self, concept: Concept, command: Any) -> Decided:
        if self._left == 0:
            raise Died
        self._left -= 1
        return await self._whole(concept, command)

    async def state(self, concept: Concept, command: Any) -> Any:
        return await self._whole.state(concept, command)


class RefusingDispatch(DyingDispatch):
    """Somebody else had the name in the log a moment before."""

    async def __call__(self, concept: Concept, command: Any) -> Decided:
        if isinstance(command, RegisterAccount):
            raise Refused("Username has already been taken")
        return await super().__call__(concept, command)


class DyingUsers(UserStore):
    """The process dies before there is a log-in."""

    async def keep(self, user: User, key: KeptKey) -> KeptKey:
        raise Died


def dying(server: Server, before: str) -> Accounts:
    """Accounts whose making ends before a step."""
    commands = ("the log-in", "the name", "the key").index(before) - 1
    users = DyingUsers(server.pool) if before == "the log-in" else server.users
    return Accounts(DyingDispatch(server.dispatch, max(0, commands)), users, server.codec, server)


EVERY_STEP = pytest.mark.parametrize("before", ["the log-in", "the name", "the key"])


@pytest.fixture
def settings(database: Database, valkey_server: EmbeddedValkey, tmp_path: Path) -> Settings:
    """An instance that nobody has started yet."""
    made = Settings(
        data=tmp_path,
        database_url=database.owner,
        database_app_url=database.app,
        redis_url=valkey_server.url,
        master_key=MASTER_KEY.hex(),
    )
    prepare_database(made)
    return made


def events(server: Server, *kinds: type[Event]) -> list[Any]:
    """The log's events of some kinds, in order."""
    with psycopg.connect(str(server.settings.database_app_url)) as connection:
        log = [server.codec.open(*row) for row in connection.execute(_EVENTS).fetchall()]
    return [event for event in log if isinstance(event, kinds)]


def rows(server: Server) -> list[tuple[Any, ...]]:
    """Every log-in beside its public key: account, username, e-mail, role, PEM."""
    with psycopg.connect(str(server.settings.database_app_url)) as connection:
        return connection.execute(_ROWS).fetchall()


async def may_log_in(server: Server, username: str, password: str | None) -> bool:
    user = await server.users.by_login(username)
    assert user is not None and password is not None
    return (await server.passwords.check(user.password_hash, password)).right


async def assert_whole(server: Server, *expected: tuple[str, str | None, str]) -> None:
    """Just these accounts (username, e-mail, role), each once wherever it stands."""
    there = rows(server)
    assert [row[1:4] for row in there] == list(expected)
    registered = events(server, AccountRegistered)
    assert [(event.account, event.username) for event in registered] == [row[:2] for row in there]
    keys = events(server, KeyAdded)
    assert [(event.account, event.public_key_pem) for event in keys] == [(row[0], row[4]) for row in there]
    assert [event.key_id for event in keys] == [f"{event.uri}#main-key" for event in registered]


@EVERY_STEP
async def test_a_first_start_that_died_is_completed_by_the_next_which_prints_a_password_that_works(
    settings: Settings, before: str
) -> None:
    server = Server(settings)
    async with server.running():
        await server.accounts.found(server.instance_pem)
        with pytest.raises(Died):
            await dying(server, before).create("admin", "admin@localhost", "never shown", role="owner")
    prepared = await prepare_instance(settings)
    again = await prepare_instance(settings)
    assert (prepared.username, prepared.email) == ("admin", "admin@localhost") == again[:2]
    assert again.password is None
    server = Server(settings)
    async with server.running():
        await assert_whole(server, ("admin", "admin@localhost", "owner"))
        assert await may_log_in(server, "admin", prepared.password)


async def test_a_password_that_may_have_been_shown_to_nobody_is_replaced_by_the_next_start(settings: Settings) -> None:
    unseen: list[str | None] = []

    def interrupted(prepared: Prepared) -> None:
        unseen.append(prepared.password)
        raise Died

    for _ in range(2):
        with pytest.raises(Died):
            await prepare_instance(settings, interrupted)
    shown: list[Prepared] = []
    prepared = await prepare_instance(settings, shown.append)
    assert shown == [prepared]
    assert prepared.password not in unseen
    assert (await prepare_instance(settings)).password is None
    server = Server(settings)
    async with server.running():
        await assert_whole(server, ("admin", "admin@localhost", "owner"))
        assert await may_log_in(server, "admin", prepared.password)


@EVERY_STEP
async def test_an_account_whose_making_died_is_completed_with_what_the_next_call_gives(
    settings: Settings, before: str
) -> None:
    server = Server(settings)
    async with server.running():
        with pytest.raises(Died):
            await dying(server, before).create("bob", "wrong@a.test", "another one", role="admin")
        begun = [row[0] for row in rows(server)]
        number = await server.accounts.create("BOB" if begun else "bob", "bob@a.test", PASSWORD)
        assert begun in ([], [number])
        await assert_whole(server, ("bob", "bob@a.test", "user"))
        assert await may_log_in(server, "bob", PASSWORD)
        with pytest.raises(Refused, match="Username has already been taken"):
            await server.accounts.create("bob", None, "something else")
        assert await may_log_in(server, "bob", PASSWORD)


async def test_an_email_address_that_is_taken_costs_no_username(settings: Settings) -> None:
    server = Server(settings)
    async with server.running():
        await server.accounts.create("alice", "alice@a.test", PASSWORD)
        with pytest.raises(Refused, match="Somebody logs in by that e-mail address already"):
            await server.accounts.create("bob", "ALICE@a.test", PASSWORD)
        await server.accounts.create("bob", "bob@a.test", PASSWORD)
        await assert_whole(server, ("alice", "alice@a.test", "user"), ("bob", "bob@a.test", "user"))


async def test_a_name_that_the_log_refuses_leaves_no_log_in_and_no_key(settings: Settings) -> None:
    server = Server(settings)
    async with server.running():
        refusing = Accounts(RefusingDispatch(server.dispatch, 0), server.users, server.codec, server)
        with pytest.raises(Refused, match="already been taken"):
            await refusing.create("bob", None, PASSWORD)
        with pytest.raises(Refused, match="only ASCII"):
            await server.accounts.create("no spaces", None, PASSWORD)
        assert rows(server) == []


async def test_of_two_who_ask_for_one_name_at_once_one_gets_it_and_keeps_their_password(settings: Settings) -> None:
    one, other = Server(settings), Server(settings)
    async with one.running(), other.running():
        asked = [(one, "first choice"), (other, "second choice")]
        outcomes = await asyncio.gather(
            *(server.accounts.create("bob", None, password) for server, password in asked), return_exceptions=True
        )
        assert sorted(isinstance(outcome, Refused) for outcome in outcomes) == [False, True]
        await assert_whole(one, ("bob", None, "user"))
        (password,) = [asked[n][1] for n, outcome in enumerate(outcomes) if isinstance(outcome, int)]
        assert await may_log_in(one, "bob", password)
