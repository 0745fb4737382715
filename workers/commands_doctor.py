"""`daybook doctor`: what is wrong, and what to do about it; for people, and for programs that ask it."""

import asyncio
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from adapters.condition.doctor import examine
from adapters.condition.finding import Finding, State, worst
from adapters.logs import Masker, secrets_of
from workers.consoles import console_of
from workers.log_words import time_of

STYLES: dict[State, str] = {"ok": "green", "warning": "yellow", "wrong": "bold red"}


def doctor(*, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Say what is wrong with this instance, and what to do about it; exits 1 if anything is.

    Looks at settings, database, keys, disk, clock, what runs and what is late, and changes nothing. What is broken is
    said, and the rest looked at all the same. Warnings alone exit 0.

    Parameters
    ----------
    json
        One JSON object: `state` (ok, warning or wrong) and `findings`, each with check, state, what and todo.
    """
    mask = Masker(secrets_of(os.environ), addresses=False)
    found = [_masked(finding, mask) for finding in asyncio.run(examine(os.environ, time_of))]
    state = worst(found)
    if json:
        sys.stdout.write(msgspec.json.encode({"state": state, "findings": found}).decode() + "\n")
    else:
        _show(console_of(), found)
    sys.exit(1 if state == "wrong" else 0)


def _masked(finding: Finding, mask: Masker) -> Finding:
    return Finding(finding.check, finding.state, mask(finding.what), mask(finding.todo))


def _show(console: Console, found: Sequence[Finding]) -> None:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    for finding in found:
        said = Text(f"{finding.what}\n→ {finding.todo}" if finding.todo else finding.what)
        table.add_row(Text(finding.state, STYLES[finding.state]), Text(finding.check, "bold"), said)
    console.print(table)
    states = [finding.state for finding in found]
    wrong, warned = states.count("wrong"), states.count("warning")
    console.print(f"\n{wrong} wrong, {warned} to look at, {states.count('ok')} well.", highlight=False)
