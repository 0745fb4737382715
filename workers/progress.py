"""Progress of long work, for whoever waits at a terminal: how far, how long yet; a bar for each step as it begins."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

Tell = Callable[[str, int, int], None]


@contextmanager
def telling(console: Console, unit: str | None = None) -> Generator[Tell]:
    """Yields what is to be told (step, done, of how many), again and again; with a `unit`, also how fast."""
    speed = () if unit is None else (_Speed(unit),)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), *speed, TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        bars: dict[str, TaskID] = {}

        def tell(step: str, done: int, goal: int) -> None:
            if step not in bars:
                # What was done before it began says nothing of its speed.
                bars[step] = progress.add_task(step.capitalize(), total=goal, completed=done)
            progress.update(bars[step], completed=done, total=goal)

        yield tell


@contextmanager
def progress_of(console: Console, what: str) -> Generator[Callable[[int, int], None]]:
    """The same of one step over the log: yields what is told (position come to, position to come to)."""
    with telling(console, "events") as tell:
        yield partial(tell, what)


class _Speed(ProgressColumn):
    """How many a second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        """Empty until something can be said."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} {self._unit}/s" if speed else "")
