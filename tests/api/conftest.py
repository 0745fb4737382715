"""Tests of the HTTP edge run on asyncio, as granian does."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """The one event loop that the server runs on."""
    return "asyncio"
