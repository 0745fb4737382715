"""Tables for operators."""

import io

from rich.console import Console
from rich.table import Table

from workers.consoles import print_table


def test_nothing_of_a_table_is_cut_off_however_narrow_the_terminal_is() -> None:
    table, said = Table(), io.StringIO()
    for heading in ("n", "a heading that is longer than all the terminal"):
        table.add_column(heading, no_wrap=True)
    table.add_row("1234567", "read_models_as_of_the_last_replay")
    print_table(Console(file=said, width=20), table)
    for cell in ("1234567", "a heading that is longer than all the terminal", "read_models_as_of_the_last_replay"):
        assert cell in said.getvalue()
