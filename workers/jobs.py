"""`daybook work`: does the jobs that PostgreSQL holds, several at once, few of a host.

Whoever asks for a job rings twice: by NOTIFY, and by a dramatiq message; and due ones are looked for anyway. To add a
kind of job, write a function that may run twice and name it in KINDS. What it raises is a reason to try again later,
but for Hopeless and what a peer refuses for good.
"""

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Final

from adapters.activitypub.fetch_documents import FetchError, FetchGone, FetchRefused
from adapters.bell import Listener
from adapters.config import Settings
from adapters.fetching import ANEW, FETCH, MENTIONED, PARENTS_MAX, THREAD, referred_to_by
from adapters.gathering import OUTBOX, said_before
from adapters.postgres import jobs
from adapters.postgres.jobs import TRIES_MAX, Job
from adapters.tasks import end
from adapters.unavailable import Unavailable
from adapters.vitals import JOBS
from adapters.wiring import Server
from domain.ports import Conflict, FactsBehind
from workers.lives import live, until
from workers.reactors.consequences import DECIDE, decide_later

HANDS_MAX: Final = 16
JOB_S_MAX: Final = 90.0
PUT_OFF_FOR: Final = timedelta(seconds=5)
EXTEND_EVERY_S: Final = 10.0
LOOK_EVERY_S: Final = 30.0
LOOK_AGAIN_S: Final = 0.5
_log = logging.getLogger("daybook.work")

Kind = Callable[[Server, Job], Awaitable[None]]


class Hopeless(Exception):
    """Trying again will not help: the job is done with, as it is."""


async def fetch(server: Server, job: Job) -> None:
    """Fetch the document that `subject` names, unless it is known; then ask for what it refers to.

    When it was begun before, also what is known: whoever fetched it may have ended before asking. What somebody's post
    mentions is an actor, and nothing is asked for because of it.
    """
    if job.payload.get("why") == MENTIONED:
        if not await server.documents.is_known(job.subject):
            await server.documents.fetch_actor(job.subject)
        return
    anew = job.attempts > 1 or job.payload.get("why") in ANEW
    if anew or not await server.documents.is_known(job.subject):
        found = await server.documents.fetch(job.subject, again=True)
        await server.jobs.ask(*referred_to_by(found.document))


async def thread(server: Server, job: Job) -> None:
    """Fetch the post that `subject` names and what it answers, upwards, until something is known.

    When it was begun before, past what is known: that may be where it ended.
    """
    whole = job.attempts > 1 or job.payload.get("whole", False)
    rest = await server.documents.climb(job.subject, job.payload.get("most", PARENTS_MAX), whole=whole)
    if rest is not None:
        await server.jobs.ask(rest)


async def outbox(server: Server, job: Job) -> None:
    """Ask for what the actor that `subject` names has said before, and features."""
    await server.jobs.ask(*await said_before(server.documents, job.subject))


KINDS: Final[Mapping[str, Kind]] = {
    FETCH: fetch,
    THREAD: thread,
    OUTBOX: outbox,
    DECIDE: decide_later,
}


def work(settings: Settings, stopping: threading.Event) -> None:
    """Do jobs until `stopping` is set. Raises SettingsError."""
    live(settings, stopping, lambda server, stopped: Hands(server).work(stopped))


class Hands:
    """Takes jobs and does them; `wake` says that there may be some."""

    def __init__(self, server: Server, kinds: Mapping[str, Kind] = KINDS) -> None:
        self._server = server
        self._kinds = kinds
        self._doing: dict[int, asyncio.Task[None]] = {}
        self._lanes: Counter[str] = Counter()
        self._woken = asyncio.Event()

    async def work(self, stopped: asyncio.Event) -> None:
        """Do jobs until told to stop; what is under way then is left to whoever comes next."""
        loop, settings = asyncio.get_running_loop(), self._server.settings
        assert settings.database_app_url is not None and settings.redis_url is not None, "settings are attached"
        listener = Listener(settings.redis_url, lambda _: loop.call_soon_threadsafe(self._woken.set))
        listener.start()
        listening = asyncio.create_task(jobs.listen(settings.database_app_url, self._woken.set), name="listen for jobs")
        extending = asyncio.create_task(self._extend(), name="extend leases")
        stopping = asyncio.create_task(self._stop(stopped), name="stop doing jobs")
        try:
            while not stopped.is_set():
                wait_s = await self._take()
                await until(self._woken, wait_s)
                self._woken.clear()
        finally:
            await end(listening, extending, stopping, *self._doing.values())
            await asyncio.to_thread(listener.stop)

    async def _stop(self, stopped: asyncio.Event) -> None:
        await stopped.wait()
        self._woken.set()

    async def _extend(self) -> None:
        """Keep what is under way ours; should that fail, somebody else may do it as well."""
        while True:
            await asyncio.sleep(EXTEND_EVERY_S)
            with suppress(Unavailable):
                await self._server.jobs.extend(self._doing)

    async def _take(self) -> float:
        """Begin what is due, as far as there are hands; gives how many seconds to wait before looking again."""
        free = HANDS_MAX - len(self._doing)
        if not free:
            return LOOK_EVERY_S
        try:
            taken = await self._server.jobs.take(free, self._kinds, self._lanes)
            for job in taken:
                self._begin(job)
            due_in_s = await self._server.jobs.next_in_s(self._kinds)
        except Unavailable as error:
            _log.warning("no jobs can be taken: %s", error)
            return LOOK_AGAIN_S
        if taken and len(taken) == free:
            return 0.0
        return LOOK_EVERY_S if due_in_s is None else min(max(due_in_s, LOOK_AGAIN_S), LOOK_EVERY_S)

    def _begin(self, job: Job) -> None:
        task = asyncio.create_task(self._do(job), name=f"{job.kind} job")
        self._doing[job.id] = task
        self._lanes[job.lane] += 1
        task.add_done_callback(lambda done: self._ended(job, done))

    def _ended(self, job: Job, task: asyncio.Task[None]) -> None:
        if self._doing.get(job.id) is task:
            del self._doing[job.id]
        self._lanes[job.lane] -= 1
        if not self._lanes[job.lane]:
            del self._lanes[job.lane]
        self._woken.set()

    async def _do(self, job: Job) -> None:
        queue = self._server.jobs
        try:
            # Tries are counted when a job is taken: one that was begun so often and never settled is not begun again.
            killing = job.attempts > TRIES_MAX
            problem = "its process ended each time" if killing else await self._problem_with(job)
            await (queue.done(job) if problem is None else queue.failed(job, problem))
            outcome = "done" if problem is None else "failed" if job.attempts < TRIES_MAX else "given_up"
            self._server.tally.count(JOBS, job.kind, outcome)
        except (FactsBehind, Conflict) as error:
            # Nothing failed: however often it is too early, it is not given up.
            _log.info("job %d (%s) is put off: %s", job.id, job.kind, error)
            await queue.put_off(job, PUT_OFF_FOR)
        except Unavailable as error:
            # Its lease runs out, and it is done again.
            _log.warning("job %d (%s) can't be settled: %s", job.id, job.kind, error)

    async def _problem_with(self, job: Job) -> str | None:
        """Do it; gives why it has to be tried again, None when it is done with."""
        try:
            async with asyncio.timeout(JOB_S_MAX):
                await self._kinds[job.kind](self._server, job)
        except (FetchRefused, FetchGone, Hopeless) as error:
            _log.info("%s of %s comes to nothing: %s", job.kind, job.subject, error)
        except (FactsBehind, Conflict):
            raise
        except (FetchError, Unavailable, TimeoutError) as error:
            return f"{type(error).__name__}: {error}"
        except Exception as error:  # noqa: BLE001 - whatever a job does, the others are done
            _log.exception("%s of %s failed (try %d)", job.kind, job.subject, job.attempts)
            return f"{type(error).__name__}: {error}"
        return None
