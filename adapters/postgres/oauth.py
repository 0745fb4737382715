"""Client programs, authorisation codes and access tokens, in schema `app`; secrets are stored only as hashes."""

import datetime as dt
import hashlib
import secrets
from enum import Enum

import msgspec

from adapters.postgres.short_statements import Pool, ShortStatements

SECRET_BYTES = 32


class App(msgspec.Struct, frozen=True):
    """A registered client; `redirect_uris` are the raw strings it gave."""

    id: int
    name: str
    website: str | None
    redirect_uris: list[str]
    scopes: list[str]
    client_id: str
    secret_hash: bytes
    created_at: dt.datetime


class Code(msgspec.Struct, frozen=True):
    """What a person agreed to, waiting to become a token; `challenge` is PKCE's S256 challenge (RFC 7636)."""

    code_hash: bytes
    app: int
    account: int
    redirect_uri: str
    scopes: list[str]
    challenge: str | None
    created_at: dt.datetime
    expires_at: dt.datetime
    used_at: dt.datetime | None = None


class Bearer(msgspec.Struct, frozen=True):
    """A good token: who holds it (`app`), for whom (`account`, None for the app itself) and for what."""

    id: int
    app: int
    account: int | None
    scopes: list[str]


class Revocation(Enum):
    """What came of asking to revoke a token."""

    DONE = "done"
    FOREIGN = "foreign"


def new_secret() -> str:
    """32 random bytes in base64url without `=`, which is what browsers take as a WebSocket subprotocol."""
    return secrets.token_urlsafe(SECRET_BYTES)


def hash_of(secret: str) -> bytes:
    """What is stored of a secret. SHA-256 is enough: 256 random bits can't be guessed, fast or slow."""
    return hashlib.sha256(secret.encode(errors="replace")).digest()


class OAuthStore:
    """Apps, codes and tokens. Every method raises Unavailable when PostgreSQL can't be reached."""

    def __init__(self, pool: Pool) -> None:
        self._sql = ShortStatements(pool)

    async def add_app(self, app: App) -> App:
        """Stores `app` and answers it with the id it got (that of the argument is ignored)."""
        added = await self._sql.one(App, ADD_APP, msgspec.structs.asdict(app))
        assert added is not None
        return added

    async def app_by_client_id(self, client_id: str) -> App | None:
        """The client of this public id."""
        return await self._sql.one(App, APP_BY_CLIENT_ID, {"client_id": client_id})

    async def app(self, app: int) -> App | None:
        """The client of this row id."""
        return await self._sql.one(App, APP_BY_ID, {"id": app})

    async def add_code(self, code: Code) -> None:
        """Stores `code`, and forgets those that nobody could still use or use twice."""
        async with self._sql.transaction() as connection:
            await connection.execute(FORGET_OLD_CODES, {"before": code.created_at - dt.timedelta(days=1)})
            await connection.execute(ADD_CODE, msgspec.structs.asdict(code))

    async def redeem(
        self,
        code_hash: bytes,
        *,
        app: int,
        redirect_uri: str,
        challenge: str | None,
        token_hash: bytes,
        now: dt.datetime,
    ) -> Code | None:
        """Turns a code into the token `token_hash`, once; None when anything at all does not fit.

        `challenge` is worked out from the verifier given, None when none was: RFC 9700 §2.1.1 refuses a verifier
        where there was no challenge, as it refuses a missing one. A second use revokes the tokens of the first
        (RFC 6749 §4.1.2).
        """
        async with self._sql.transaction() as connection, connection.cursor() as cursor:
            await cursor.execute(LOCK_CODE, {"code_hash": code_hash})
            row = await cursor.fetchone()
            code = None if row is None else Code(*row)
            if code is None or code.app != app:
                return None
            if code.used_at is not None:
                await cursor.execute(REVOKE_BY_CODE, {"code_hash": code_hash, "now": now})
                return None
            if (code.redirect_uri, code.challenge) != (redirect_uri, challenge) or code.expires_at <= now:
                return None
            await cursor.execute(USE_CODE, {"code_hash": code_hash, "now": now})
            values = {**msgspec.structs.asdict(code), "token_hash": token_hash, "created_at": now}
            await cursor.execute(STORE_BEARER, values)
            return code

    async def add_token(
        self, token_hash: bytes, *, app: int, account: int | None, scopes: list[str], now: dt.datetime
    ) -> None:
        """Stores a token that no code led to: an app's own, or one that the command line made."""
        values = {"token_hash": token_hash, "app": app, "account": account, "scopes": scopes}
        await self._sql.run(STORE_BEARER, {**values, "code_hash": None, "created_at": now})

    async def revoke(self, token_hash: bytes, *, app: int, now: dt.datetime) -> Revocation:
        """Ends a token of `app`; one that is unknown or over already is DONE too, another app's is FOREIGN."""
        values = {"token_hash": token_hash, "app": app, "now": now}
        async with self._sql.transaction() as connection, connection.cursor() as cursor:
            await cursor.execute(REVOKE_ONE, values)
            await cursor.execute(IS_FOREIGN, values)
            foreign = await cursor.fetchone() is not None
        return Revocation.FOREIGN if foreign else Revocation.DONE

    async def bearer(self, token_hash: bytes) -> Bearer | None:
        """The good token of this hash; None when it is unknown, revoked, or its user is disabled."""
        return await self._sql.one(Bearer, BEARER, {"token_hash": token_hash})


# Registers a client.
ADD_APP = """
    INSERT INTO app.apps (name, website, redirect_uris, scopes, client_id, secret_hash, created_at)
    VALUES (%(name)s, %(website)s, %(redirect_uris)s, %(scopes)s, %(client_id)s, %(secret_hash)s, %(created_at)s)
    RETURNING id, name, website, redirect_uris, scopes, client_id, secret_hash, created_at
"""

# Finds the client that a request names.
APP_BY_CLIENT_ID = """
    SELECT id, name, website, redirect_uris, scopes, client_id, secret_hash, created_at FROM app.apps
    WHERE client_id = %(client_id)s
"""

# Finds the client that a token belongs to.
APP_BY_ID = """
    SELECT id, name, website, redirect_uris, scopes, client_id, secret_hash, created_at FROM app.apps
    WHERE id = %(id)s
"""

# Keeps codes for a day past their time, so that a late second use still revokes.
FORGET_OLD_CODES = "DELETE FROM app.authorization_codes WHERE expires_at < %(before)s"

# Remembers what a person agreed to.
ADD_CODE = """
    INSERT INTO app.authorization_codes
        (code_hash, app, account, redirect_uri, scopes, challenge, created_at, expires_at, used_at)
    VALUES (%(code_hash)s, %(app)s, %(account)s, %(redirect_uri)s, %(scopes)s, %(challenge)s, %(created_at)s,
            %(expires_at)s, %(used_at)s)
"""

# Reads a code so that nobody else can redeem it meanwhile.
LOCK_CODE = """
    SELECT code_hash, app, account, redirect_uri, scopes, challenge, created_at, expires_at, used_at
    FROM app.authorization_codes WHERE code_hash = %(code_hash)s FOR UPDATE
"""

# Spends a code.
USE_CODE = "UPDATE app.authorization_codes SET used_at = %(now)s WHERE code_hash = %(code_hash)s"

# Stores a token.
STORE_BEARER = """
    INSERT INTO app.access_tokens (token_hash, app, account, scopes, code_hash, created_at)
    VALUES (%(token_hash)s, %(app)s, %(account)s, %(scopes)s, %(code_hash)s, %(created_at)s)
"""

# Ends what a stolen code may have led to.
REVOKE_BY_CODE = """
    UPDATE app.access_tokens SET revoked_at = %(now)s WHERE code_hash = %(code_hash)s AND revoked_at IS NULL
"""

# Ends one token of one client.
REVOKE_ONE = """
    UPDATE app.access_tokens SET revoked_at = %(now)s
    WHERE token_hash = %(token_hash)s AND app = %(app)s AND revoked_at IS NULL
"""

# Tells whether a token is another client's.
IS_FOREIGN = "SELECT 1 FROM app.access_tokens WHERE token_hash = %(token_hash)s AND app <> %(app)s"

# Reads who holds a token, as long as it is good.
BEARER = """
    SELECT t.id, t.app, t.account, t.scopes
    FROM app.access_tokens t LEFT JOIN app.users u ON u.account = t.account
    WHERE t.token_hash = %(token_hash)s AND t.revoked_at IS NULL
      AND (t.account IS NULL OR (u.account IS NOT NULL AND u.disabled_at IS NULL))
"""
