"""A browser that is logged in, and the token that proves a form is ours.

The session cookie is HttpOnly and SameSite=Lax; on https both cookies carry the `__Host-` prefix, so that no
neighbouring subdomain can set them (RFC 6265bis §4.1.3.2).
"""

import datetime as dt
import hmac
import re
from typing import Any

from litestar import Request
from litestar.datastructures import Cookie

from adapters.postgres.oauth import hash_of, new_secret
from adapters.postgres.users import User
from api.server import Server

SESSION_S = 30 * 24 * 3_600
# What `new_secret` makes. Anything else was put there by others, and is not sent back.
OURS = re.compile(r"[A-Za-z0-9_-]{43}")


class Browser:
    """The cookies of one request."""

    def __init__(self, request: Request[Any, Any, Any], server: Server) -> None:
        self._server = server
        self._secure = server.settings.origin.startswith("https://")
        self._session = self._sent(request, "session")
        self._form = self._sent(request, "form") or new_secret()

    async def user(self) -> User | None:
        """Who is logged in."""
        if not self._session:
            return None
        return await self._server.users.session(hash_of(self._session), self._server.now())

    async def log_in(self, user: User) -> Cookie:
        """Begins a session under a new secret, and ends the one that was."""
        if self._session:
            await self._server.users.close_session(hash_of(self._session))
        self._session, now = new_secret(), self._server.now()
        await self._server.users.open_session(
            hash_of(self._session), user.account, now, now + dt.timedelta(seconds=SESSION_S)
        )
        return self._cookie("session", self._session, max_age=SESSION_S)

    def form_cookie(self) -> Cookie:
        """What a page with a form must set; lives as long as the browser is open."""
        return self._cookie("form", self._form)

    def form_token(self) -> str:
        """What the form must send back: bound to both cookies, so it is of no use to another browser or session."""
        return hash_of(f"form {self._form} {self._session}").hex()

    def is_ours(self, form_token: str) -> bool:
        """Whether a form with this token was made for this browser in this session."""
        return hmac.compare_digest(form_token.encode(), self.form_token().encode())

    def _name(self, what: str) -> str:
        return f"__Host-daybook_{what}" if self._secure else f"daybook_{what}"

    def _sent(self, request: Request[Any, Any, Any], what: str) -> str:
        value = request.cookies.get(self._name(what), "")
        return value if OURS.fullmatch(value) else ""

    def _cookie(self, what: str, value: str, max_age: int | None = None) -> Cookie:
        return Cookie(
            self._name(what),
            value=value,
            path="/",
            max_age=max_age,
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )
