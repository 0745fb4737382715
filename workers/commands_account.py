"""`daybook account`: people who can log in, made and helped from the command line."""

import asyncio
import os
import sys
from typing import Annotated

from cyclopts import App, Parameter

from adapters.accounts import new_password
from adapters.config import Settings, load_settings
from adapters.first_start import attached
from adapters.founded import as_founded
from adapters.passwords import PASSWORD_BYTES_MAX
from adapters.postgres.users import Role
from adapters.unavailable import Unavailable
from adapters.wiring import Server
from domain.events import Refused
from workers.consoles import console_of
from workers.preflight import NotReady

app = App(name="account", help="Make accounts, and help those who forgot their password.")


@app.command
def create(
    username: str,
    *,
    email: str | None = None,
    password: str | None = None,
    stdin: Annotated[bool, Parameter(negative=())] = False,
    role: Role = "user",
) -> None:
    """Make a local account that can log in at once; prints its password when it was not given.

    Parameters
    ----------
    username
        ASCII letters, digits and underscores, with dots and dashes between; without @.
    email
        Another name to log in by; nothing is sent to it.
    password
        As others on this machine may see it while the command runs; better leave it out, or use --stdin.
    stdin
        Take the password from the first line of standard input.
    role
        What the account may do besides posting.
    """
    given = _from_stdin() if stdin else password
    chosen = given or new_password()
    username = username.removeprefix("@")
    asyncio.run(_create(_settings(), username, email, chosen, role))
    console_of().print(f"@{username} can log in{'' if given else f' with the password {chosen}'}.", highlight=False)


@app.command(name="password")
def set_password(username: str, *, stdin: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Give an account a new password and print it; every session and every client has to log in anew.

    Parameters
    ----------
    username
        Who; their e-mail address will do too.
    stdin
        Take the password from the first line of standard input instead of making one up.
    """
    given = _from_stdin() if stdin else None
    chosen = given or new_password()
    username = username.removeprefix("@")
    asyncio.run(_set_password(_settings(), username, chosen))
    shown = "The password is changed." if given else f"The new password of {username} is {chosen}"
    console_of().print(shown, markup=False, highlight=False)


async def _create(settings: Settings, username: str, email: str | None, password: str, role: Role) -> None:
    _check_length(password)
    if email is not None and not all(email.partition("@")):
        raise Refused(f"{email!r} is no e-mail address.")
    server = Server(settings)
    try:
        async with server.running():
            await server.accounts.create(username, email, password, role)
    except Unavailable as error:
        raise _away(error) from error


async def _set_password(settings: Settings, username: str, password: str) -> None:
    _check_length(password)
    server = Server(settings)
    try:
        async with server.running():
            await server.accounts.set_password(username, password)
    except Unavailable as error:
        raise _away(error) from error


def _settings() -> Settings:
    return as_founded(attached(load_settings(os.environ)))


def _check_length(password: str) -> None:
    if len(password.encode(errors="replace")) > PASSWORD_BYTES_MAX:
        raise Refused(f"A password has at most {PASSWORD_BYTES_MAX:,} bytes.")


def _from_stdin() -> str:
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise Refused("There is no password on standard input.")
    return password


def _away(error: Unavailable) -> NotReady:
    return NotReady(f"{error} does not answer: try again when it does.")
