"""The commands that run an instance or a part of it."""

import asyncio
import os
from functools import partial

from rich.console import Console

from adapters.config import Settings, load_settings
from adapters.first_account import Prepared, prepare_database, prepare_instance
from adapters.first_start import attached
from adapters.first_start import migrate as migrate_database
from workers.consoles import console_of
from workers.up import FirstAccount
from workers.up import up as run_everything


def up() -> None:
    """Run the whole instance on this machine until Ctrl-C."""
    console = console_of()
    run_everything(load_settings(os.environ), os.environ, partial(_prepare, console), console)


def behind() -> None:
    """Do everything that is done behind: project, and all that follows from what happens."""
    from workers.background import behind as run  # noqa: PLC0415 (not needed to run everything)

    run(attached(load_settings(os.environ)))


def project() -> None:
    """Follow the log and keep the read models up to date."""
    _alone("project")


def react() -> None:
    """Act upon what happened: tell other servers, answer follows, have things fetched."""
    _alone("react")


def deliver() -> None:
    """Send what stands in the outbox to other servers."""
    _alone("deliver")


def work() -> None:
    """Do the jobs: fetch what others refer to, and whatever else takes its time."""
    _alone("work")


def tick() -> None:
    """Keep the schedule: do what time causes."""
    _alone("tick")


def migrate() -> None:
    """Bring the database that DATABASE_URL names up to date, as its owner."""
    console = console_of()
    _prepare(console, attached(load_settings(os.environ)))
    console.print("The database is up to date.")


def _alone(part: str) -> None:
    from workers.background import run_alone  # noqa: PLC0415 (not needed to run everything)

    run_alone(part, attached(load_settings(os.environ)))


def _prepare(console: Console, settings: Settings) -> tuple[Settings, FirstAccount | None]:
    settings = migrate_database(settings)
    prepare_database(settings)
    first = asyncio.run(prepare_instance(settings, partial(_show_password, console)))
    return settings, FirstAccount(username=first.username, email=first.email or first.username, password=first.password)


def _show_password(console: Console, first: Prepared) -> None:
    said = f"The password of @{first.username} is {first.password} (it is kept nowhere: note it down)"
    console.print(said, markup=False, highlight=False, soft_wrap=True)
