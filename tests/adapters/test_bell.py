"""The bell wakes whoever listens, and nobody is the worse for it when Redis is away."""

import asyncio
import queue

import pytest
import redis

from adapters.bell import Bell, Listener
from adapters.embedded.valkey import EmbeddedValkey

TIMEOUT_S = 20.0


def test_who_listens_hears_what_was_rung_before_and_after(valkey_server: EmbeddedValkey) -> None:
    heard: queue.Queue[int] = queue.Queue()
    bell, listener = Bell(valkey_server.url), Listener(valkey_server.url, heard.put)
    asyncio.run(bell.ring([1, 2]))
    listener.start()
    try:
        assert {heard.get(timeout=TIMEOUT_S) for _ in range(2)} == {1, 2}
        asyncio.run(bell.ring([3]))
        assert heard.get(timeout=TIMEOUT_S) == 3
    finally:
        listener.stop()
        bell.close()


def test_it_keeps_out_of_the_database_that_everything_else_is_in(valkey_server: EmbeddedValkey) -> None:
    bell = Bell(valkey_server.url)
    with redis.Redis.from_url(valkey_server.url) as client:
        before = client.keys("*jobs*")
        asyncio.run(bell.ring([1]))
        assert client.keys("*jobs*") == before
    bell.close()


def test_ringing_without_redis_is_only_logged(caplog: pytest.LogCaptureFixture) -> None:
    bell = Bell("redis://127.0.0.1:1")
    asyncio.run(bell.ring([1]))
    assert "nobody is woken" in caplog.text
    bell.close()
