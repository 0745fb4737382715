"""Client programs: how they register, and how they prove who they are (RFC 6749 §2.3, RFC 7591 in Mastodon's shape)."""

import base64
import binascii
import hmac
import re
from typing import Any
from urllib.parse import unquote_plus, urlsplit

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency

from adapters.postgres.oauth import App, Bearer, OAuthStore, hash_of, new_secret
from api.auth import ANY_TOKEN, PUBLIC
from api.auth_scopes import KNOWN, listed
from api.errors import Invalid, OAuthError, Unauthorized
from api.params import params
from api.server import Server, TheServer

OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"
NAME_MAX = 60
WEBSITE_MAX = 2_000
REDIRECTS_MAX = 20
REDIRECT_MAX = 2_000

# They would run in our own page, or read the person's disk.
FORBIDDEN_SCHEMES = frozenset(("javascript", "data", "vbscript", "file", "blob", "filesystem", "about", "view-source"))
# Printable ASCII: what may stand in a Location header, and what no two parsers read differently.
_URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):[!-~]+")
_BAD_IN_URI = frozenset('\\<>"`^{|}#')

BAD_CLIENT = (
    "Client authentication failed due to unknown client, no client authentication included, or unsupported "
    "authentication method."
)


class RegisterApp(msgspec.Struct, frozen=True):
    """Parameters of POST /api/v1/apps; `redirect_uris` is a list or one string with a URI a line."""

    client_name: str = ""
    redirect_uris: list[str] = []
    scopes: str | None = None
    website: str | None = None


class Application(msgspec.Struct, frozen=True):
    """Mastodon's entity Application, as its own client sees it."""

    id: str
    name: str
    website: str | None
    scopes: list[str]
    redirect_uris: list[str]
    redirect_uri: str
    # Push is not there yet; clients read "" as a server without it.
    vapid_key: str = ""


class CredentialApplication(Application, frozen=True, kw_only=True):
    """The one answer that holds the secret."""

    client_id: str
    client_secret: str
    client_secret_expires_at: int = 0


class ClientCredentials(msgspec.Struct, frozen=True):
    """How a client names itself in a body."""

    client_id: str | None = None
    client_secret: str | None = None


@post("/api/v1/apps", status_code=200, opt=PUBLIC)
async def register_app(request: Request[Any, Any, Any], server: TheServer) -> CredentialApplication:
    """Registers a client; anyone may."""
    app, secret = _new_app(await params(request, RegisterApp), server)
    added = await server.oauth.add_app(app)
    shown = msgspec.structs.asdict(_shown(added))
    return CredentialApplication(**shown, client_id=added.client_id, client_secret=secret)


@get("/api/v1/apps/verify_credentials", opt=ANY_TOKEN)
async def verify_app(bearer: NamedDependency[Bearer], server: TheServer) -> Application:
    """The client whose token this is."""
    app = await server.oauth.app(bearer.app)
    if app is None:
        raise Unauthorized
    return _shown(app)


async def authenticated(request: Request[Any, Any, Any], store: OAuthStore, given: ClientCredentials) -> App:
    """The client that asks, by HTTP Basic or in the body. Raises OAuthError `invalid_client` (401)."""
    client_id, secret = _basic(request.headers.get("authorization", "")) or (given.client_id, given.client_secret)
    app = await store.app_by_client_id(client_id) if client_id else None
    if app is None or not hmac.compare_digest(app.secret_hash, hash_of(secret or "")):
        raise OAuthError(
            "invalid_client", BAD_CLIENT, status=401, headers={"WWW-Authenticate": 'Basic realm="Daybook"'}
        )
    return app


def is_redirect_uri(uri: str) -> bool:
    """Whether a client may ask to be called back at `uri`: absolute, no fragment, of a scheme that only navigates."""
    found = _URI.fullmatch(uri)
    if found is None or len(uri) > REDIRECT_MAX or _BAD_IN_URI & set(uri):
        return False
    scheme = found["scheme"].lower()
    if scheme in FORBIDDEN_SCHEMES:
        return False
    return uri == OUT_OF_BAND if scheme == "urn" else scheme not in ("http", "https") or is_web_url(uri)


def is_web_url(url: str) -> bool:
    """Whether `url` is http(s) with a host and without credentials, which would only serve to mislead."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False


def _new_app(asked: RegisterApp, server: Server) -> tuple[App, str]:
    name, website, scopes = asked.client_name.strip(), (asked.website or "").strip() or None, listed(asked.scopes)
    redirects = list(dict.fromkeys(uri for given in asked.redirect_uris for uri in given.split()))
    if not name:
        raise Invalid("Application name can't be blank")
    if len(name) > NAME_MAX:
        raise Invalid(f"Application name is too long (maximum is {NAME_MAX} characters)")
    if not redirects:
        raise Invalid("Redirect URI can't be blank")
    if len(redirects) > REDIRECTS_MAX or not all(is_redirect_uri(uri) for uri in redirects):
        raise Invalid("Redirect URI must be an absolute URI.")
    if website is not None and (len(website) > WEBSITE_MAX or not is_web_url(website)):
        raise Invalid("Website is not a valid URL")
    if not KNOWN.issuperset(scopes):
        raise Invalid("Scopes doesn't match configured on the server.")
    secret = new_secret()
    return (
        App(
            id=0,
            name=name,
            website=website,
            redirect_uris=redirects,
            scopes=scopes,
            client_id=new_secret(),
            secret_hash=hash_of(secret),
            created_at=server.now(),
        ),
        secret,
    )


def _shown(app: App) -> Application:
    return Application(
        id=str(app.id),
        name=app.name,
        website=app.website,
        scopes=app.scopes,
        redirect_uris=app.redirect_uris,
        redirect_uri="\n".join(app.redirect_uris),
    )


def _basic(header: str) -> tuple[str, str] | None:
    """Id and secret of HTTP Basic, which are form-encoded inside (RFC 6749 §2.3.1); None without it."""
    kind, _, encoded = header.partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return unquote_plus(client_id).replace("\x00", ""), unquote_plus(secret)
