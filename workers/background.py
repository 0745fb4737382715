"""`daybook behind`: everything that runs behind, in one process, a thread each; or one part alone.

A part is a function of the settings and an event that says when to stop. One that ends by itself takes the process
along: whoever supervises starts it anew, and nothing that a part does is lost by that.
"""

import logging
import signal
import threading
import time
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Final

from adapters.config import Settings
from workers.deliverer import deliver
from workers.jobs import work
from workers.projector import follow
from workers.reactor import react
from workers.schedule import tick

# Below what the supervisor grants before it insists.
STOP_TIMEOUT_S: Final = 8.0
_log = logging.getLogger("daybook.behind")

Part = Callable[[Settings, threading.Event], None]

# What runs behind, by the name of the command that runs it alone.
PARTS: Mapping[str, Part] = {
    "project": follow,
    "react": react,
    "deliver": deliver,
    "work": work,
    "tick": tick,
}


class PartEnded(Exception):
    """A part ended although nobody had asked it to."""


def run_alone(name: str, settings: Settings) -> None:
    """One part in this thread, until SIGTERM or SIGINT."""
    stopping = threading.Event()
    _stop_on_signals(stopping)
    PARTS[name](settings, stopping)


def behind(settings: Settings, parts: Mapping[str, Part] = PARTS) -> None:
    """All parts until SIGTERM or SIGINT, or until one of them ends; then its error is raised, or PartEnded."""
    stopping = threading.Event()
    _stop_on_signals(stopping)
    run_together(settings, stopping, parts)


def run_together(settings: Settings, stopping: threading.Event, parts: Mapping[str, Part]) -> None:
    """All parts until `stopping` is set, or one of them ends; then its error is raised, or PartEnded."""
    ended: list[BaseException] = []

    def run(name: str, part: Part) -> None:
        try:
            part(settings, stopping)
            if not stopping.is_set():
                ended.append(PartEnded(f"{name} ended by itself"))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it ends the process
            ended.append(error)
        stopping.set()

    # One that does not stop in time is left behind when the process ends.
    threads = [threading.Thread(target=run, args=pair, name=pair[0], daemon=True) for pair in parts.items()]
    for thread in threads:
        thread.start()
    stopping.wait()
    deadline = time.monotonic() + STOP_TIMEOUT_S
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
        if thread.is_alive():
            _log.warning("%s did not stop in time", thread.name)
    if ended:
        raise ended[0]


def _stop_on_signals(stopping: threading.Event) -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
