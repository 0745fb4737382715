"""What an instance says of itself while it runs: counters of this process, counts of all, and its condition."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import Final

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from adapters.condition.disk import Room
from adapters.condition.finding import RANK, Finding
from adapters.condition.measured import Measured
from adapters.condition.reading import PROJECTOR, REACTOR, Reacting, Reading
from adapters.condition.ready import Ready
from adapters.condition.sampled import Sampled
from adapters.condition.sending import DELIVERER, Sending
from adapters.condition.working import SCHEDULE, WORKER, Working
from adapters.metrics import Metrics
from adapters.pages import Pages
from adapters.tally import Name, Tally

DELIVERIES, JOBS = "deliveries", "jobs"
# What the processes behind count: the metric of each, what it says, and its labels.
TALLIED: Final[Mapping[str, tuple[str, str, tuple[str, ...]]]] = {
    DELIVERIES: ("daybook_deliveries", "Attempts to deliver, by what became of them.", ("outcome",)),
    JOBS: ("daybook_jobs", "Jobs that were done, failed, or were given up, by kind.", ("kind", "outcome")),
}


class Vitals:
    """`metrics` and `pages` are this process's own; the rest is the same whichever process is asked."""

    def __init__(self, metrics: Metrics, pages: Pages, sampled: Sampled, tally: Tally, ready: Ready) -> None:
        self.metrics = metrics
        self._pages = pages
        self.sampled = sampled
        self.tally = tally
        self.ready = ready

    async def exposition(self, accept: str) -> tuple[bytes, str]:
        """All of it in the form that `accept` asks for (Prometheus text or OpenMetrics), and its media type."""
        measured, room = await self.sampled.measured(), await self.sampled.room()
        findings, counts = await self.sampled.findings(), await self.tally.read()
        families = [
            *_about(measured, findings),
            *(() if measured is None else _measured(measured)),
            *_storage(measured, room),
            *_tallied(counts or {}),
            _kept(self._pages),
        ]
        registry = CollectorRegistry()
        registry.register(_Given(families))
        registry.register(_Of(self.metrics.registry))
        encode, media_type = choose_encoder(accept)
        # Some thousand lines: requests are answered meanwhile.
        return await asyncio.to_thread(encode, registry), media_type


class _Given(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


class _Of(Collector):
    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterable[Metric]:
        for metric in self._registry.collect():
            # When each series began: as many lines again, and of no use to anybody here.
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


def _gauge(name: str, says: str, value: float | None) -> Iterator[Metric]:
    """One value; nothing where there is none to tell."""
    if value is not None:
        yield GaugeMetricFamily(f"daybook_{name}", says, value=value)


def _gauges(name: str, says: str, label: str, values: Mapping[str, float]) -> Iterator[Metric]:
    family = GaugeMetricFamily(f"daybook_{name}", says, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    yield family


def _about(measured: Measured | None, findings: Iterable[Finding]) -> Iterator[Metric]:
    yield from _gauges("info", "The version that runs here.", "version", {version("daybook"): 1})
    yield from _gauge("database_up", "Whether PostgreSQL answers.", float(measured is not None))
    says = "What `daybook doctor` would say: 0 well, 1 to look at, 2 wrong."
    yield from _gauges("condition", says, "check", {one.check: RANK[one.state] for one in findings})


def _measured(measured: Measured) -> Iterator[Metric]:
    if (reading := measured.reading) is not None:
        yield from _reading(reading)
    if (reacting := measured.reacting) is not None:
        yield from _reacting(reacting)
    if (sending := measured.sending) is not None:
        yield from _sending(sending)
    if (working := measured.working) is not None:
        yield from _working(working)
    yield from _gauge("backup_age_seconds", "Since `daybook backup` made one.", measured.backup_ago_s)
    running = {
        PROJECTOR: measured.reading.projectors if measured.reading else 0,
        REACTOR: measured.reacting.reactors if measured.reacting else 0,
        DELIVERER: measured.sending.deliverers if measured.sending else 0,
        WORKER: measured.working.workers if measured.working else 0,
        SCHEDULE: measured.working.keepers if measured.working else 0,
    }
    says = "Whether anybody does this part of the work."
    parts = {name.removeprefix("daybook "): float(count > 0) for name, count in running.items()}
    yield from _gauges("part_running", says, "part", parts)


def _reading(found: Reading) -> Iterator[Metric]:
    yield CounterMetricFamily("daybook_log_events", "Events in the log.", value=found.head)
    yield from _gauge("generation_live", "Whether read models made by this code are live.", float(found.ours))
    yield from _gauge("projection_lag_events", "Events in the log that can't be read yet.", found.behind)
    says = "Events that wait for something, and that this code fails on."
    yield from _gauges("parked_events", says, "why", {"waiting": found.waiting, "poison": found.poisoned})


def _reacting(found: Reacting) -> Iterator[Metric]:
    yield from _gauge("reactor_lag_events", "Events projected that are not acted upon yet.", found.behind)
    yield from _gauge("reactor_failures", "Facts that could not be acted upon, ever.", found.failures)


def _sending(found: Sending) -> Iterator[Metric]:
    fresh = found.backlog - found.retried
    says = "Deliveries left, those never tried and those tried before; counted up to a million."
    yield from _gauges("deliveries_waiting", says, "state", {"fresh": fresh, "retried": found.retried})
    yield from _gauge("deliveries_oldest_seconds", "The age of the oldest delivery left.", found.oldest_s or 0)
    says = "Hosts that could not be reached last time, and those given up."
    yield from _gauges("hosts_unreachable", says, "state", {"failing": found.late_hosts, "dead": found.dead_hosts})


def _working(found: Working) -> Iterator[Metric]:
    says = "Jobs open, those of them that failed before, and those given up within a week."
    states = {"open": found.open, "failing": found.failing, "given_up": found.given_up}
    yield from _gauges("jobs_waiting", says, "state", states)
    yield from _gauge("jobs_late_seconds", "For how long a job is due that nobody does.", max(0, found.late_s or 0))
    late = sum(run.is_late for run in found.runs)
    yield from _gauge("schedule_late", "Things of the schedule that should have been begun.", late)


def _storage(measured: Measured | None, room: Room | None) -> Iterator[Metric]:
    parts: dict[str, float] = {}
    if measured is not None and measured.used is not None:
        parts |= {name.replace(" ", "_"): size for name, size in measured.used.parts.items()}
    if room is not None:
        parts["media"] = room.media
        yield from _gauge("disk_free_bytes", "Free where the data folder is.", room.free)
        yield from _gauge("disk_size_bytes", "The size of the disk that the data folder is on.", room.total)
    yield from _gauges("storage_bytes", "What takes room, in the database and beside it.", "what", parts)


def _kept(pages: Pages) -> Metric:
    says = "Requests that a kept page may answer, by whether one did."
    family = CounterMetricFamily("daybook_page_cache_requests", says, labels=["outcome"])
    family.add_metric(["hit"], pages.found)
    family.add_metric(["miss"], pages.asked - pages.found)
    return family


def _tallied(counts: Mapping[Name, int]) -> Iterator[Metric]:
    for what, (name, says, labels) in TALLIED.items():
        family = CounterMetricFamily(name, says, labels=labels)
        for (counted, *values), count in sorted(counts.items()):
            if counted == what and len(values) == len(labels):
                family.add_metric(values, count)
        yield family
