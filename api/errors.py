"""What a client is told when a request fails.

Everything a client may read is JSON of the shape `{"error": "<sentence>"}`, because the common clients throw on
anything else (Mastodon documentation, entities/Error); OAuth endpoints add `error_description` (RFC 6749 §5.2).
People who open a page that is not there get a page. Nothing of an unexpected exception is ever shown.
"""

import errno
import logging
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException

from adapters.unavailable import Unavailable
from api.cors import route_of
from api.web.pages import Pages
from domain.events import Forbidden as NotAllowed
from domain.events import NotFound as Absent
from domain.events import Refused
from domain.ports import Conflict, FactsBehind

log = logging.getLogger(__name__)

Handler = Callable[[Request[Any, Any, Any], Any], Response[bytes]]

# What a program reads; everything else may be opened by a person in a browser.
MACHINE_PATHS = (
    "/api/",
    "/oauth/token",
    "/oauth/revoke",
    "/.well-known/",
    "/nodeinfo/",
    "/ap/",
    "/inbox",
    "/actor",
    "/livez",
    "/readyz",
    "/metrics",
)

RETRY_SOON_S = 2
# A disk that is full, or one's share of it.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
FULL_RETRY_S = 60

UNAUTHORIZED = "The access token is invalid"
NOT_FOR_APPS = "This method requires an authenticated user"
NO_ENDPOINT = "This server doesn't have this endpoint yet"


class ApiError(Exception):
    """A failure the client is told about: `status` and one sentence; subclasses add headers or fields."""

    status = 400
    sentence = "Bad request"

    def __init__(self, sentence: str | None = None, *, headers: Mapping[str, str] | None = None) -> None:
        self.error = self.sentence if sentence is None else sentence
        self.headers = dict(headers or {})
        super().__init__(self.error)

    def body(self) -> dict[str, Any]:
        """The JSON object the client gets."""
        return {"error": self.error}


class BadRequest(ApiError):
    """400: the request can't be read."""


class MissingParameter(BadRequest):
    """400: a parameter that the route can't do without is absent or empty."""

    def __init__(self, name: str) -> None:
        super().__init__(f"param is missing or the value is empty: {name}")
        self.name = name


class Unauthorized(ApiError):
    """401: no token, or one that is unknown or revoked (RFC 6750 §3)."""

    status = 401
    sentence = UNAUTHORIZED

    def __init__(self, sentence: str | None = None) -> None:
        super().__init__(sentence)
        self.headers["WWW-Authenticate"] = (
            f'Bearer realm="Doorkeeper", error="invalid_token", error_description="{UNAUTHORIZED}"'
        )


class Forbidden(ApiError):
    """403: the token is good, but not for this."""

    status = 403
    sentence = "This action is not allowed"


class OutsideScopes(Forbidden):
    """403: the token lacks the scope that the route declares."""

    sentence = "This action is outside the authorized scopes"


class NotFound(ApiError):
    """404: absent, or not for this viewer to see; the two are not told apart."""

    status = 404
    sentence = "Record not found"


class Gone(ApiError):
    """410: was there, and never will be again."""

    status = 410
    sentence = "This account has been deleted"


class Stale(ApiError):
    """409: somebody else changed it meanwhile."""

    status = 409
    sentence = "Conflict during update, please try again"


class TooLarge(ApiError):
    """413: more bytes than the route takes."""

    status = 413
    sentence = "The request body is too large"


class Unprocessable(ApiError):
    """422: understood, and refused as it is."""

    status = 422


class Invalid(Unprocessable):
    """422: a value that does not fit, in Mastodon's wording `Validation failed: …`."""

    def __init__(self, what: str) -> None:
        super().__init__(f"Validation failed: {what}")


class TooManyRequests(ApiError):
    """429: a limit is reached; `retry_after_s` seconds until it is lifted."""

    status = 429
    sentence = "Too many requests"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(headers={"Retry-After": str(retry_after_s)})


class OAuthError(ApiError):
    """A failure at a token endpoint: `code` of RFC 6749 §5.2, and a description for people."""

    def __init__(
        self, code: str, description: str, *, status: int = 400, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(code, headers=headers)
        self.status = status
        self.description = description
        # RFC 6749 §5.2 wants failures uncached too.
        self.headers.setdefault("Cache-Control", "no-store")

    def body(self) -> dict[str, Any]:
        """`error` and `error_description`, both strings."""
        return {"error": self.error, "error_description": self.description}


def handlers(pages: Pages) -> dict[int | type[Exception], Handler]:
    """How each kind of exception is answered; `pages` renders what people see."""

    def answer(request: Request[Any, Any, Any], error: ApiError) -> Response[bytes]:
        if _for_people(request):
            return pages.answer(
                "error.html", status_code=error.status, headers=error.headers, error=error, status=error.status
            )
        return Response(
            msgspec.json.encode(error.body()),
            status_code=error.status,
            headers=error.headers,
            media_type=MediaType.JSON,
        )

    def refused(request: Request[Any, Any, Any], error: Refused) -> Response[bytes]:
        if isinstance(error, NotAllowed):
            return answer(request, Forbidden(error.reason))
        return answer(request, NotFound() if isinstance(error, Absent) else Invalid(error.reason))

    def unavailable(request: Request[Any, Any, Any], error: Unavailable) -> Response[bytes]:
        log.warning("unavailable: %s %s: %s", request.method, route_of(request.scope), error)
        return answer(request, _temporary(error.retry_after_s))

    def behind(request: Request[Any, Any, Any], error: FactsBehind | Conflict) -> Response[bytes]:
        log.warning("behind: %s %s: %r", request.method, route_of(request.scope), error)
        return answer(request, _temporary(RETRY_SOON_S))

    def framework(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
        return answer(request, _translated(error, request.scope["path"]))

    def unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            return unavailable(request, Unavailable(str(error), retry_after_s=FULL_RETRY_S))
        log.error("unexpected: %s %s", request.method, route_of(request.scope), exc_info=error)
        return answer(request, _internal())

    return {
        ApiError: answer,
        Refused: refused,
        Unavailable: unavailable,
        # Nothing is wrong with the command: remote facts are late, or others wrote first again and again.
        FactsBehind: behind,
        Conflict: behind,
        HTTPException: framework,
        Exception: unexpected,
    }


def _for_people(request: Request[Any, Any, Any]) -> bool:
    path = request.scope["path"]
    if any(path.startswith(prefix) or path == prefix.rstrip("/") for prefix in MACHINE_PATHS):
        return False
    return "text/html" in request.headers.get("accept", "")


def _temporary(retry_after_s: int) -> ApiError:
    error = ApiError(
        "There was a temporary problem serving your request, please try again",
        headers={"Retry-After": str(retry_after_s)},
    )
    error.status = 503
    return error


def _internal() -> ApiError:
    error = ApiError("Something went wrong on our side. It has been logged.")
    error.status = 500
    return error


def _translated(error: HTTPException, path: str) -> ApiError:
    """Litestar's own exceptions in our words; its texts name internals that mean nothing to a client.

    Where no route is, an app must not be told that the record is gone: it would take a post off its screen.
    """
    sentences = {404: NotFound.sentence, 405: "Method not allowed", 413: TooLarge.sentence}
    if path == "/api" or path.startswith("/api/"):
        sentences |= {404: NO_ENDPOINT, 405: NO_ENDPOINT}
    if error.status_code >= 500:  # noqa: PLR2004 (the border that RFC 9110 §15 draws)
        log.error("unexpected: %s", error, exc_info=error)
        return _internal()
    answer = ApiError(sentences.get(error.status_code, ApiError.sentence))
    answer.status = error.status_code
    allow = (error.headers or {}).get("Allow") or (error.headers or {}).get("allow")
    if allow:
        answer.headers["Allow"] = allow
    return answer
