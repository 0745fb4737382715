"""`daybook up`: the whole instance on one machine, from nothing to an address that answers."""

import http.client
import logging
import shlex
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from rich.console import Console

from adapters.config import JSON, Settings, host_of, is_loopback
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.embedded.processes import EmbeddedError
from adapters.embedded.valkey import EmbeddedValkey
from adapters.logs import form_of
from adapters.master_key import load_master_key
from adapters.redis_silence import why_silent
from workers.preflight import check_platform, check_port, only_one
from workers.supervisor import Command, Part, Say, Stopped, Supervisor, reap_strangers

ANSWER_TIMEOUT_S = 60.0
ANSWER_PATIENCE_S = 5.0
POLL_S = 0.1
RESTARTS_BEFORE_FIRST_ANSWER_MAX = 3
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (an address to replace, not to bind)

_log = logging.getLogger("daybook.up")


class FirstAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Who can log in; `password` only when it was set just now, since it is kept nowhere."""

    username: str
    email: str
    password: str | None = None


Prepare = Callable[[Settings], tuple[Settings, FirstAccount | None]]


def up(settings: Settings, environ: Mapping[str, str], prepare: Prepare, console: Console) -> None:
    """Run the instance until somebody stops it.

    `prepare` migrates as the owner and gives the settings that the processes run by, with the first account.
    Raises NotReady, EmbeddedError or SettingsError, each with one sentence; whatever was started is stopped by then.
    """
    check_platform()
    with only_one(settings.data) as left_behind:
        check_port(settings, patient=left_behind)
        load_master_key(settings)  # made before the database that depends on it
        services = _services(settings)
        say = _saying(environ, console)
        supervisor = Supervisor(services, say)
        _look_at_redis(settings, say)
        with supervisor.signals():
            try:
                _run(supervisor, settings, environ, prepare, console)
            except Stopped:
                console.print("Stopping …")
            finally:
                supervisor.stop()


def child_environ(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of `serve` and `behind`: all that is set, the owner's database left out."""
    given = {
        "DAYBOOK_BIND": settings.bind,
        "DAYBOOK_DATA": str(settings.data),
        "DAYBOOK_DATABASE_APP_URL": settings.database_app_url,
        "DAYBOOK_DOMAIN": settings.domain,
        "DAYBOOK_PORT": str(settings.port),
        "REDIS_URL": settings.redis_url,
    }
    kept = {name: value for name, value in environ.items() if name != "DATABASE_URL"}
    return kept | {name: value for name, value in given.items() if value is not None}


def _services(settings: Settings) -> list[Part]:
    postgres = [] if settings.database_url else [EmbeddedPostgres(settings.data)]
    valkey = [] if settings.redis_url else [EmbeddedValkey(settings.data)]
    return [*postgres, *valkey]


def _look_at_redis(settings: Settings, say: Say) -> None:
    if settings.redis_url is not None and (why := why_silent(settings.redis_url)) is not None:
        say(
            f"The server that REDIS_URL names does not answer ({why.rstrip('.')}): until it does, what each client "
            "wrote last is not remembered, so that reads may wait, nor what it asked for under an Idempotency-Key.",
        )


def _saying(environ: Mapping[str, str], console: Console) -> Say:
    """How to tell of what happens meanwhile: to whoever looks on, or as a line of the log where programs read it."""
    if form_of(environ, sys.stderr) == JSON:
        return _log.warning
    return lambda text: console.print(text, style="yellow", markup=False, soft_wrap=True)


def _run(
    supervisor: Supervisor, settings: Settings, environ: Mapping[str, str], prepare: Prepare, console: Console
) -> None:
    for service in list(supervisor.parts):
        supervisor.start(service)
        if isinstance(service, EmbeddedPostgres):
            settings = msgspec.structs.replace(settings, database_url=service.dsn())
        elif isinstance(service, EmbeddedValkey):
            settings = msgspec.structs.replace(settings, redis_url=service.url)
    settings, account = prepare(settings)
    for part in _processes(settings, environ):
        supervisor.add(part)
        supervisor.start(part)
    _wait_for_answer(supervisor, settings, console)
    show_banner(console, settings, account)
    while True:
        supervisor.watch()
        reap_strangers(supervisor.parts)


def _processes(settings: Settings, environ: Mapping[str, str]) -> list[Command]:
    run = [sys.executable, "-P", "-m", "workers.cli"]
    own = child_environ(settings, environ)
    # Cut off at once when we are killed: whatever either of them has answered for is in the log already.
    return [Command(name, [*run, name], own, signal.SIGKILL) for name in ("behind", "serve")]


def _wait_for_answer(supervisor: Supervisor, settings: Settings, console: Console) -> None:
    deadline = time.monotonic() + ANSWER_TIMEOUT_S
    told = False
    while (status := _status_of_front_page(settings)) != http.client.OK:
        if status == http.client.SERVICE_UNAVAILABLE:
            deadline = time.monotonic() + ANSWER_TIMEOUT_S
            if not told:
                console.print("Building the read models; until then every request is answered with 503.")
                told = True
        if supervisor.restarts["serve"] >= RESTARTS_BEFORE_FIRST_ANSWER_MAX:
            raise EmbeddedError("The web server keeps ending before it answers once; what it said stands above.")
        if time.monotonic() > deadline:
            raise EmbeddedError(f"The web server did not answer within {ANSWER_TIMEOUT_S:.0f} s (last: {status}).")
        supervisor.watch(POLL_S)


def _status_of_front_page(settings: Settings) -> int | None:
    address = ANYWHERE.get(settings.bind, settings.bind)
    connection = http.client.HTTPConnection(address, settings.port, timeout=ANSWER_PATIENCE_S)
    try:
        connection.request("GET", "/", headers={"Host": settings.domain})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def show_banner(console: Console, settings: Settings, account: FirstAccount | None) -> None:
    """Say where the instance is, how to log in, and what to try."""
    command = _command(settings)
    lines = [f"Daybook runs at {settings.origin}", ""]
    if not _listens_where_it_says(settings):
        host = f"[{settings.bind}]" if ":" in settings.bind else settings.bind
        lines += [f"  Listens     {host}:{settings.port}"]
    if account is not None:
        hint = f"`{command} account password {account.username}` sets a new one"
        secret = account.password or f"the one shown at the first start ({hint})"
        lines += [f"  Log in as   {account.email}  (@{account.username})", f"  Password    {secret}", ""]
    lines += [
        f"  Try         toot login --instance {settings.origin}",
        "              toot post 'Hello from Daybook'",
        "              toot timelines home",
        f"              {command} log tail",
        f"  Data        {settings.data} (with master.key, which nothing can be read without: keep a copy)",
        "  Stop        Ctrl-C",
    ]
    console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


def _listens_where_it_says(settings: Settings) -> bool:
    port = settings.domain.removeprefix(f"[{host_of(settings.domain)}]").rpartition(":")[2]
    return settings.loopback and is_loopback(settings.bind) and port == str(settings.port)


def _command(settings: Settings) -> str:
    """How to call us from here, about this instance."""
    here = Path.cwd()
    place = Path(sys.executable).with_name("daybook")
    command = shlex.quote(str(place.relative_to(here) if place.is_relative_to(here) else place))
    return command if settings.data == here / "data" else f"DAYBOOK_DATA={shlex.quote(str(settings.data))} {command}"
