"""From a key's id to the key and the actor that it speaks for: memory, then the store, then the actor's own document.

A key is believed only when the actor's document, found at the actor's own id, lists it; id and actor share an origin
(FEP-fe34). Requests naming keys come from anybody, so every question is asked of a peer once for all that wait, few at
a time, and a failure is remembered for five minutes.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeVar

from adapters.activitypub.fetch import Fetcher
from adapters.activitypub.fetch_documents import FetchedDocument, FetchFailed, FetchGone, FetchRefused
from adapters.activitypub.remote_keys_documents import KeyClaim, claim_of, is_actor, keys_listed
from adapters.activitypub.signatures_keys import PublicKey, SignatureRefused, load_public_key
from adapters.activitypub.urls import origin_of, same_origin, without_fragment

KEYS_IN_MEMORY_MAX: Final = 4096
FAILURES_MAX: Final = 10_000
FETCHES_PER_HOST_MAX: Final = 8
KEY_FRESH_FOR: Final = timedelta(minutes=10)
FAILURE_FOR: Final = timedelta(minutes=5)
REFETCH_EVERY: Final = timedelta(minutes=5)

_Value = TypeVar("_Value")


class KeyProblem(Exception):
    """A key could not be had; `reason` says why in a sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class KeyUnavailable(KeyProblem):
    """The peer did not answer; asking again later may help. The inbox answers 503."""


class KeyRefused(KeyProblem):
    """There is no such key, or it is not the actor's, or none that we accept. The inbox answers 401."""


class ActorGone(KeyProblem):
    """The peer says 410: the key's actor has been deleted."""


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as the store keeps it: its id, its actor's id, and the PEM text as published."""

    key_id: str
    actor: str
    pem: str


class KeyStore(Protocol):
    """What keys and actors' documents are kept in. Contract: tests/contracts/key_store.py."""

    async def load(self, key_id: str) -> StoredKey | None:
        """The key of exactly that id, None when it is not known."""
        ...

    async def save(self, keys: Sequence[StoredKey], document: FetchedDocument) -> None:
        """Keep `document`, an actor's, and `keys`, all keys of that actor: those not among them are withdrawn.

        The document becomes a `document.fetched` event when its body differs from the last one of the same URL.
        """
        ...


class RemoteKeys:
    """Finds the keys of remote actors. One a process; `aclose` it before its Fetcher's transport."""

    def __init__(self, fetcher: Fetcher, store: KeyStore, *, clock: Callable[[], datetime]) -> None:
        self._fetcher = fetcher
        self._store = store
        self._clock = clock
        self._memory: OrderedDict[str, tuple[PublicKey, datetime]] = OrderedDict()
        self._failures: OrderedDict[str, tuple[KeyProblem, datetime]] = OrderedDict()
        self._refetched: OrderedDict[str, datetime] = OrderedDict()
        self._flights: dict[str, asyncio.Task[PublicKey]] = {}
        self._fetching: Counter[str] = Counter()

    async def known(self, key_id: str) -> PublicKey | None:
        """The key of that id, when nobody need be asked for it. Raises KeyRefused for one that we no longer accept."""
        held = self.held(key_id)
        if held is not None:
            return held
        stored = await self._store.load(key_id)
        return None if stored is None else self._remember(_loaded(stored))

    def held(self, key_id: str) -> PublicKey | None:
        """The key of that id, where not even the store need be asked for it; None says nothing else."""
        held = self._memory.get(key_id)
        if held is None or self._clock() >= held[1]:
            return None
        self._memory.move_to_end(key_id)
        return held[0]

    async def find(self, key_id: str) -> PublicKey:
        """The key of that id. Raises KeyUnavailable, KeyRefused and ActorGone."""
        known = await self.known(key_id)
        if known is not None:
            return known
        failure = self._failures.get(without_fragment(key_id))
        if failure is not None and self._clock() < failure[1]:
            raise type(failure[0])(failure[0].reason)
        return await self._fetched(key_id)

    async def refetch(self, failed: PublicKey) -> PublicKey | None:
        """The key that took the place of `failed`, which did not verify a signature; None when there is no other.

        Its actor is asked at most once in five minutes, whoever sends bad signatures. Raises as `find` does.
        """
        held = self._memory.get(failed.key_id)
        if held is not None and held[0].der != failed.der:
            return held[0]
        if failed.key_id not in self._flights:
            now = self._clock()
            last = self._refetched.get(failed.key_id)
            if last is not None and now < last + REFETCH_EVERY:
                return None
            _put(self._refetched, failed.key_id, now, KEYS_IN_MEMORY_MAX)
        found = await self._fetched(failed.key_id)
        return found if found.der != failed.der else None

    async def aclose(self) -> None:
        """Give up the fetches under way."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    async def _fetched(self, key_id: str) -> PublicKey:
        flight = self._flights.get(key_id)
        if flight is None:
            host = origin_of(key_id)
            if host is None:
                raise KeyRefused("The key's id is not an http(s) URL.")
            if self._fetching[host] >= FETCHES_PER_HOST_MAX:
                raise KeyUnavailable("Too many keys are being fetched from that host.")
            flight = asyncio.create_task(self._fetch(key_id))
            self._flights[key_id] = flight
            self._fetching[host] += 1
            flight.add_done_callback(lambda done: self._land(key_id, host, done))
        # Shielded: whoever asked first may hang up without taking the others' answer away.
        return await asyncio.shield(flight)

    def _land(self, key_id: str, host: str, flight: asyncio.Task[PublicKey]) -> None:
        del self._flights[key_id]
        self._fetching[host] -= 1
        if not self._fetching[host]:
            del self._fetching[host]
        problem = None if flight.cancelled() else flight.exception()
        if isinstance(problem, KeyProblem):
            until = self._clock() + FAILURE_FOR
            _put(self._failures, without_fragment(key_id), (problem, until), FAILURES_MAX)

    async def _fetch(self, key_id: str) -> PublicKey:
        try:
            claim, document = await self._claim(key_id)
        except FetchGone as problem:
            raise ActorGone(problem.reason) from None
        except FetchFailed as problem:
            raise KeyUnavailable(problem.reason) from None
        except FetchRefused as problem:
            raise KeyRefused(problem.reason) from None
        key = _loaded(StoredKey(key_id, claim.owner, claim.pem))
        await self._store.save(keys_to_store(document, {key_id: claim.pem}), document)
        for other in [each for each, (held, _) in self._memory.items() if held.actor == key.actor]:
            del self._memory[other]
        return self._remember(key)

    async def _claim(self, key_id: str) -> tuple[KeyClaim, FetchedDocument]:
        """What the actor's own document says about the key, and that document."""
        document = await self._fetcher.get_document(key_id)
        claim = claim_of(document.document, key_id)
        if claim is None:
            # What it does list is kept, or asking for keys that nobody has would hide a new one for five minutes.
            if is_actor(document.document) and (keys := keys_to_store(document)):
                await self._store.save(keys, document)
            raise KeyRefused("The document does not list that key.")
        if not same_origin(claim.owner, key_id):
            raise KeyRefused("The key and its owner are not of one origin.")
        if claim.owner != document.document["id"]:
            alone, document = claim, await self._fetcher.get_document(claim.owner)
            claim = claim_of(document.document, key_id)
            if claim is None or claim.owner != alone.owner or claim.pem.split() != alone.pem.split():
                raise KeyRefused("The key's owner does not list that key.")
        if claim.owner != document.document["id"] or not is_actor(document.document):
            raise KeyRefused("The key's owner is not the actor that lists it.")
        return claim, document

    def _remember(self, key: PublicKey) -> PublicKey:
        _put(self._memory, key.key_id, (key, self._clock() + KEY_FRESH_FOR), KEYS_IN_MEMORY_MAX)
        return key


def _loaded(stored: StoredKey) -> PublicKey:
    try:
        return load_public_key(stored.key_id, stored.actor, stored.pem)
    except SignatureRefused as problem:
        raise KeyRefused(problem.reason) from None


def keys_to_store(document: FetchedDocument, asked: Mapping[str, str] | None = None) -> list[StoredKey]:
    """All keys of an actor's document that we accept; `asked` adds the one by whose id it was asked for (id to PEM),
    which old PeerTubes shorten to the actor's own.
    """
    actor: str = document.document["id"]
    listed = {
        claim.key_id: claim.pem
        for claim in keys_listed(document.document)
        if claim.owner == actor and same_origin(claim.key_id, actor)
    }
    return [StoredKey(key_id, actor, pem) for key_id, pem in (listed | dict(asked or {})).items() if _loads(pem)]


def _loads(pem: str) -> bool:
    try:
        load_public_key("", "", pem)
    except SignatureRefused:
        return False
    return True


def _put(memory: OrderedDict[str, _Value], key: str, value: _Value, most: int) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > most:
        memory.popitem(last=False)
