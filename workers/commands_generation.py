"""`daybook generation`: the generations of read models that there are, which of them is read, and which may go."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated

from cyclopts import App, Parameter
from rich.filesize import decimal
from rich.table import Table

from adapters.config import Settings, load_settings
from adapters.first_start import attached
from adapters.founded import as_founded
from adapters.keeping import Keeping, Listed, keeping, looking
from adapters.replaying import ReplayError
from workers.consoles import console_of, print_table
from workers.preflight import NotReady
from workers.progress import progress_of

app = App(name="generation", help="The generations of read models: list them, switch between them, drop them.")


@app.command(name="list")
def show() -> None:
    """List every generation: what it is for, how far it has come, and what it takes on disk.

    Only the live one follows the log. One that is `kept` can be gone back to; one that is `building` belongs
    to a replay, running or interrupted. Rows are as the database estimates them.
    """
    console = console_of()
    with _sentences(), looking(_settings()) as kept:
        found = kept.listed()
    table = Table(title=f"Log: {found[0].head if found else 0:,} events", title_justify="left")
    for heading in ("n", "status", "code", "position", "behind", "rows", "on disk", "made", "left"):
        right = heading in ("n", "position", "behind", "rows", "on disk")
        table.add_column(heading, justify="right" if right else "left", no_wrap=True)
    for one in found:
        table.add_row(*_cells(one))
    print_table(console, table)


@app.command
def switch(n: int, /) -> None:
    """Make a generation the one that is read: it is caught up with the log first, and no reader goes back in time.

    The one that was live is kept, so that `daybook generation back` undoes this. It must be whole and made by this
    version of Daybook.

    Parameters
    ----------
    n
        Its number, as `daybook generation list` shows it.
    """
    with _sentences(), keeping(_settings()) as kept:
        _switch(kept, n)


@app.command
def back() -> None:
    """Go back to the generation that was live before, as `daybook replay --keep-old` or a switch kept it."""
    with _sentences(), keeping(_settings()) as kept:
        _switch(kept, kept.left_last())


@app.command
def drop(n: int, /, *, dry_run: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Drop a generation that is not live, for good: a new one can always be made of the log.

    Parameters
    ----------
    n
        Its number, as `daybook generation list` shows it.
    dry_run
        Only say what would be freed.
    """
    console = console_of()
    with _sentences():
        if dry_run:
            with looking(_settings()) as kept:
                found = kept.droppable(n)
            console.print(f"Generation {n} would be dropped: {_freed(found)}.", highlight=False)
            return
        with keeping(_settings()) as kept:
            found = kept.droppable(n)
            with console.status(f"Dropping generation {n}"):
                kept.drop(n)
    console.print(f"Generation {n} is dropped: {_freed(found)}.", highlight=False)


def _switch(kept: Keeping, n: int) -> None:
    console = console_of()
    lacking = kept.one(n).behind or 0
    if lacking:
        console.print(f"Generation {n} lacks {lacking:,} events, which it gets first.", highlight=False)
    with progress_of(console, f"Catching up generation {n}") as tell:
        before = kept.switch(n, tell)
    console.print(
        f"Generation {n} is live. Generation {before.n} stays as it is: `daybook generation back` goes back to it, "
        f"`daybook generation drop {before.n}` frees its disk.",
        highlight=False,
    )


def _cells(one: Listed) -> list[str]:
    generation = one.generation
    status = "kept" if generation.retained else "over" if generation.status == "kept" else generation.status
    position = "tables gone" if one.position is None else f"{one.position:,}"
    behind = "" if one.behind is None else f"{one.behind:,}"
    code = "ours" if one.ours else "other"
    size = decimal(one.size_bytes)
    return [
        *(str(generation.n), status, code, position, behind, f"{one.rows:,}", size),
        *(_time(one.made_at), _time(one.left_at)),
    ]


def _freed(found: Listed) -> str:
    return f"some {found.rows:,} rows, {decimal(found.size_bytes)}"


def _time(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M}"


def _settings() -> Settings:
    return as_founded(attached(load_settings(os.environ)))


@contextmanager
def _sentences() -> Generator[None]:
    try:
        yield
    except ReplayError as error:
        raise NotReady(str(error)) from error
