"""Documents from elsewhere, fetched because something refers to them, into the log: a post after its author.

What they mean is interpretation's. Every URL is asked once for all that wait, few at a time of a host, and what went
wrong is remembered for five minutes; how far references are followed is bounded (federation §14.1, security N13-N16).
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from weakref import WeakValueDictionary

from adapters.activitypub.actors import ACTOR_TYPES
from adapters.activitypub.fetch import FetchedPage, Fetcher
from adapters.activitypub.fetch_documents import FetchedDocument, FetchError, FetchFailed, FetchRefused
from adapters.activitypub.notes import parent_of
from adapters.activitypub.remote_keys import KeyStore, keys_to_store
from adapters.activitypub.remote_keys_documents import is_actor
from adapters.activitypub.shapes import Json, many, objects, reference, type_of, usable
from adapters.activitypub.urls import origin_of, same_origin
from adapters.postgres.jobs import Asked
from adapters.postgres.reads import Reads
from projections.known import meant_by

FAILURE_FOR: Final = timedelta(minutes=5)
FAILURES_MAX: Final = 10_000
STALE_AFTER: Final = timedelta(days=1)
FETCHES_PER_HOST_MAX: Final = 4
PARENTS_MAX: Final = 50
CLIMB_MAX: Final = timedelta(seconds=45)
MENTIONED_MAX: Final = 20

FETCH: Final = "fetch"
THREAD: Final = "thread"
_CREATE: Final = frozenset({"Create"})
# Why something is fetched although it is known: it may have changed.
ANEW: Final = frozenset({"refetch", "move target"})
# Why something is fetched that may be nothing but an actor, and so refers to nothing further: or what one post names
# would be posts that name others, and so on for ever.
MENTIONED: Final = "mentioned"

Knows = Callable[[str], Awaitable[bool]]


class DocumentStore(KeyStore, Protocol):
    """Where documents are kept, with the keys of actors."""

    async def keep(self, uri: str, body: bytes, content_type: str, fetched_at: datetime) -> None:
        """Append what `uri` was answered with, when it differs from the last. Raises Unavailable."""
        ...

    async def fetched_at(self, actor: str) -> datetime | None:
        """When an actor's document was fetched last, None when it never was. Raises Unavailable."""
        ...

    async def has(self, uri: str) -> bool:
        """Whether a document of that URI was ever kept. Raises Unavailable."""
        ...


class Known:
    """Whether a URI is known here: it means something, or its document was kept, whatever came of that."""

    def __init__(self, reads: Reads, store: DocumentStore) -> None:
        self._reads = reads
        self._store = store

    async def knows(self, uri: str) -> bool:
        """Raises Unavailable."""
        return await self._store.has(uri) or await self._reads.view().row(meant_by(uri)) is not None


class Documents:
    """Fetches and keeps documents. One a process. `knows` says of a URI whether it means something here already."""

    def __init__(
        self,
        fetcher: Fetcher,
        store: DocumentStore,
        knows: Knows,
        *,
        own_origin: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._fetcher = fetcher
        self._store = store
        self._knows = knows
        self._own = origin_of(own_origin)
        self._clock = clock
        self._failures: OrderedDict[str, tuple[FetchError, datetime]] = OrderedDict()
        # Apart, or posts that name each other as their authors would wait for each other.
        self._flights = _Flights()
        self._authors = _Flights()
        self._actors = _Flights()
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._keeping: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def fetch(self, uri: str, *, again: bool = False) -> FetchedDocument:
        """Fetch what `uri` names and append it, with its author before it when they are not known yet.

        `again` asks even when that failed a short while ago. Raises FetchRefused, FetchGone, FetchFailed, Unavailable.
        """
        failure = self._failures.get(uri)
        if failure is not None and not again and self._clock() < failure[1]:
            raise type(failure[0])(failure[0].reason)
        return await self._flights.join(uri, self._noting_failure)

    async def fetch_actor(self, uri: str) -> FetchedDocument:
        """Fetch what `uri` names and append it if it is an actor, else raise FetchRefused; otherwise as `fetch`."""
        return await self._actors.join(uri, self._fetch_actor)

    async def look(self, uri: str) -> FetchedDocument:
        """Fetch what `uri` names without keeping it. Raises FetchRefused, FetchGone, FetchFailed."""
        return await self._get(uri)

    async def is_known(self, uri: str) -> bool:
        """Whether there is nothing to fetch: it means something here already, or is our own to say."""
        return self._is_ours(uri) or await self._knows(uri)

    async def is_stale(self, actor: str) -> bool:
        """Whether an actor elsewhere may have changed without our hearing of it: fetched a day ago, or never."""
        if self._is_ours(actor):
            return False
        fetched_at = await self._store.fetched_at(actor)
        return fetched_at is None or fetched_at < self._clock() - STALE_AFTER

    async def climb(self, uri: str, most: int = PARENTS_MAX, *, whole: bool = False) -> Asked | None:
        """Fetch `uri` and what it answers, upwards, one after the other, until something is known; at most so many.

        With `whole` what is known does not end it: whoever climbed here before may have ended on the way. Gives the job
        to go on by when it took too long, or when a peer did not answer on the way. Raises as `fetch`.
        """
        begun, seen = self._clock(), set[str]()
        above: str | None = uri
        while above is not None and len(seen) < most and above not in seen:
            if self._is_ours(above) or (not whole and await self.is_known(above)):
                break
            if self._clock() - begun > CLIMB_MAX:
                return thread_job(above, most - len(seen), whole=whole)
            seen.add(above)
            try:
                above = parent_of((await self.fetch(above, again=len(seen) == 1)).document)
            except FetchFailed:
                if len(seen) == 1:
                    raise
                # Asked for by a job of its own: what is known by now would end the same one at once.
                return thread_job(above, most - len(seen), whole=whole)
        return None

    async def keep_page(self, page: FetchedPage) -> None:
        """Append a page under the URL that was asked. Raises Unavailable."""
        await self._store.keep(page.url, page.body, page.content_type, page.fetched_at)

    async def aclose(self) -> None:
        """Give up the fetches under way."""
        await self._flights.aclose()
        await self._authors.aclose()
        await self._actors.aclose()

    def _is_ours(self, uri: str) -> bool:
        """Whether nobody elsewhere can be asked for it."""
        return origin_of(uri) in (self._own, None)

    async def _noting_failure(self, uri: str) -> FetchedDocument:
        try:
            found = await self._fetch(uri)
        except FetchError as problem:
            self._failures[uri] = problem, self._clock() + FAILURE_FOR
            self._failures.move_to_end(uri)
            if len(self._failures) > FAILURES_MAX:
                self._failures.popitem(last=False)
            raise
        self._failures.pop(uri, None)
        return found

    async def _fetch(self, uri: str) -> FetchedDocument:
        found = await self._get(uri)
        if type_of(found.document, _CREATE) in _CREATE:
            found = await self._published_by(found)
        if is_actor(found.document):
            await self._keep(found)
            return found
        author = _author_of(found.document)
        if author is not None:
            if not same_origin(author, found.final_url):
                raise FetchRefused("The document is attributed to somebody of another origin.")
            if not await self._knows(author):
                await self._authors.join(author, self._fetch_author)
        await self._keep(found)
        return found

    async def _published_by(self, create: FetchedDocument) -> FetchedDocument:
        """The post that an activity publishes, from its own URL: what means something is the post."""
        post = reference(create.document.get("object"))
        if post is None or not same_origin(post, create.final_url):
            raise FetchRefused("The activity publishes nothing of its own origin.")
        return await self._get(post)

    async def _fetch_actor(self, uri: str) -> FetchedDocument:
        found = await self._get(uri)
        if not is_actor(found.document):
            raise FetchRefused("What should be an actor is none.")
        await self._keep(found)
        return found

    async def _fetch_author(self, uri: str) -> FetchedDocument:
        author = await self._get(uri)
        if not is_actor(author.document) or author.document["id"] != uri:
            raise FetchRefused("The document's author is no actor of that id.")
        await self._keep(author)
        return author

    async def _keep(self, found: FetchedDocument) -> None:
        """One at a time of a URI: whether it differs from the last is seen before it is appended."""
        lock = self._keeping.get(found.final_url)
        if lock is None:
            lock = self._keeping[found.final_url] = asyncio.Lock()
        async with lock:
            if is_actor(found.document):
                await self._store.save(keys_to_store(found), found)
            else:
                await self._store.keep(found.final_url, found.body, found.content_type, found.fetched_at)

    async def _get(self, uri: str) -> FetchedDocument:
        host = origin_of(uri) or ""
        turns = self._turns.get(host)
        if turns is None:
            turns = self._turns[host] = asyncio.Semaphore(FETCHES_PER_HOST_MAX)
        async with turns:
            return await self._fetcher.get_document(uri)


class _Flights:
    """What is being fetched, each URI once for all who ask."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[FetchedDocument]] = {}

    async def join(self, uri: str, fetch: Callable[[str], Coroutine[Any, Any, FetchedDocument]]) -> FetchedDocument:
        flight = self._tasks.get(uri)
        if flight is None:
            flight = self._tasks[uri] = asyncio.create_task(fetch(uri), name="fetch a document")
            flight.add_done_callback(lambda done: self._land(uri, done))
        # Shielded: whoever asked first may hang up without taking the others' answer away.
        return await asyncio.shield(flight)

    async def aclose(self) -> None:
        flights = list(self._tasks.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    def _land(self, uri: str, flight: asyncio.Task[FetchedDocument]) -> None:
        del self._tasks[uri]
        if not flight.cancelled():
            flight.exception()  # seen, also when everybody who asked has hung up


def fetch_job(uri: str, why: str) -> Asked:
    """The job that fetches `uri`; `why` is for people, but for MENTIONED and those of ANEW."""
    return Asked(FETCH, uri, {"why": why}, lane=_host(uri))


def thread_job(uri: str, most: int = PARENTS_MAX, *, whole: bool = False) -> Asked:
    """The job that fetches `uri` and what it answers, upwards, until something is known; so many posts at most.

    With `whole` what is known does not end it.
    """
    return Asked(THREAD, uri, {"most": most, "whole": whole}, lane=_host(uri))


def referred_to_by(document: Json) -> Sequence[Asked]:
    """The jobs for what a post refers to: what it answers, and those whom it mentions, twenty at most.

    None of these asks for what its documents refer to: so far the references of one post are followed, and no further.
    """
    if is_actor(document):
        return []
    mentions = [tag for tag in objects(document.get("tag")) if type_of(tag, frozenset({"Mention"})) == "Mention"]
    named = dict.fromkeys(uri for tag in mentions if (uri := reference(tag.get("href"))) is not None and usable(uri))
    asked = [fetch_job(uri, MENTIONED) for uri in list(named)[:MENTIONED_MAX]]
    parent = parent_of(document)
    return asked if parent is None else [thread_job(parent), *asked]


def _host(uri: str) -> str:
    return (origin_of(uri) or "").partition("://")[2]


def _author_of(document: Json) -> str | None:
    """Whose it says it is: the first person of several (PeerTube names account and channel), else the first."""
    authors = many(document.get("attributedTo"))
    person = next((author for author in objects(authors) if type_of(author, ACTOR_TYPES) == "Person"), None)
    return reference(person or authors)
