"""`daybook replay`: the read models worked out anew from the log, proved to be the same, and put in their place."""

import os
import signal
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from adapters.codec import Codec
from adapters.config import Settings, load_settings
from adapters.differences import decisions_behind, differences
from adapters.first_start import attached
from adapters.founded import as_founded
from adapters.master_key import load_master_key
from adapters.postgres.reading_log import LogReader
from adapters.rebuilding import rebuild_lost
from adapters.replaying import Comparison, Replay, ReplayError, replaying
from domain.events import Refused
from workers.differences_shown import MOST, Shown
from workers.preflight import NotReady
from workers.up import console_of

DIFFERENT = 3
INTERRUPTED = 130
DIGEST_DIGITS = 16


def replay(
    *,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    switch_anyway: Annotated[bool, Parameter(negative=())] = False,
    most: int = MOST,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Build the read models anew from the log beside the live ones, compare them, switch to them, drop the old ones.

    Exits 3 without switching when any table differs, and says which rows do, in what, and which events are behind it.
    The instance may run meanwhile, or only its database.

    Parameters
    ----------
    dry_run
        Compare only: the new ones are dropped again, whatever comes of it.
    switch_anyway
        Switch although tables differ: the new ones are what this code makes of the log.
    most
        How many differences of each table to show; all are counted.
    json
        Show the differences as one JSON object a line, and all else on standard error.
    """
    if most < 0:
        raise Refused(f"--most must not be negative, and {most} is.")
    console = Console(stderr=True, no_color="NO_COLOR" in os.environ) if json else console_of()
    # Ended politely it cleans up as after Ctrl-C; what a kill leaves is dropped by the next run.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        settings = as_founded(attached(load_settings(os.environ)))
        with _progress(console, "Building read models that are gone") as tell:
            made = rebuild_lost(settings, tell)
        if made is not None:
            console.print(f"There were none to compare with: generation {made.n} is made of the log, and live.")
            sys.exit(0)
        with replaying(settings) as run, _reader(settings) as reader:
            shown = Shown(reader, most=most, as_json=json)
            status = _replay(run, console, shown, dry_run=dry_run, switch_anyway=switch_anyway)
    except ReplayError as error:
        raise NotReady(str(error)) from error
    except KeyboardInterrupt:
        console.print("Interrupted; what is live stays as it is.")
        status = INTERRUPTED
    sys.exit(status)


@contextmanager
def _reader(settings: Settings) -> Generator[LogReader]:
    """For the words of events: over a connection of its own, as the processes read."""
    assert settings.database_app_url is not None, "attached"
    reader = LogReader(settings.database_app_url, Codec(load_master_key(settings)))
    try:
        yield reader
    finally:
        reader.close()


def _replay(run: Replay, console: Console, shown: Shown, *, dry_run: bool, switch_anyway: bool) -> int:
    cost = run.cost()
    console.print(
        f"Replaying {cost.events:,} events beside the live read models (generation {run.old.n}). While both are there, "
        f"that takes some {decimal(cost.live_bytes)} more on disk, and work for the database that others may feel.",
        highlight=False,
    )
    made = run.begin()
    with _progress(console, f"Building generation {made.n}") as tell:
        run.build(tell)
    with console.status("Comparing"):
        found = run.compare(_say_nothing)
    _show(console, found)
    if found.different:
        console.print(f"Not the same: {', '.join(found.different)}.", highlight=False)
        with run.side_by_side(_say_nothing) as both:
            shown.show(differences(both, run.old, made, found.different))
            if "facts" in found.different:
                shown.show_decisions(decisions_behind(both, run.old, made))
    if dry_run:
        run.abandon()
        console.print(f"Nothing was switched; generation {made.n} is dropped again.", highlight=False)
        return DIFFERENT if found.different else 0
    if found.different and not switch_anyway:
        run.keep()
        console.print(
            f"Nothing was switched. Schema {run.old.schema} is live, schema {made.schema} is what this code makes of "
            "the log. The next replay drops it; with --switch-anyway it puts its own in the place of the live one.",
            highlight=False,
        )
        return DIFFERENT
    _switch(run, console, made.n)
    return 0


def _switch(run: Replay, console: Console, made: int) -> None:
    with _progress(console, "Catching up") as tell:
        run.switch(tell)
    console.print(f"Generation {made} is live.", highlight=False)
    with console.status(f"Waiting until nobody reads generation {run.old.n} any more"):
        dropped = run.drop_old()
    kept = "is still being read and stays; the next replay or start drops it."
    console.print(f"Generation {run.old.n} {'is dropped.' if dropped else kept}", highlight=False)


def _show(console: Console, found: Comparison) -> None:
    table = Table(title=f"Both as of event {found.position:,}", title_justify="left")
    for heading, justify in (("table", "left"), ("rows", "right"), ("live", "left"), ("replayed", "left")):
        table.add_column(heading, justify="right" if justify == "right" else "left", no_wrap=True)
    table.add_column("same?", no_wrap=True)
    for row in found.tables:
        rows = f"{row.live_rows:,}"
        if row.replayed_rows != row.live_rows:
            rows += f" / {row.replayed_rows:,}"
        digests = row.live_digest[:DIGEST_DIGITS], row.replayed_digest[:DIGEST_DIGITS]
        table.add_row(row.table, rows, *digests, "yes" if row.same else "NO")
    console.print(table)


@contextmanager
def _progress(console: Console, what: str) -> Generator[Callable[[int, int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Speed(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(what, total=None)
        yield lambda reached, goal: progress.update(task, completed=reached, total=goal)


class _Speed(ProgressColumn):
    """How many events a second."""

    def render(self, task: Task) -> Text:
        """Empty until something can be said."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} events/s" if speed else "")


def _say_nothing(reached: int, goal: int) -> None:
    """Comparing starts where building ended, but for what came meanwhile."""
