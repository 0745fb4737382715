"""What this process counts, for Prometheus. What PostgreSQL and Redis know is asked of them (`metrics_shared.py`).

No label has values that others make up: routes are templates, hosts and paths are none. A registry belongs to whoever
made it; the library's own global one is not used.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

# Targets are 20 ms for a page and 2 s for a read that waits for what was written before.
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The counters of a process that answers requests. Safe to use from any thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._requests = Counter(
            "daybook_http_requests",
            "Requests answered, by method, route template and status (499: the client went away).",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "daybook_http_request_duration_seconds",
            "How long answering took, by method and route template.",
            ["method", "route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._received = Counter(
            "daybook_inbox_activities",
            "Activities that were signed validly, by what became of them at the door.",
            ["outcome"],
            registry=self.registry,
        )
        self._refused = Counter(
            "daybook_inbox_refused", "Refused at the door, by reason.", ["reason"], registry=self.registry
        )
        # Looking a child up by its labels costs more than counting.
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def seen(self, method: str, route: str, status: int, seconds: float, _: str) -> None:
        """One request that was answered; `route` is a template."""
        key = method, route, status
        if (children := self._children.get(key)) is None:
            children = self._requests.labels(method, route, str(status)), self._seconds.labels(method, route)
            self._children[key] = children
        count, duration = children
        count.inc()
        duration.observe(seconds)

    def received(self, outcome: str) -> None:
        """One activity that was proven: stored, repeated, replayed, …"""
        self._received.labels(outcome).inc()

    def refused(self, reason: str) -> None:
        """One request that the inbox refused."""
        self._refused.labels(reason).inc()
