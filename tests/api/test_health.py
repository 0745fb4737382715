"""Whoever watches is told how the instance is, strangers are not; and no label is anybody's to make up."""

import asyncio
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapters.embedded.valkey import EmbeddedValkey
from adapters.tally import Name, Tally
from api.app import create_routes
from api.cors import Edge
from tests.database import Database
from tests.federation.peer import Peer, running_peer
from tests.instance import TIMEOUT_S, LiveInstance, running_instance

TOKEN = "a-token-of-sixteen"


@pytest.fixture
def peer() -> Iterator[Peer]:
    with running_peer() as running:
        yield running


@pytest.fixture
def instance(database: Database, valkey_server: EmbeddedValkey, tmp_path: Path, peer: Peer) -> Iterator[LiveInstance]:
    with running_instance(database, valkey_server.url, tmp_path, peer) as running:
        yield running


def samples(instance: LiveInstance) -> dict[str, float]:
    """Every sample by its name and labels as Prometheus writes them."""
    answer = httpx.get(f"{instance.origin}/metrics", timeout=TIMEOUT_S)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


async def tallied(url: str) -> dict[Name, int]:
    tally = Tally(url)
    async with tally.running():
        found = await tally.read()
    assert found is not None
    return found


def asked_as(instance: LiveInstance, address: str, **headers: str) -> httpx.Response:
    """What /metrics answers to somebody at this address."""
    app: Any = Edge(create_routes(instance.server))
    transport = httpx.ASGITransport(app, client=(address, 1234))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url=instance.origin) as client:
            return await client.get("/metrics", headers=headers)

    return instance.run(ask())


def test_it_lives_and_is_ready_and_says_how_it_is(instance: LiveInstance, peer: Peer) -> None:
    assert instance.client.get("/livez").json() == {"status": "alive"}
    assert instance.client.get("/readyz").json() == {"status": "ready"}
    instance.befriend(peer)
    assert peer.post(instance.inbox, peer.note("Counted")).status == 202
    assert instance.client.post("/inbox", content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 415
    instance.client.get("/no/such/page/77")
    instance.settled()
    instance.server.tally.count("deliveries", "dropped")
    instance.run(instance.server.tally.write())
    found = samples(instance)
    assert found["daybook_database_up{}"] == 1
    assert found["daybook_deliveries_total{outcome=dropped}"] >= 1
    assert found["daybook_log_events_total{}"] == instance.head()
    assert found["daybook_projection_lag_events{}"] == 0
    assert found["daybook_part_running{part=project}"] == found["daybook_part_running{part=deliver}"] == 1
    # Nobody keeps the schedule here, and both say so.
    assert (found["daybook_part_running{part=schedule}"], found["daybook_condition{check=schedule}"]) == (0, 2)
    assert found["daybook_inbox_activities_total{outcome=stored}"] >= 3
    assert found["daybook_inbox_refused_total{reason=content type}"] == 1
    assert found["daybook_http_requests_total{method=POST,route=/inbox,status=202}"] >= 3
    assert found["daybook_http_requests_total{method=GET,route=none,status=404}"] == 1
    assert found["daybook_http_request_duration_seconds_count{method=GET,route=/readyz}"] == 1
    assert found["daybook_storage_bytes{what=log}"] > 0 and found["daybook_disk_free_bytes{}"] > 0
    assert found["process_resident_memory_bytes{}"] > 0


def test_requests_that_a_kept_page_answered_are_told_from_those_that_none_did(
    instance: LiveInstance, peer: Peer
) -> None:
    # The projector has told of something, so this process hears of what is touched and keeps pages.
    instance.befriend(peer)
    instance.settled()
    before = samples(instance)
    for _ in range(3):
        assert instance.client.get("/api/v1/timelines/public").status_code == 200
    after = samples(instance)
    told = [f"daybook_page_cache_requests_total{{outcome={outcome}}}" for outcome in ("hit", "miss")]
    hits, misses = (after[name] - before[name] for name in told)
    assert hits + misses == 3
    assert 1 <= hits <= 2


def test_no_label_has_what_others_make_up(instance: LiveInstance, peer: Peer) -> None:
    instance.befriend(peer)
    for number in range(30):
        instance.client.get(f"/api/v1/statuses/{number}")
        instance.client.request(f"M{number}", f"/x/{number}")
        key_id = f'keyId="https://h{number}.test/k",signature="x"'
        headers = {"Content-Type": "application/activity+json", "Signature": key_id}
        instance.client.post("/inbox", content=b"{", headers=headers)
    found = samples(instance)
    labels = {label for name in found for label in re.findall(r"=([^,}]*)", name)}
    assert not any(peer.origin.partition("://")[2] in label or label == "77" for label in labels)
    assert {name for name in found if "statuses" in name and "_total" in name} == {
        "daybook_http_requests_total{method=GET,route=/api/v1/statuses/{status_id},status=404}"
    }
    assert sum("daybook_http_requests_total{method=other" in name for name in found) == 1


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("198.51.100.7", {}, 403),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 403),
        ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}, 403),
        ("127.0.0.1", {"X-Real-IP": "127.0.0.1"}, 403),
        ("127.0.0.1", {"Via": "1.1 proxy"}, 403),
        ("127.0.0.1", {"Host": "social.example"}, 403),
        ("127.0.0.1", {"Host": "["}, 403),
    ],
)
def test_without_a_token_a_trial_s_metrics_are_for_this_machine_and_never_for_what_was_passed_on(
    instance: LiveInstance, address: str, headers: dict[str, str], status: int
) -> None:
    assert asked_as(instance, address, **headers).status_code == status


def test_without_a_token_nobody_reads_the_metrics_of_an_instance_that_others_can_reach(instance: LiveInstance) -> None:
    """As nginx passes a request on by a bare `proxy_pass http://127.0.0.1:3000;`: nothing tells it from a local one."""
    instance.server.settings = msgspec.structs.replace(instance.server.settings, domain="social.example")
    refused = asked_as(instance, "127.0.0.1", Host="127.0.0.1:3000")
    assert refused.status_code == 403 and "until DAYBOOK_METRICS_TOKEN is set" in refused.json()["error"]


def test_with_a_token_metrics_are_for_whoever_has_it(instance: LiveInstance) -> None:
    instance.server.settings = msgspec.structs.replace(instance.server.settings, metrics_token=TOKEN)
    given = {"Authorization": f"Bearer {TOKEN}", "X-Forwarded-For": "203.0.113.9", "Host": "social.example"}
    assert asked_as(instance, "198.51.100.7", **given).status_code == 200
    for wrong in ("", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", "Bearer"):
        refused = asked_as(instance, "127.0.0.1", Authorization=wrong)
        assert refused.status_code == 401 and "Bearer" in refused.headers["www-authenticate"]


def test_both_forms_of_exposition_are_spoken(instance: LiveInstance) -> None:
    accept = "application/openmetrics-text; version=1.0.0"
    answer = httpx.get(f"{instance.origin}/metrics", headers={"Accept": accept}, timeout=TIMEOUT_S)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n") and "_created" not in answer.text


def test_what_the_processes_behind_do_is_counted_and_kept_when_they_end(
    database: Database, valkey_server: EmbeddedValkey, tmp_path: Path, peer: Peer
) -> None:
    url = f"{valkey_server.url}?db=7"
    with running_instance(database, url, tmp_path, peer) as running:
        running.befriend(peer)
        assert peer.got.get(timeout=TIMEOUT_S)["type"] == "Follow"
    counts = asyncio.run(tallied(url))
    assert counts["deliveries", "done"] == 1
    assert sum(count for (what, *_), count in counts.items() if what == "jobs") >= 1


def test_a_generation_of_other_code_is_not_ready_and_says_why(instance: LiveInstance, database: Database) -> None:
    with psycopg.connect(database.owner, autocommit=True) as owner:
        owner.execute("UPDATE app.generations SET code_hash = 'other'")
        owner.execute("SELECT pg_notify('daybook_generation', '')")
    pause, answer = threading.Event(), instance.client.get("/readyz")
    for _ in range(int(TIMEOUT_S / 0.05)):
        if answer.status_code == 503:
            break
        pause.wait(0.05)
        answer = instance.client.get("/readyz")
    assert answer.status_code == 503
    (reason,) = answer.json()["reasons"]
    assert "not made by this code" in reason
    assert instance.client.get("/livez").status_code == 200
