"""The `daybook` command. Each sub-command is imported only when it is called, so that none slows another down.

To add one, write a function with annotated parameters and a docstring (its help) in `workers/commands_<topic>.py`
and name it in COMMANDS; a cyclopts `App` there gives a group such as `daybook log …`.
"""

import sys

from cyclopts import App

from adapters.config import SettingsError
from adapters.embedded.processes import EmbeddedError
from adapters.postgres.migrate import MigrationError
from workers.preflight import NotReady

COMMANDS = {
    "up": "workers.commands_run:up",
    "serve": "workers.commands_run:serve",
    "project": "workers.commands_run:project",
    "migrate": "workers.commands_run:migrate",
}

# What an operator can mend: one sentence says it, a traceback would hide it.
SAID_IN_A_SENTENCE = (SettingsError, EmbeddedError, MigrationError, NotReady)


def make_app() -> App:
    """The command with all its sub-commands."""
    app = App(name="daybook", help="A Fediverse server that keeps its history.")
    for name, place in COMMANDS.items():
        app.command(place, name=name)
    return app


def main() -> None:
    """Run the command that the command line names; exits 1 with one sentence for what an operator can mend."""
    try:
        make_app()()
    except SAID_IN_A_SENTENCE as error:
        sys.exit(f"daybook: {error}")


if __name__ == "__main__":
    main()
