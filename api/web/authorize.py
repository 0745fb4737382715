"""GET and POST /oauth/authorize: log in, agree or refuse, and back to the client (RFC 6749 §4.1).

The pages need no script: they open in phones' Custom Tabs and in text browsers. Every step repeats the whole request
in its form and has it checked again, so nothing is kept on our side between them.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency

from adapters.postgres.oauth import Code, hash_of, new_secret
from adapters.postgres.users import User
from api.auth import PUBLIC
from api.auth_limits import LogInLimit
from api.auth_scopes import in_words
from api.errors import TooManyRequests
from api.oauth_requests import Asked, Authorization, Faulty, answer_uri, checked
from api.params import params
from api.server import Server, TheServer
from api.web.pages import POLICY, Pages, ThePages
from api.web.sessions import Browser

CODE_S = 600

# Browsers apply form-action to the redirect that answers a form too, and that one must leave for the client.
CONSENT_HEADERS = {"Content-Security-Policy": POLICY.replace("; form-action 'self'", "")}

WRONG = "That name and password don't go together."
STALE = "This page was open for too long, or your browser keeps no cookies. Please try again."
DENIED = "The resource owner or authorization server denied the request."


class Step(Asked, frozen=True):
    """What the forms send: the request again, which button, and what was typed."""

    step: str = ""
    form_token: str = ""
    login: str = ""
    password: str = ""


@get("/oauth/authorize", opt=PUBLIC)
async def authorize(request: Request[Any, Any, Any], server: TheServer, pages: ThePages) -> Response[bytes]:
    """The log-in page, or for those who are logged in the consent page."""
    asked = await params(request, Asked)
    try:
        wanted = await checked(asked, server.oauth)
    except Faulty as fault:
        return _tell(fault, pages)
    browser = Browser(request, server)
    user = await browser.user()
    if user is None or asked.force_login:
        return _log_in_page(pages, browser, asked, wanted)
    return _consent_page(pages, browser, asked, wanted, user)


@post("/oauth/authorize", status_code=200, opt=PUBLIC)
async def decide(
    request: Request[Any, Any, Any],
    server: TheServer,
    pages: ThePages,
    log_ins: NamedDependency[LogInLimit],
) -> Response[bytes]:
    """What was done on either page."""
    step = await params(request, Step)
    try:
        wanted = await checked(step, server.oauth)
    except Faulty as fault:
        return _tell(fault, pages)
    browser = Browser(request, server)
    if step.step == "log-in":
        return await _log_in(request, server, pages, log_ins, browser, step, wanted)
    user = await browser.user()
    if user is None or not browser.is_ours(step.form_token):
        return _log_in_page(pages, browser, step, wanted, problem=STALE, status_code=403)
    if step.step == "allow":
        return await _allow(server, pages, wanted, user)
    if wanted.out_of_band:
        return pages.answer("refused.html", app=wanted.app)
    return _away(answer_uri(wanted, error="access_denied", error_description=DENIED))


async def _log_in(
    request: Request[Any, Any, Any],
    server: Server,
    pages: Pages,
    log_ins: LogInLimit,
    browser: Browser,
    step: Step,
    wanted: Authorization,
) -> Response[bytes]:
    if not browser.is_ours(step.form_token):
        return _log_in_page(pages, browser, step, wanted, problem=STALE, status_code=403)
    try:
        peer = request.client.host if request.client else "local"
        log_ins.count(peer, server.now(), request.headers.getall("x-forwarded-for", []))
    except TooManyRequests as limit:
        problem = f"Too many tries. Please wait {int(limit.headers['Retry-After']) // 60 + 1} minutes."
        return _log_in_page(pages, browser, step, wanted, problem=problem, status_code=429, headers=limit.headers)
    user = await server.users.by_login(step.login)
    result = await server.passwords.check(None if user is None else user.password_hash, step.password)
    if user is None or not result.right or user.disabled_at is not None:
        return _log_in_page(pages, browser, step, wanted, problem=WRONG, status_code=422)
    if result.rehashed is not None:
        await server.users.rehash(user.account, result.rehashed)
    cookie = await browser.log_in(user)
    return _away(f"/oauth/authorize?{urlencode(step.carried())}", cookies=[cookie])


async def _allow(server: Server, pages: Pages, wanted: Authorization, user: User) -> Response[bytes]:
    secret, now = new_secret(), server.now()
    code = Code(
        code_hash=hash_of(secret),
        app=wanted.app.id,
        account=user.account,
        redirect_uri=wanted.redirect_uri,
        scopes=wanted.scopes,
        challenge=wanted.challenge,
        created_at=now,
        expires_at=now + dt.timedelta(seconds=CODE_S),
    )
    await server.oauth.add_code(code)
    if wanted.out_of_band:
        return pages.answer("code.html", app=wanted.app, code=secret)
    return _away(answer_uri(wanted, code=secret))


def _log_in_page(
    pages: Pages,
    browser: Browser,
    asked: Asked,
    wanted: Authorization,
    *,
    problem: str | None = None,
    status_code: int = 200,
    headers: dict[str, str] | None = None,
) -> Response[bytes]:
    return pages.answer(
        "log_in.html",
        status_code=status_code,
        headers=headers,
        cookies=[browser.form_cookie()],
        app=wanted.app,
        asked=asked.carried(),
        form_token=browser.form_token(),
        login=asked.login if isinstance(asked, Step) else "",
        problem=problem,
    )


def _consent_page(pages: Pages, browser: Browser, asked: Asked, wanted: Authorization, user: User) -> Response[bytes]:
    carried = asked.carried()
    return pages.answer(
        "consent.html",
        headers=CONSENT_HEADERS,
        cookies=[browser.form_cookie()],
        app=wanted.app,
        user=user,
        asked=carried,
        form_token=browser.form_token(),
        grants=in_words(wanted.scopes),
        destination=_destination(wanted),
        switch=f"/oauth/authorize?{urlencode({**carried, 'force_login': 'true'})}",
    )


def _destination(wanted: Authorization) -> str:
    """Where the code goes, in words that a person can judge by."""
    if wanted.out_of_band:
        return "a page with a code to copy"
    parts = urlsplit(wanted.redirect_uri)
    return parts.netloc if parts.scheme in ("http", "https") else f"the app that opens {parts.scheme}: links"


def _tell(fault: Faulty, pages: Pages) -> Response[bytes]:
    if fault.location is not None:
        return _away(fault.location)
    return pages.answer("error.html", status_code=400, status=400, error={"error": fault.description})


def _away(location: str, cookies: Sequence[Cookie] = ()) -> Response[bytes]:
    headers = {"Location": location, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return Response(b"", status_code=302, headers=headers, cookies=list(cookies), media_type="text/html")
