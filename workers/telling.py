"""How long work tells how far it is: a bar for each of its steps, in the order in which they begin."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

Tell = Callable[[str, int, int], None]


@contextmanager
def telling(console: Console) -> Generator[Tell]:
    """Yields what is to be told (step, done, of how many)."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        bars: dict[str, TaskID] = {}

        def tell(step: str, done: int, goal: int) -> None:
            if step not in bars:
                bars[step] = progress.add_task(step.capitalize(), total=None)
            progress.update(bars[step], completed=done, total=goal)

        yield tell
