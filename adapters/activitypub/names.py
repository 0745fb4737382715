"""Names to addresses, looked up so that names which hang hold up neither each other nor anything else.

Not by the loop: uvloop's `getaddrinfo` has half of libuv's four threads, asyncio's has the default executor, on which
passwords and pictures wait, too. A name that hangs keeps its thread for as long as the system's resolver tries, so the
threads are many, and daemons: none of them holds up the end of the process.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Final

LOOK_UPS_MAX: Final = 64

LookUp = Callable[[str, int], Sequence[str]]


def look_up(host: str, port: int) -> Sequence[str]:
    """The system's answer for a name: addresses in getaddrinfo's order. Blocks; raises OSError when there is none."""
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Names:
    """Looks names up, each on a thread of its own, 64 at once; the others wait. Belongs to one event loop."""

    def __init__(self, look_up: LookUp = look_up, most: int = LOOK_UPS_MAX) -> None:
        self._look_up = look_up
        self._free = asyncio.Semaphore(most)

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """The addresses of a name as text, in the order to try them. Raises OSError when it has none."""
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Sequence[str]] = loop.create_future()
        thread = threading.Thread(target=self._run, args=[loop, answer, host, port], name="resolve", daemon=True)
        try:
            thread.start()
        except RuntimeError as problem:
            self._free.release()
            raise OSError("there is no thread left to look it up") from problem
        return await answer

    def _run(
        self, loop: asyncio.AbstractEventLoop, answer: asyncio.Future[Sequence[str]], host: str, port: int
    ) -> None:
        found: Sequence[str] | Exception
        try:
            found = self._look_up(host, port)
        except (OSError, UnicodeError) as problem:  # a label of more than 63 bytes is no OSError
            found = problem if isinstance(problem, OSError) else OSError(str(problem))
        with contextlib.suppress(RuntimeError):  # the loop has ended without waiting for this
            loop.call_soon_threadsafe(self._tell, answer, found)

    def _tell(self, answer: asyncio.Future[Sequence[str]], found: Sequence[str] | Exception) -> None:
        """Whoever asked may have given up; the thread was kept until now all the same."""
        self._free.release()
        if answer.done():
            return
        if isinstance(found, Exception):
            answer.set_exception(found)
        else:
            answer.set_result(found)
