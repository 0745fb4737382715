"""What a fresh instance gets once its schema is there: secrets, read models, its founding, its first account."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict

from adapters.accounts import new_password
from adapters.codec import Codec
from adapters.config import Settings
from adapters.master_key import load_master_key
from adapters.postgres import generations, secrets
from adapters.wiring import Server

USERNAME = "admin"
UNSEEN = "first-password-unseen"


class Prepared(NamedTuple):
    """Who can log in; the password only when it was set just now, since it is kept nowhere."""

    username: str
    email: str | None
    password: str | None


def prepare_database(settings: Settings) -> None:
    """As the owner: the secrets, and tables for read models by this code; drops generations that nobody reads."""
    assert settings.database_url is not None and settings.database_app_url is not None, "only an owner prepares"
    with psycopg.connect(settings.database_url, autocommit=True) as owner:
        secrets.ensure_secrets(owner, Codec(load_master_key(settings)))
        role = str(conninfo_to_dict(settings.database_app_url).get("user") or owner.info.user)
        generations.replace_lost(owner, role)
        there = generations.all_of_them(owner)
        for generation in there:
            outdated = generation.code_hash != generations.code_hash()
            left = generation.status == "kept" and not generation.retained
            over = left or (generation.status == "building" and outdated)
            if over and not generations.in_use(owner, generation):
                generations.drop(owner, generation)
        if not any(one.code_hash == generations.code_hash() and one.status != "kept" for one in there):
            made = generations.create(owner, role)
            if not any(one.status == "live" for one in there) and _log_is_empty(owner):
                generations.switch(owner, made)


def _show_nobody(prepared: Prepared) -> None:
    """For callers that take the password from what they are given back."""


async def prepare_instance(settings: Settings, show: Callable[[Prepared], None] = _show_nobody) -> Prepared:
    """Found the instance, once, and make its first account when there is none, or only half of one.

    `show` gets a new password at the moment it works. Until that has returned a file in the data directory says that
    nobody may have seen it, and a start that finds the file sets another. So it is with half an account.
    """
    server = Server(settings)
    async with server.running():
        await server.accounts.found(secrets.public_pem(server.instance_key))
        first = await server.users.first()
        complete = first is not None and await server.accounts.is_complete(first)
        unseen = settings.data / UNSEEN
        if first is not None and complete and not unseen.exists():
            return Prepared(first.username, first.email, None)
        username = first.username if first else USERNAME
        email = first.email if first else f"{USERNAME}@{settings.domain.partition(':')[0]}"
        password = new_password()
        _mark(unseen)
        if complete:
            await server.accounts.set_password(username, password)
        else:
            await server.accounts.create(username, email, password, role="owner")
        prepared = Prepared(username, email, password)
        show(prepared)
        unseen.unlink()
        return prepared


def _mark(unseen: Path) -> None:
    # What is marked is that it was not shown: a data directory that is lost must not cost anybody their password.
    unseen.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unseen.touch(mode=0o600)


def _log_is_empty(owner: psycopg.Connection) -> bool:
    row = owner.execute("SELECT position = 0 FROM log.head").fetchone()
    return bool(row and row[0])
