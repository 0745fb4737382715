"""Progress of long work over the log, for whoever waits at a terminal: how far, how fast, how long yet."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


@contextmanager
def progress_of(console: Console, what: str) -> Generator[Callable[[int, int], None]]:
    """Gives a function that is told (position come to, position to come to), again and again."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Speed(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(what, total=None)
        begun = False

        def tell(reached: int, goal: int) -> None:
            nonlocal begun
            if not begun:
                # What was done before it began says nothing of its speed.
                progress.reset(task, total=goal, completed=reached)
                begun = True
            progress.update(task, completed=reached, total=goal)

        yield tell


class _Speed(ProgressColumn):
    """How many events a second."""

    def render(self, task: Task) -> Text:
        """Empty until something can be said."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} events/s" if speed else "")
