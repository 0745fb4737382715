"""`daybook replay`: the read models worked out anew from the log, proved to be the same, and put in their place."""

import os
import signal
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Annotated, NamedTuple

from cyclopts import Parameter, validators
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from adapters.codec import Codec
from adapters.config import Settings, load_settings
from adapters.differences import decisions_behind, differences
from adapters.first_start import attached
from adapters.founded import as_founded
from adapters.master_key import load_master_key
from adapters.pacing import Pace
from adapters.postgres.reading_log import LogReader
from adapters.rebuilding import are_lost, rebuild_lost
from adapters.replaying import Comparison, Replay, ReplayError, replaying
from adapters.retelling import Untold
from domain.events import Refused
from projections import parts
from workers.consoles import console_of, print_table
from workers.differences_shown import DIFFERENT, MOST, Shown
from workers.preflight import NotReady
from workers.progress import progress_of

INTERRUPTED = 130
DIGEST_DIGITS = 16
NICE = 10


class _How(NamedTuple):
    dry_run: bool
    switch_anyway: bool
    keep_old: bool
    restart: bool
    rate: float | None
    most: int
    json: bool
    only: tuple[str, ...]
    """As they were named."""
    tables: frozenset[str]


def replay(
    *,
    only: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    switch_anyway: Annotated[bool, Parameter(negative=())] = False,
    keep_old: Annotated[bool, Parameter(negative=())] = False,
    restart: Annotated[bool, Parameter(negative=())] = False,
    rate: Annotated[float | None, Parameter(validator=validators.Number(gt=0))] = None,
    most: int = MOST,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Build the read models anew from the log beside the live ones, compare them, switch to them, drop the old ones.

    Exits 3 without switching when any table differs, and says which rows do, in what, and which events are behind it.
    The instance may run meanwhile, or only its database. What is interrupted goes on where it was at the next
    `daybook replay`; a part (`--only`) never does, and begins anew.

    Parameters
    ----------
    only
        Make only this projection or table of the facts, and copy the others as they are; several may be named. The
        facts themselves are taken as they are: what a translator does otherwise shows in a whole replay.
    dry_run
        Compare only: the new ones are dropped again, whatever comes of it.
    switch_anyway
        Switch although tables differ: the new ones are what this code makes of the log. With `--only` they are made
        again first.
    keep_old
        Keep the old ones, so that `daybook generation back` can go back to them; they take their disk until
        `daybook generation drop`.
    restart
        Begin at the first event, even where an interrupted replay could be gone on with.
    rate
        Project at most so many events a second, so that others have the machine. It yields to them in any case.
    most
        How many differences of each table to show; all are counted.
    json
        Show the differences as one JSON object a line, the last of which says which tables differ, and all else on
        standard error.
    """
    if most < 0:
        raise Refused(f"--most must not be negative, and {most} is.")
    console = Console(stderr=True, no_color="NO_COLOR" in os.environ) if json else console_of()
    sys.exit(_status(console, _How(dry_run, switch_anyway, keep_old, restart, rate, most, json, only, _tables(only))))


def _status(console: Console, how: _How) -> int:
    # Ended politely it stops as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _run(console, how)
    except ReplayError as error:
        raise NotReady(str(error)) from error
    except Untold as error:
        raise NotReady(f"{error}. A replay of the whole log sets that event aside.") from error
    except KeyboardInterrupt:
        follows = "drops what was made of the part" if how.only else "goes on from here"
        console.print(f"Interrupted; what is live stays as it is. The next `daybook replay` {follows}.")
        return INTERRUPTED


def _run(console: Console, how: _How) -> int:
    settings = as_founded(attached(load_settings(os.environ)))
    if how.dry_run and are_lost(settings):
        console.print(
            "The read models are gone, so there is nothing to compare with: without --dry-run they are made of the log."
        )
        return DIFFERENT
    with progress_of(console, "Building read models that are gone") as tell:
        made = rebuild_lost(settings, tell)
    if made is not None:
        console.print(f"There were none to compare with: generation {made.n} is made of the log, and live.")
        return 0
    # Whoever waits for an answer comes first.
    os.nice(NICE)
    with replaying(settings, Pace(how.rate)) as run, _reader(settings) as reader:
        if how.only:
            _begin_part(run, console, how.tables)
        else:
            _begin(run, console, restart=how.restart)
        return _replay(run, console, Shown(reader, most=how.most, as_json=how.json), how)


@contextmanager
def _reader(settings: Settings) -> Generator[LogReader]:
    """For the words of events: over a connection of its own, as the processes read."""
    assert settings.database_app_url is not None, "attached"
    reader = LogReader(settings.database_app_url, Codec(load_master_key(settings)))
    try:
        yield reader
    finally:
        reader.close()


def _begin(run: Replay, console: Console, *, restart: bool) -> None:
    cost = run.cost()
    console.print(
        f"Replaying {cost.events:,} events beside the live read models (generation {run.old.n}). While both are there, "
        f"that takes some {decimal(cost.live_bytes)} more on disk, and work for the database that others may feel.",
        highlight=False,
    )
    begun = run.begin(anew=restart)
    if begun.position:
        since = f", begun {begun.made_at:%Y-%m-%d %H:%M}" if begun.made_at else ""
        console.print(
            f"Going on with generation {begun.generation.n}{since}, which an earlier replay left after event "
            f"{begun.position:,}; --restart begins anew.",
            highlight=False,
        )


def _tables(names: Sequence[str]) -> frozenset[str]:
    tables: set[str] = set()
    for name in names:
        named = parts.tables_named(name)
        if not named:
            there = ", ".join(parts.names())
            raise Refused(f"There is no part called {name!r} that can be made alone; there are {there}.")
        tables |= named
    return parts.together(tables)


def _begin_part(run: Replay, console: Console, tables: frozenset[str]) -> None:
    console.print(
        f"Making {', '.join(sorted(tables))} of the facts beside the live read models (generation {run.old.n}), with "
        f"copies of all other tables. While both are there, that takes some {decimal(run.cost().live_bytes)} more on "
        "disk.",
        highlight=False,
    )
    with progress_of(console, "Making a part") as tell:
        run.begin_part(tables, tell)


def _replay(run: Replay, console: Console, shown: Shown, how: _How) -> int:
    made = run.made
    with progress_of(console, f"Building generation {made.n}") as tell:
        run.build(tell)
    with console.status("Comparing"):
        found = run.compare(_say_nothing)
    _show(console, found)
    rows = 0
    if found.different:
        console.print(f"Not the same: {', '.join(found.different)}.", highlight=False)
        with run.side_by_side(_say_nothing) as both:
            rows = shown.show(differences(both, run.old, made, found.different))
            if "facts" in found.different:
                shown.show_decisions(decisions_behind(both, run.old, made))
    shown.show_outcome(found.position, found.different, rows)
    if how.dry_run:
        run.abandon()
        console.print(f"Nothing was switched; generation {made.n} is dropped again.", highlight=False)
        return DIFFERENT if found.different else 0
    if found.different and not how.switch_anyway:
        console.print(f"Nothing was switched. {_left(run, how.only)}", highlight=False)
        return DIFFERENT
    _switch(run, console, keep_old=how.keep_old)
    return 0


def _left(run: Replay, only: Sequence[str]) -> str:
    """What there is now that tables differ, and what to do about it."""
    live, made, drop = run.old.schema, run.made.schema, f"`daybook generation drop {run.made.n}`"
    if only:
        named = " ".join(f"--only {name}" for name in only)
        return (
            f"Schema {live} is live, schema {made} has the part that this code makes of the facts, and copies of all "
            f"else. `daybook replay {named} --switch-anyway` makes that again and puts it in the place of the live "
            f"one. Any replay drops this one, and so does {drop}."
        )
    return (
        f"Schema {live} is live, schema {made} is what this code makes of the log. `daybook replay --switch-anyway` "
        f"puts it in the place of the live one, {drop} drops it."
    )


def _switch(run: Replay, console: Console, *, keep_old: bool) -> None:
    old = run.old.n
    with progress_of(console, "Catching up") as tell:
        run.switch(tell, retain=keep_old)
    console.print(f"Generation {run.made.n} is live.", highlight=False)
    if keep_old:
        console.print(
            f"Generation {old} is kept: `daybook generation back` goes back to it, "
            f"`daybook generation drop {old}` frees its disk.",
            highlight=False,
        )
        return
    with console.status(f"Waiting until nobody reads generation {old} any more"):
        dropped = run.drop_old()
    kept = "is still being read and stays; the next replay or start drops it."
    console.print(f"Generation {old} {'is dropped.' if dropped else kept}", highlight=False)


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
    print_table(console, table)


def _say_nothing(reached: int, goal: int) -> None:
    """Comparing starts where building ended, but for what came meanwhile."""
