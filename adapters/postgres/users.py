"""Who may log in: credentials and browser sessions, in schema `app`; secrets are stored only as hashes.

The key pairs of local accounts come and go with their log-ins; the private halves are wrapped by the master key.
"""

import asyncio
import datetime as dt
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

import msgspec
from psycopg.rows import class_row

from adapters.postgres.short_statements import Pool, ShortStatements

Role = Literal["user", "moderator", "admin", "owner"]


class User(msgspec.Struct, frozen=True):
    """Someone with a log-in; `account` is the id that the log knows them by."""

    account: int
    username: str
    email: str | None
    password_hash: str
    role: Role
    created_at: dt.datetime
    disabled_at: dt.datetime | None


class KeptKey(msgspec.Struct, frozen=True):
    """A local account's key pair: its id (a URL), the public half as PEM, the private one wrapped."""

    key_id: str
    public_pem: str
    wrapped: bytes


class UserStore:
    """Users and their web sessions. Every method raises Unavailable when PostgreSQL can't be reached."""

    def __init__(self, pool: Pool) -> None:
        self._sql = ShortStatements(pool)
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def making_one(self) -> AsyncGenerator[None]:
        """The turn to make an account: one at a time, among all processes; a process that dies gives it back."""
        # Within this process by a lock of its own: those who wait must not hold the pool's connections.
        async with self._turn, self._sql.transaction() as connection:
            await connection.execute(TAKE_TURN)
            yield

    async def keep(self, user: User, key: KeptKey) -> KeptKey:
        """Stores a log-in with its key pair, both or none; gives the pair that is kept.

        An account that is there already gets this e-mail, password and role, and stays with its own pair. Raises
        psycopg's UniqueViolation when the username or the e-mail is somebody else's.
        """
        async with self._sql.transaction() as connection:
            await connection.execute(KEEP_USER, user_values(user))
            await connection.execute(KEEP_KEY, {"account": user.account, **msgspec.structs.asdict(key)})
            async with connection.cursor(row_factory=class_row(KeptKey)) as cursor:
                await cursor.execute(KEY_OF, {"account": user.account})
                kept = await cursor.fetchone()
        assert kept is not None, "kept just now"
        return kept

    async def forget(self, account: int) -> None:
        """Removes a log-in and its key pair."""
        async with self._sql.transaction() as connection:
            await connection.execute(FORGET_KEY, {"account": account})
            await connection.execute(FORGET_USER, {"account": account})

    async def first(self) -> User | None:
        """The user whose account is the oldest."""
        return await self._sql.one(User, FIRST_USER, {})

    async def add(self, user: User) -> None:
        """Stores `user`. Raises psycopg's UniqueViolation when the account, the username or the e-mail is taken."""
        await self._sql.run(ADD_USER, user_values(user))

    async def by_login(self, login: str) -> User | None:
        """The user with this username or e-mail address, in any case."""
        return await self._sql.one(User, USER_BY_LOGIN, {"login": login.strip()})

    async def by_account(self, account: int) -> User | None:
        """The user of this account."""
        return await self._sql.one(User, USER_BY_ACCOUNT, {"account": account})

    async def rehash(self, account: int, password_hash: str) -> None:
        """Stores the same password under newer parameters."""
        await self._sql.run(REHASH, {"account": account, "password_hash": password_hash})

    async def set_password(self, account: int, password_hash: str, now: dt.datetime) -> bool:
        """A new password ends every session and every token of the account. False when there is no such user."""
        values = {"account": account, "password_hash": password_hash, "now": now}
        async with self._sql.transaction() as connection:
            found = (await connection.execute(REHASH, values)).rowcount == 1
            await connection.execute(END_SESSIONS, values)
            await connection.execute(REVOKE_TOKENS_OF_USER, values)
        return found

    async def open_session(self, session_hash: bytes, account: int, now: dt.datetime, expires_at: dt.datetime) -> None:
        """Remembers a browser, and forgets those whose time is over."""
        values = {"session_hash": session_hash, "account": account, "now": now, "expires_at": expires_at}
        async with self._sql.transaction() as connection:
            await connection.execute(FORGET_OLD_SESSIONS, values)
            await connection.execute(OPEN_SESSION, values)

    async def session(self, session_hash: bytes, now: dt.datetime) -> User | None:
        """Who is logged in with this session; None when it is over or the user is disabled."""
        return await self._sql.one(User, USER_BY_SESSION, {"session_hash": session_hash, "now": now})

    async def close_session(self, session_hash: bytes) -> None:
        """Forgets the browser; already forgotten is fine."""
        await self._sql.run(CLOSE_SESSION, {"session_hash": session_hash})


def user_values(user: User) -> Mapping[str, Any]:
    """What `ADD_USER` takes, for those who run it over a connection of their own."""
    return msgspec.structs.asdict(user)


# Adds someone who may log in.
ADD_USER = """
    INSERT INTO app.users (account, username, email, password_hash, role, created_at, disabled_at)
    VALUES (%(account)s, %(username)s, %(email)s, %(password_hash)s, %(role)s, %(created_at)s, %(disabled_at)s)
"""

# Waits until no other process makes an account; lasts as long as the transaction.
TAKE_TURN = "SELECT pg_advisory_xact_lock(hashtext('daybook account'))"

# Adds someone who may log in, or gives someone whose making was cut short what they are given now.
KEEP_USER = """
    INSERT INTO app.users (account, username, email, password_hash, role, created_at, disabled_at)
    VALUES (%(account)s, %(username)s, %(email)s, %(password_hash)s, %(role)s, %(created_at)s, %(disabled_at)s)
    ON CONFLICT (account) DO UPDATE
    SET email = EXCLUDED.email, password_hash = EXCLUDED.password_hash, role = EXCLUDED.role
"""

# Adds a key pair where there is none.
KEEP_KEY = """
    INSERT INTO app.account_keys (account, key_id, public_pem, wrapped)
    VALUES (%(account)s, %(key_id)s, %(public_pem)s, %(wrapped)s)
    ON CONFLICT (account) DO NOTHING
"""

# Reads an account's key pair.
KEY_OF = "SELECT key_id, public_pem, wrapped FROM app.account_keys WHERE account = %(account)s"

# Takes a key pair away.
FORGET_KEY = "DELETE FROM app.account_keys WHERE account = %(account)s"

# Takes a log-in away, with whatever it opened.
FORGET_USER = "DELETE FROM app.users WHERE account = %(account)s"

# Finds who was here first.
FIRST_USER = """
    SELECT account, username, email, password_hash, role, created_at, disabled_at FROM app.users
    ORDER BY account LIMIT 1
"""

# Finds who is meant at the log-in page. Usernames hold no "@", so the two can't be mistaken for each other.
USER_BY_LOGIN = """
    SELECT account, username, email, password_hash, role, created_at, disabled_at FROM app.users
    WHERE lower(username) = lower(%(login)s) OR lower(email) = lower(%(login)s)
    LIMIT 1
"""

# Reads one user.
USER_BY_ACCOUNT = """
    SELECT account, username, email, password_hash, role, created_at, disabled_at FROM app.users
    WHERE account = %(account)s
"""

# Replaces the password's hash.
REHASH = "UPDATE app.users SET password_hash = %(password_hash)s WHERE account = %(account)s"

# Logs every browser of one user out.
END_SESSIONS = "DELETE FROM app.web_sessions WHERE account = %(account)s"

# Logs every client of one user out; the trigger tells the processes that remember the tokens.
REVOKE_TOKENS_OF_USER = """
    UPDATE app.access_tokens SET revoked_at = %(now)s WHERE account = %(account)s AND revoked_at IS NULL
"""

# Keeps the table as small as the number of browsers in use.
FORGET_OLD_SESSIONS = "DELETE FROM app.web_sessions WHERE expires_at < %(now)s"

# Remembers that a browser is logged in.
OPEN_SESSION = """
    INSERT INTO app.web_sessions (session_hash, account, created_at, expires_at)
    VALUES (%(session_hash)s, %(account)s, %(now)s, %(expires_at)s)
"""

# Finds who is logged in.
USER_BY_SESSION = """
    SELECT u.account, u.username, u.email, u.password_hash, u.role, u.created_at, u.disabled_at
    FROM app.web_sessions s JOIN app.users u USING (account)
    WHERE s.session_hash = %(session_hash)s AND s.expires_at > %(now)s AND u.disabled_at IS NULL
"""

# Logs one browser out.
CLOSE_SESSION = "DELETE FROM app.web_sessions WHERE session_hash = %(session_hash)s"
