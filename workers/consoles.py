"""Where commands print for an operator."""

import os
from collections.abc import Mapping

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

WIDTH_MAX = 200


def console_of(environ: Mapping[str, str] = os.environ) -> Console:
    """Where an operator reads: standard output, without colours when NO_COLOR is set or it is not a terminal."""
    return Console(no_color="NO_COLOR" in environ)


def print_table(console: Console, table: Table) -> None:
    """Print all of a table, however narrow the terminal is: what is cut off can't be typed again."""
    needed = Measurement.get(console, console.options.update(max_width=WIDTH_MAX), table).maximum
    whole = Console(file=console.file, no_color=console.no_color, width=max(console.width, needed))
    whole.print(table)
