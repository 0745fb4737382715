"""An authorisation request (RFC 6749 §4.1.1, RFC 7636 §4.3), checked before anyone is asked anything.

Two kinds of fault: without a known client and one of its own redirect URIs nothing may be redirected, so the person
gets a page (`Unredirectable`); any other fault goes back to the client (`Faulty`).
"""

import re
from urllib.parse import urlencode

import msgspec

from adapters.postgres.oauth import App, OAuthStore
from api.auth_scopes import has_scope, listed
from api.errors import BadRequest
from api.oauth_clients import OUT_OF_BAND

STATE_MAX = 8_192
# An S256 challenge is 32 bytes in base64url, which is 43 characters.
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


class Asked(msgspec.Struct, frozen=True):
    """The query of GET /oauth/authorize, which its forms carry along."""

    response_type: str | None = None
    client_id: str | None = None
    redirect_uri: str | None = None
    scope: str | None = None
    state: str | None = None
    code_challenge: str | None = None
    code_challenge_method: str | None = None
    force_login: bool = False

    def carried(self) -> dict[str, str]:
        """What a form or a link must repeat so that the request goes on as it was, without forcing a log-in again."""
        named = {name: getattr(self, name) for name in Asked.__struct_fields__ if name != "force_login"}
        return {name: value for name, value in named.items() if value is not None}


class Authorization(msgspec.Struct, frozen=True):
    """A request that may be put before a person."""

    app: App
    redirect_uri: str
    scopes: list[str]
    state: str | None
    challenge: str | None

    @property
    def out_of_band(self) -> bool:
        """Whether the code is shown on a page instead of being sent to a URI."""
        return self.redirect_uri == OUT_OF_BAND


class Unredirectable(BadRequest):
    """400 as a page: who asks is unknown, or where the answer goes is not theirs."""


class Faulty(Exception):
    """The request itself is wrong; the client is told at `location`, or the person when there is no such place."""

    def __init__(self, location: str | None, description: str) -> None:
        super().__init__(description)
        self.location = location
        self.description = description


async def checked(asked: Asked, store: OAuthStore) -> Authorization:
    """The request with its client. Raises Unredirectable, Faulty and Unavailable."""
    app = await store.app_by_client_id(asked.client_id) if asked.client_id else None
    if app is None:
        raise Unredirectable("The app that sent you here is not known to this server. Try to log in from it again.")
    # Raw strings are compared (RFC 9700 §2.1): whatever normalises would let something else through (O03).
    if asked.redirect_uri is None or asked.redirect_uri not in app.redirect_uris:
        raise Unredirectable("The app asked to send you to an address that is not one of its own.")
    request = Authorization(app, asked.redirect_uri, listed(asked.scope), asked.state, asked.code_challenge)
    fault = _fault(asked, request)
    if fault is not None:
        raise Faulty(
            None if request.out_of_band else answer_uri(request, error=fault[0], error_description=fault[1]), fault[1]
        )
    return request


def answer_uri(request: Authorization, **answer: str) -> str:
    """Where the browser is sent with `answer`, and with the client's state if it gave one (RFC 6749 §4.1.2)."""
    if request.state is not None:
        answer["state"] = request.state
    joint = "&" if "?" in request.redirect_uri else "?"
    return f"{request.redirect_uri}{joint}{urlencode(answer)}"


def _fault(asked: Asked, request: Authorization) -> tuple[str, str] | None:
    method, challenge = asked.code_challenge_method, asked.code_challenge
    if asked.response_type != "code":
        return "unsupported_response_type", "The authorization server does not support this response type."
    if not all(has_scope(request.app.scopes, scope) for scope in request.scopes):
        return "invalid_scope", "The requested scope is invalid, unknown, or malformed."
    if len(asked.state or "") > STATE_MAX:
        return "invalid_request", "The state is too long."
    # Without a method RFC 7636 means `plain`, which protects nothing.
    if (challenge or method) and (method != "S256" or not _CHALLENGE.fullmatch(challenge or "")):
        return "invalid_request", "The code_challenge_method must be S256, with a code_challenge of 43 characters."
    return None
