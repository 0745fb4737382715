"""The key store in memory keeps the contract that the one on PostgreSQL keeps."""

import pytest

from tests.contracts.key_store import FetchedBodies, KeyStoreContract, MemoryKeyStore


class TestMemoryKeyStore(KeyStoreContract):
    @pytest.fixture
    def key_store(self) -> MemoryKeyStore:
        return MemoryKeyStore()

    @pytest.fixture
    def fetched_bodies(self, key_store: MemoryKeyStore) -> FetchedBodies:
        async def bodies(url: str) -> list[bytes]:
            return key_store.bodies.get(url, [])

        return bodies
