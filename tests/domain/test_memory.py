"""The log in memory keeps the contract that PostgreSQL's does."""

import pytest

from tests.contracts.event_log import EventLogContract
from tests.domain.memory import MemoryLog

pytestmark = pytest.mark.anyio


class TestMemoryLog(EventLogContract):
    @pytest.fixture
    def log(self) -> MemoryLog:
        return MemoryLog()
