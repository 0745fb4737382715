"""An instance that was stopped is gone: many of them run one after the other in one process here, and one at a time."""

import asyncio
import threading
from pathlib import Path

import pytest

from adapters.embedded.valkey import EmbeddedValkey
from tests.api.mastodon.world import running_world
from tests.database import Database

pytestmark = pytest.mark.anyio


async def test_an_instance_that_was_stopped_leaves_neither_thread_nor_task_behind(
    database: Database, valkey_server: EmbeddedValkey, tmp_path: Path
) -> None:
    threads, tasks = set(threading.enumerate()), asyncio.all_tasks()
    async with running_world(database, valkey_server.url, tmp_path) as world:
        alice = await world.person("alice")
        await alice.post("hello")
        assert await alice.home()
        assert set(threading.enumerate()) > threads and asyncio.all_tasks() > tasks
    # What the loop itself runs in threads ends with the loop.
    left = {thread for thread in threading.enumerate() if not thread.name.startswith("asyncio_")}
    assert (left - threads, asyncio.all_tasks() - tasks) == (set(), set())
