"""What somebody typed or pasted, a handle or a URL, looked for elsewhere: into the log, for reads to find by URI."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from adapters.activitypub.fetch_documents import FetchedDocument, FetchError, FetchRefused
from adapters.activitypub.remote_keys_documents import is_actor
from adapters.activitypub.urls import origin_of, without_fragment
from adapters.activitypub.webfinger import Handle, WebFinger, handle_in, handle_of
from adapters.bell import Bell
from adapters.fetching import Documents, fetch_job, referred_to_by
from adapters.postgres.jobs import JobQueue
from adapters.tasks import end

RESOLVE_S_MAX: Final = 10.0
MEET_S_MAX: Final = 5.0
MET_MAX: Final = 10
LOOK_EVERY: Final = timedelta(hours=1)
LOOKED_AT_MAX: Final = 10_000
_log = logging.getLogger("daybook.resolve")


class Resolver:
    """Resolves what is not known here. One a process."""

    def __init__(
        self,
        documents: Documents,
        webfinger: WebFinger,
        jobs: JobQueue,
        bell: Bell,
        *,
        own_origin: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._documents = documents
        self._webfinger = webfinger
        self._jobs = jobs
        self._bell = bell
        self._own = origin_of(own_origin)
        self._clock = clock
        self._looked_at: OrderedDict[str, datetime] = OrderedDict()

    async def resolve(self, written: str) -> str | None:
        """The URI of the actor or post that a handle or a URL means, once it stands in the log with its author.

        None when there is nothing, when nobody answers within ten seconds, and for what is ours. What a post answers
        and whom it mentions follows by jobs. Raises Unavailable.
        """
        handle = handle_in(written)
        try:
            async with asyncio.timeout(RESOLVE_S_MAX):
                if handle is not None:
                    return await self._actor_of(handle)
                return await self._document_at(written.strip())
        except (FetchError, TimeoutError) as problem:
            _log.info("%r is not found: %s", written, problem or "nobody answers")
            return None

    async def meet(self, handles: Sequence[str]) -> dict[str, str]:
        """The actors' URIs of those of these handles (the first ten) that are found within five seconds."""
        tasks = {
            handle: asyncio.create_task(self.resolve(handle), name="meet somebody") for handle in handles[:MET_MAX]
        }
        if not tasks:
            return {}
        done, late = await asyncio.wait(tasks.values(), timeout=MEET_S_MAX)
        await end(*late)
        answered = {handle: task for handle, task in tasks.items() if task in done and task.exception() is None}
        return {handle: uri for handle, task in answered.items() if (uri := task.result()) is not None}

    async def refresh(self, actor: str) -> None:
        """Have an actor that somebody looks at fetched anew behind, if that was done a day ago or never.

        Looked into once an hour. Raises Unavailable.
        """
        now = self._clock()
        last = self._looked_at.get(actor)
        if last is not None and now < last + LOOK_EVERY:
            return
        self._looked_at[actor] = now
        self._looked_at.move_to_end(actor)
        if len(self._looked_at) > LOOKED_AT_MAX:
            self._looked_at.popitem(last=False)
        if await self._documents.is_stale(actor):
            await self._bell.ring(await self._jobs.ask(fetch_job(actor, "refetch")))

    async def _actor_of(self, handle: Handle) -> str | None:
        if self._own is not None and handle.host == self._own.partition("://")[2]:
            return None
        binding = await self._webfinger.find(handle)
        found = await self._documents.fetch(binding.actor)
        if found.document["id"] != binding.actor or not is_actor(found.document):
            raise FetchRefused("What WebFinger names is no actor of that id.")
        if origin_of(binding.actor) != origin_of(binding.pages[-1].url):
            with suppress(FetchError):  # then it is called by its own host's name, as without proof
                await self._keep_proof(found)
        return binding.actor

    async def _keep_proof(self, found: FetchedDocument) -> None:
        """Append what proves a handle on another host than the actor's, which a replay could not ask for: starting from
        the actor, so that a host can't lend its name to somebody else's actor.
        """
        actor: str = found.document["id"]
        handle = handle_of(found.document, actor)
        if handle is None:
            return
        proof = await self._webfinger.find(handle)
        if proof.actor == actor:
            for page in proof.pages:
                await self._documents.keep_page(page)

    async def _document_at(self, url: str) -> str | None:
        if origin_of(url) in (None, self._own):
            return None
        found = await self._documents.fetch(without_fragment(url))
        await self._bell.ring(await self._jobs.ask(*referred_to_by(found.document)))
        uri: str = found.document["id"]
        return uri
