"""Names that hang hold up neither each other nor the end of the process."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import httpcore
import pytest
import uvloop

from adapters.activitypub import guard
from adapters.activitypub.guard import GuardedBackend, GuardPolicy
from adapters.activitypub.names import Names

Run = Callable[[Coroutine[Any, Any, None]], None]
HANGING_S = 1.0
LOOPS = pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])


def hang(host: str, port: int) -> Sequence[str]:
    time.sleep(HANGING_S)
    return [host]


@LOOPS
def test_names_that_hang_are_looked_up_side_by_side(run: Run) -> None:
    async def look_up() -> None:
        names = Names(hang)
        assert await asyncio.gather(*(names.resolve(str(n), 443) for n in range(8))) == [[str(n)] for n in range(8)]

    begun = time.monotonic()
    run(look_up())
    assert HANGING_S <= time.monotonic() - begun < 3 * HANGING_S  # one after the other, on two threads, takes four


@LOOPS
def test_the_guard_resolves_by_itself_also_names_that_the_system_hangs_on(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop's own getaddrinfo has two threads under uvloop: eight names took four times as long."""

    def getaddrinfo(host: str, port: int, **_: Any) -> Sequence[str]:
        return hang(host, port)[1:]

    monkeypatch.setattr("socket.getaddrinfo", getaddrinfo)

    async def dial() -> None:
        backend = GuardedBackend(GuardPolicy())
        dialled = (backend.connect_tcp(f"hangs{n}.test", 443) for n in range(8))
        answers = await asyncio.gather(*dialled, return_exceptions=True)
        assert {type(answer) for answer in answers} == {guard.AddressRefused}

    begun = time.monotonic()
    run(dial())
    assert HANGING_S <= time.monotonic() - begun < 3 * HANGING_S  # one after the other, on two threads, takes four


@LOOPS
def test_no_more_than_so_many_threads_look_up_and_one_is_had_back_though_nobody_waits(run: Run) -> None:
    let_go, looking, looks = threading.Event(), list[str](), threading.Semaphore(0)

    def look_up(host: str, port: int) -> Sequence[str]:
        looking.append(host)
        looks.release()
        assert let_go.wait(20)
        return [host]

    async def crowd() -> None:
        names = Names(look_up, most=2)
        gone = [asyncio.create_task(names.resolve(host, 443)) for host in "ab"]
        waits = asyncio.create_task(names.resolve("c", 443))
        for _ in gone:
            assert await asyncio.to_thread(looks.acquire, timeout=20)
        for one in gone:
            one.cancel()
        await asyncio.wait(gone)
        assert looking == ["a", "b"]
        let_go.set()
        assert await waits == ["c"]

    run(crowd())


@LOOPS
def test_a_name_that_does_not_exist_or_cannot_is_a_connection_that_fails(run: Run) -> None:
    def none(host: str, port: int) -> Sequence[str]:
        if host == "nowhere.test":
            raise OSError("unknown")
        raise UnicodeError("label too long")

    async def dial() -> None:
        backend = GuardedBackend(GuardPolicy(), Names(none).resolve)
        for host in ("nowhere.test", "x" * 70 + ".test"):
            with pytest.raises(httpcore.ConnectError):
                await backend.connect_tcp(host, 443)

    run(dial())


def test_a_name_that_hangs_does_not_hold_up_the_end_of_the_process() -> None:
    """Threads of an executor are waited for when the interpreter ends."""
    program = """
import asyncio, threading, uvloop
from adapters.activitypub.names import Names

async def give_up():
    try:
        await asyncio.wait_for(Names(lambda host, port: threading.Event().wait(60) and []).resolve("a", 443), 0.1)
    except TimeoutError:
        print("gave up", flush=True)

uvloop.run(give_up())
"""
    ended = subprocess.run([sys.executable, "-c", program], timeout=30, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "gave up\n")
