"""`daybook deliveries`: hosts that can't be reached, and trying them again at once."""

import os
import sys
from typing import Annotated

import msgspec
from cyclopts import App, Parameter
from rich.table import Table

from adapters.config import load_settings
from adapters.first_start import attached
from adapters.postgres.tailing import DatabaseTrouble
from adapters.postgres.unreachable import Unreachable, retry, unreachable
from domain.events import Refused
from workers.consoles import console_of, print_table
from workers.preflight import NotReady

app = App(name="deliveries", help="Show hosts that can't be reached, and try them again.")

Flag = Annotated[bool, Parameter(negative=())]


@app.command
def hosts(*, json: Flag = False) -> None:
    """Show the hosts that failed last time or are given up, those first that most waits for.

    Parameters
    ----------
    json
        One JSON object a line.
    """
    found = _found(_url())
    if json:
        for one in found:
            sys.stdout.write(msgspec.json.encode(one).decode() + "\n")
        return
    if not found:
        sys.stderr.write("every host was reached when it was tried last\n")
        return
    table = Table()
    for heading in ("host", "state", "waiting", "failures", "failing days", "last on", "why"):
        table.add_column(heading, no_wrap=heading != "why")
    for one in found:
        since = "" if one.failed_on is None else str(one.failed_on)
        numbers = (str(one.waiting), str(one.failures), str(one.failing_days))
        table.add_row(one.host, one.state, *numbers, since, one.last_error or "")
    print_table(console_of(), table)


@app.command(name="retry")
def retry_hosts(*names: str, all_: Annotated[bool, Parameter(name="--all", negative=())] = False) -> None:
    """Try hosts again now, with all that waits for them; what failed before is forgotten.

    Parameters
    ----------
    names
        The hosts, with their port if they have one.
    all_
        Every host that failed last time or is given up, as after an outage of this machine's own.
    """
    if bool(names) == all_:
        raise Refused("Name hosts, or say --all.")
    url = _url()
    asked = [one.host for one in _found(url)] if all_ else [name.lower() for name in names]
    try:
        tried = retry(url, asked)
    except DatabaseTrouble as error:
        raise _away(error) from error
    unknown = [name for name in asked if name not in tried]
    console = console_of()
    for host, waiting in tried.items():
        console.print(f"{host} is tried now: {waiting:,} deliveries wait for it.", markup=False, highlight=False)
    if unknown:
        raise Refused(f"Nothing was ever sent to {', '.join(unknown)}.")
    if not tried:
        console.print("Every host was reached when it was tried last.", markup=False)


def _found(url: str) -> list[Unreachable]:
    try:
        return unreachable(url)
    except DatabaseTrouble as error:
        raise _away(error) from error


def _url() -> str:
    url = attached(load_settings(os.environ)).database_app_url
    assert url is not None, "attached"
    return url


def _away(error: Exception) -> NotReady:
    return NotReady(f"The database does not go along ({str(error).strip()}): try again when it does.")
