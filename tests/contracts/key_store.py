"""What every KeyStore must do, and the one in memory.

A test of an adapter subclasses `KeyStoreContract` and gives it a fixture `key_store`, a KeyStore that is empty, and a
fixture `fetched_bodies`, a function from a document's URL to the bodies that were kept of it, oldest first.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import pytest

from adapters.activitypub.fetch_documents import FetchedDocument
from adapters.activitypub.remote_keys import KeyStore, StoredKey

FetchedBodies = Callable[[str], Awaitable[list[bytes]]]

ANN = "https://good.test/u/ann"
BEA = "https://good.test/u/bea"


def actor_document(actor: str, body: bytes = b"{}") -> FetchedDocument:
    """An actor's document as the fetcher gives it, with any body."""
    fetched_at = datetime(2026, 10, 14, 19, 6, 5, tzinfo=UTC)
    return FetchedDocument(actor, actor, body, {"id": actor}, "application/activity+json", fetched_at)


class MemoryKeyStore:
    """A KeyStore that forgets when the process ends."""

    def __init__(self) -> None:
        self.keys: dict[str, StoredKey] = {}
        self.bodies: dict[str, list[bytes]] = {}

    async def load(self, key_id: str) -> StoredKey | None:
        return self.keys.get(key_id)

    async def save(self, keys: Sequence[StoredKey], document: FetchedDocument) -> None:
        actors = {key.actor for key in keys}
        kept = {key_id: key for key_id, key in self.keys.items() if key.actor not in actors}
        self.keys = kept | {key.key_id: key for key in keys}
        bodies = self.bodies.setdefault(document.final_url, [])
        if not bodies or bodies[-1] != document.body:
            bodies.append(document.body)


@pytest.mark.anyio
class KeyStoreContract:
    """The contract of `adapters.activitypub.remote_keys.KeyStore`."""

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    async def test_an_unknown_key_is_none(self, key_store: KeyStore) -> None:
        assert await key_store.load(f"{ANN}#main-key") is None

    async def test_a_saved_key_is_found_by_exactly_its_id(self, key_store: KeyStore) -> None:
        key = StoredKey(f"{ANN}#main-key", ANN, "PEM\r\n")
        await key_store.save([key], actor_document(ANN))
        assert await key_store.load(key.key_id) == key
        assert await key_store.load(ANN) is None
        assert await key_store.load(f"{ANN}#MAIN-key") is None

    async def test_a_key_that_the_actor_no_longer_lists_is_withdrawn(self, key_store: KeyStore) -> None:
        old, new = StoredKey(f"{ANN}#1", ANN, "one"), StoredKey(f"{ANN}#2", ANN, "two")
        other = StoredKey(f"{BEA}#1", BEA, "bea")
        await key_store.save([old], actor_document(ANN))
        await key_store.save([other], actor_document(BEA))
        await key_store.save([new], actor_document(ANN, b'{"keys":2}'))
        assert [await key_store.load(key.key_id) for key in (old, new, other)] == [None, new, other]

    async def test_a_key_of_the_same_id_is_replaced(self, key_store: KeyStore) -> None:
        await key_store.save([StoredKey(f"{ANN}#1", ANN, "one")], actor_document(ANN))
        rotated = StoredKey(f"{ANN}#1", ANN, "two")
        await key_store.save([rotated], actor_document(ANN, b'{"rotated":true}'))
        assert await key_store.load(rotated.key_id) == rotated

    async def test_a_document_is_kept_again_only_when_it_differs_from_the_last(
        self, key_store: KeyStore, fetched_bodies: FetchedBodies
    ) -> None:
        key = StoredKey(f"{ANN}#1", ANN, "one")
        for body in (b"a", b"a", b"b", b"a"):
            await key_store.save([key], actor_document(ANN, body))
        assert await fetched_bodies(ANN) == [b"a", b"b", b"a"]
