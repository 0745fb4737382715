"""The commands that run an instance or a part of it."""

import asyncio
import os

from adapters.config import Settings, load_settings
from adapters.first_account import prepare_database, prepare_instance
from adapters.first_start import attached
from adapters.first_start import migrate as migrate_database
from workers.up import FirstAccount, console_of
from workers.up import up as run_everything


def up() -> None:
    """Run the whole instance on this machine until Ctrl-C."""
    run_everything(load_settings(os.environ), os.environ, _prepare, console_of())


def project() -> None:
    """Follow the log and keep the read models up to date."""
    from workers.projector import project as run  # noqa: PLC0415 (nor is the projector)

    run(attached(load_settings(os.environ)))


def migrate() -> None:
    """Bring the database that DATABASE_URL names up to date, as its owner."""
    _prepare(attached(load_settings(os.environ)))
    console_of().print("The database is up to date.")


def _prepare(settings: Settings) -> tuple[Settings, FirstAccount | None]:
    settings = migrate_database(settings)
    prepare_database(settings)
    first = asyncio.run(prepare_instance(settings))
    return settings, FirstAccount(username=first.username, email=first.email or first.username, password=first.password)
