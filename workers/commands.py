"""The `daybook` command's sub-commands. Each is imported only when it is called, so that none slows another down.

To add one, write a function with annotated parameters and a docstring (its help) in `workers/commands_<topic>.py`
and name it in COMMANDS; a cyclopts `App` there gives a group such as `daybook log …`.
"""

import importlib.metadata
import os
import sys

from cyclopts import App

from adapters.config import SettingsError
from adapters.embedded.processes import EmbeddedError
from adapters.logs import Masker, secrets_of, set_up
from adapters.postgres.migrate import MigrationError
from domain.events import Refused
from workers.preflight import NotReady

# Name, where it is, and one line of help (reading the docstring would import it).
COMMANDS = (
    ("up", "workers.commands_run:up", "Run the whole instance on this machine until Ctrl-C."),
    ("serve", "api.serve:serve", "Answer HTTP: the client API, the inbox and the public pages."),
    ("behind", "workers.commands_run:behind", "Do all that is done behind, in one process."),
    ("project", "workers.commands_run:project", "Follow the log and keep the read models up to date."),
    ("react", "workers.commands_run:react", "Act upon what happened: tell other servers, answer follows."),
    ("deliver", "workers.commands_run:deliver", "Send what stands in the outbox to other servers."),
    ("work", "workers.commands_run:work", "Do the jobs: fetch what others refer to, and what else takes its time."),
    ("tick", "workers.commands_run:tick", "Keep the schedule: do what time causes."),
    ("migrate", "workers.commands_run:migrate", "Bring the database up to date, as its owner."),
    ("account", "workers.commands_account:app", "Make accounts, and give them new passwords."),
    ("deliveries", "workers.commands_deliveries:app", "Show hosts that can't be reached, and try them again."),
    ("doctor", "workers.commands_doctor:doctor", "Say what is wrong, and what to do about it."),
    ("log", "workers.commands_log:app", "Show what happened, event by event."),
    ("backup", "workers.commands_backup:app", "Copy what can't be worked out anew; prove that it can be restored."),
    ("restore", "workers.commands_restore:restore", "Put a backup back, into an empty database and data folder."),
    ("replay", "workers.commands_replay:replay", "Work the read models out anew, compare, switch, drop the old ones."),
    ("repair", "workers.commands_repair:repair", "Work one account's own rows out anew, and write what differs."),
    ("generation", "workers.commands_generation:app", "List the generations of read models, switch between them."),
)

# What an operator can mend: one sentence says it, a traceback would hide it.
SAID_IN_A_SENTENCE = (SettingsError, EmbeddedError, MigrationError, NotReady, Refused)


def make_app() -> App:
    """The command with all its sub-commands."""
    app = App(
        name="daybook",
        help="A Fediverse server that keeps its history.",
        version=lambda: importlib.metadata.version("daybook"),
    )
    for name, place, summary in COMMANDS:
        app.command(place, name=name, help=summary)
    return app


def run() -> None:
    """Run the command that the command line names; exits 1 with one sentence for what an operator can mend."""
    try:
        set_up(os.environ)
        make_app()()
    except SAID_IN_A_SENTENCE as error:
        # What a driver says of a URL may quote it.
        sys.exit(f"daybook: {Masker(secrets_of(os.environ), addresses=False)(str(error))}")
