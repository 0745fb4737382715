"""The token endpoints: POST /oauth/token, POST /oauth/revoke, and the document that names them (RFC 8414).

Errors are those of RFC 6749 §5.2 and RFC 7009 in Mastodon's wording. Tokens never expire, so there are no refresh
tokens; the password grant does not exist.
"""

import base64
import hashlib
import re
from typing import Any, TypeVar

import msgspec
from litestar import Request, Response, get, post

from adapters.postgres.oauth import App, Revocation, hash_of, new_secret
from api.auth import PUBLIC
from api.auth_scopes import DEFAULT, SCOPES, has_scope, listed
from api.errors import ApiError, OAuthError, TooLarge
from api.oauth_clients import ClientCredentials, authenticated
from api.params import params
from api.server import Server, TheServer

UNCACHED = {"Cache-Control": "no-store", "Pragma": "no-cache"}
T = TypeVar("T", bound=msgspec.Struct)
# RFC 7636 §4.1
_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")


class AskForToken(ClientCredentials, frozen=True):
    """Parameters of POST /oauth/token. `scope` counts for client_credentials only: a code has its own."""

    grant_type: str | None = None
    code: str | None = None
    redirect_uri: str | None = None
    code_verifier: str | None = None
    scope: str | None = None


class AskToRevoke(ClientCredentials, frozen=True):
    """Parameters of POST /oauth/revoke."""

    token: str | None = None


class Token(msgspec.Struct, frozen=True):
    """Mastodon's entity Token; `created_at` in Unix seconds."""

    access_token: str
    scope: str
    created_at: int
    token_type: str = "Bearer"  # noqa: S105 (the kind of token, RFC 6750)


@post("/oauth/token", status_code=200, opt=PUBLIC)
async def token(request: Request[Any, Any, Any], server: TheServer) -> Response[Token]:
    """Trades a code, or a client's own credentials, for a token."""
    asked = await _asked(request, AskForToken)
    match asked.grant_type:
        case None:
            raise OAuthError("invalid_request", "Missing required parameter: grant_type.")
        case "authorization_code":
            granted = await _by_code(await authenticated(request, server.oauth, asked), asked, server)
        case "client_credentials":
            granted = await _by_client(await authenticated(request, server.oauth, asked), asked, server)
        case _:
            raise OAuthError(
                "unsupported_grant_type",
                "The authorization grant type is not supported by the authorization server.",
            )
    return Response(granted, headers=UNCACHED)


@post("/oauth/revoke", status_code=200, opt=PUBLIC)
async def revoke(request: Request[Any, Any, Any], server: TheServer) -> dict[str, str]:
    """Ends a token of the client that asks; one that is over already is fine (RFC 7009 §2.2)."""
    asked = await _asked(request, AskToRevoke)
    app = await authenticated(request, server.oauth, asked)
    if await server.oauth.revoke(hash_of(asked.token or ""), app=app.id, now=server.now()) is Revocation.FOREIGN:
        raise OAuthError("unauthorized_client", "You are not authorized to revoke this token", status=403)
    return {}


@get("/.well-known/oauth-authorization-server", opt=PUBLIC)
async def authorization_server(server: TheServer) -> dict[str, Any]:
    """RFC 8414 metadata. Phanpy uses PKCE only if S256 is listed here."""
    origin = server.settings.origin
    return {
        "issuer": f"{origin}/",
        "service_documentation": "https://docs.joinmastodon.org/",
        "authorization_endpoint": f"{origin}/oauth/authorize",
        "token_endpoint": f"{origin}/oauth/token",
        "revocation_endpoint": f"{origin}/oauth/revoke",
        "app_registration_endpoint": f"{origin}/api/v1/apps",
        "scopes_supported": SCOPES,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
    }


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier (RFC 7636 §4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


async def _asked(request: Request[Any, Any, Any], into: type[T]) -> T:
    """The parameters, with what can't be read in OAuth's words."""
    try:
        return await params(request, into)
    except ApiError as error:
        status = error.status if isinstance(error, TooLarge) else 400
        raise OAuthError("invalid_request", error.error, status=status) from error


async def _by_code(app: App, asked: AskForToken, server: Server) -> Token:
    verifier, now, secret = asked.code_verifier, server.now(), new_secret()
    if verifier is not None and not _VERIFIER.fullmatch(verifier):
        raise _invalid_grant()
    code = await server.oauth.redeem(
        hash_of(asked.code or ""),
        app=app.id,
        redirect_uri=asked.redirect_uri or "",
        challenge=None if verifier is None else challenge_of(verifier),
        token_hash=hash_of(secret),
        now=now,
    )
    if code is None:
        raise _invalid_grant()
    return Token(secret, " ".join(code.scopes), int(now.timestamp()))


async def _by_client(app: App, asked: AskForToken, server: Server) -> Token:
    scopes, now, secret = listed(asked.scope), server.now(), new_secret()
    if not asked.scope and not has_scope(app.scopes, DEFAULT):
        scopes = app.scopes
    if not all(has_scope(app.scopes, scope) for scope in scopes):
        raise OAuthError("invalid_scope", "The requested scope is invalid, unknown, or malformed.")
    await server.oauth.add_token(hash_of(secret), app=app.id, account=None, scopes=scopes, now=now)
    return Token(secret, " ".join(scopes), int(now.timestamp()))


def _invalid_grant() -> OAuthError:
    # One answer for all that can be wrong with a code: whoever guesses learns nothing.
    return OAuthError(
        "invalid_grant",
        "The provided authorization grant is invalid, expired, revoked, does not match the redirection URI used in "
        "the authorization request, or was issued to another client.",
    )
