"""Whether the instance answers: here, and under its own name as others see it."""

from typing import Final
from urllib.parse import quote

import httpx
import msgspec

from adapters.condition.finding import Finding, ok, warning, wrong
from adapters.config import Settings, host_of

PATIENCE_S: Final = 5.0
ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - an address to replace, not to bind
OK: Final = 200


class _Readiness(msgspec.Struct):
    reasons: list[str] = []


class _Link(msgspec.Struct):
    href: str | None = None


class _Jrd(msgspec.Struct):
    links: list[_Link] = []


async def check_here(settings: Settings) -> list[Finding]:
    """Ask the web server of this machine whether it lives and is ready."""
    address = ANYWHERE.get(settings.bind, settings.bind)
    where = f"http://{f'[{address}]' if ':' in address else address}:{settings.port}"
    try:
        async with httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False) as client:
            answer = await client.get(f"{where}/readyz", headers={"Host": settings.domain})
    except httpx.HTTPError as error:
        what = f"Nobody answers at {where} ({type(error).__name__})."
        return [wrong("web server", what, "Start `daybook up` or `daybook serve`; if it runs elsewhere, ask it there.")]
    if answer.status_code == OK:
        return [ok("web server", f"It answers at {where}, and is ready.")]
    what = f"It answers at {where}, and is not ready: {_reasons(answer)}."
    return [wrong("web server", what, "What is not ready stands among these findings, too.")]


async def check_webfinger(settings: Settings, username: str, account: int) -> Finding:
    """Ask for an account of ours as another server would, over the public network."""
    check = "webfinger"
    if settings.loopback or host_of(settings.domain) in settings.name_map:
        return ok(check, "Nobody elsewhere can ask for it.")
    resource = quote(f"acct:{username}@{settings.domain}", safe="")
    url = f"{settings.origin}/.well-known/webfinger?resource={resource}"
    todo = (
        f"See that {settings.domain} leads to your reverse proxy, with a valid certificate, and that it passes "
        f"/.well-known/webfinger and Host on. Try it from elsewhere: curl '{url}'"
    )
    try:
        async with httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False) as client:
            answer = await client.get(url, headers={"Accept": "application/jrd+json"})
    except httpx.HTTPError as error:
        what = f"{settings.domain} can't be reached from this machine ({type(error).__name__}: {error})."
        return warning(check, what, f"{todo} (Some networks can't reach their own public address.)")
    if answer.status_code != OK:
        return wrong(check, f"{settings.domain} answers {answer.status_code} when asked for an account of ours.", todo)
    if f"{settings.origin}/ap/users/{account}" not in _links(answer):
        return wrong(check, f"Somebody else answers at {settings.domain}, or an older copy of this instance.", todo)
    return ok(check, f"{settings.domain} answers for an account of ours as others ask for it.")


def _reasons(answer: httpx.Response) -> str:
    try:
        reasons = msgspec.json.decode(answer.content, type=_Readiness).reasons
    except msgspec.MsgspecError:
        reasons = []
    return "; ".join(reason.rstrip(".") for reason in reasons) or f"it says {answer.status_code}"


def _links(answer: httpx.Response) -> list[str | None]:
    try:
        return [link.href for link in msgspec.json.decode(answer.content, type=_Jrd).links]
    except msgspec.MsgspecError:
        return []
