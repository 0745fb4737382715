"""What is measured is judged by itself: well, worth a look, or wrong, and never without saying what to do."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.condition import database as db
from adapters.condition.disk import Room, Used, judge_disk, weight_of
from adapters.condition.door import Door, judge_door
from adapters.condition.finding import Finding, size, span, warning, worst, wrong
from adapters.condition.place import check_key, check_media, check_settings
from adapters.condition.reading import (
    BEHIND_MAX,
    Poison,
    Reacting,
    Reading,
    judge_generation,
    judge_parked,
    judge_projection,
    judge_reacting,
)
from adapters.condition.sending import Sending, Unreachable, judge_deliveries, judge_hosts
from adapters.condition.working import Failing, Run, Working, judge_jobs, judge_schedule
from adapters.config import Settings
from adapters.postgres.migrate import checksum, migrations

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
READING = Reading(head=900, live=1, ours=True, building=None, built=0, kept=[], projected=900, projectors=1)
REACTING = Reacting(
    position=900, behind=0, reactors=1, failures=0, last_failure=None, last_reason=None, last_failed_ago_s=None
)
SENDING = Sending(
    backlog=0, retried=0, oldest_s=None, untried_s=None, late_hosts=0, dead_hosts=0, worst=[], deliverers=1
)
WORKING = Working(open=0, failing=0, given_up=0, late_s=None, examples=[], runs=[], workers=1, keepers=1)
SERVER = db.Database(
    major=18,
    version="18.4",
    fsync="on",
    synchronous_commit="on",
    full_page_writes="on",
    connections_max=100,
    connections=10,
    now=NOW,
    replica=False,
    archive_mode="off",
    last_archived_time=None,
    last_failed_time=None,
    replicas=0,
)
RIGHTS = db.Rights(role="daybook_app", superuser=False, owner=False, may_change=False, guarded=True)
DEAD = Unreachable("b.test", "dead", 9, 7, date(2026, 11, 20), "answered 502", None, 12)
CASES: Sequence[tuple[str, Any, Any, dict[str, Any], str]] = [
    ("ok", judge_generation, READING, {}, "Generation 1 is live"),
    ("wrong", judge_generation, READING, {"live": None}, "no read models"),
    ("wrong", judge_generation, READING, {"ours": False}, "another version of the code"),
    ("warning", judge_generation, READING, {"ours": False, "building": 2, "built": 5}, "event 5 of 900"),
    ("wrong", judge_generation, READING, {"live": None, "building": 2, "projectors": 0}, "nobody builds it"),
    ("ok", judge_projection, READING, {"projected": 890}, "10 events behind"),
    ("warning", judge_projection, READING, {"head": 901 + BEHIND_MAX}, "behind the log"),
    ("wrong", judge_projection, READING, {"projectors": 0}, "Nobody projects"),
    ("ok", judge_parked, READING, {"waiting": 3, "awaited": [("b.test", 3)]}, "b.test: 3"),
    ("warning", judge_parked, READING, {"waiting": 200_000, "oldest_waiting": 7}, "200,000 events wait"),
    (
        "warning",
        judge_parked,
        READING,
        {"poisoned": 2, "poison": [Poison("ValueError", 2, 41)]},
        "ValueError (2, last 41",
    ),
    ("ok", judge_reacting, REACTING, {}, "acted upon"),
    ("wrong", judge_reacting, REACTING, {"reactors": 0, "behind": 4}, "Nobody reacts"),
    (
        "warning",
        judge_reacting,
        REACTING,
        {"failures": 1, "last_failure": 8, "last_reason": "raised KeyError"},
        "KeyError",
    ),
    ("warning", judge_reacting, REACTING, {"behind": BEHIND_MAX + 1}, "behind the read models"),
    ("ok", judge_deliveries, SENDING, {"backlog": 3, "oldest_s": 90.0}, "3 deliveries are left"),
    ("wrong", judge_deliveries, SENDING, {"deliverers": 0}, "Nobody delivers"),
    ("warning", judge_deliveries, SENDING, {"backlog": 9, "untried_s": 7_200.0}, "due for 2 h and were never tried"),
    ("ok", judge_hosts, SENDING, {}, "Every host"),
    (
        "ok",
        judge_hosts,
        SENDING,
        {"late_hosts": 1, "worst": [msgspec.structs.replace(DEAD, waiting=0)]},
        "nothing waits",
    ),
    ("warning", judge_hosts, SENDING, {"dead_hosts": 1, "worst": [DEAD]}, "b.test: given up, failing on 7 days"),
    ("ok", judge_jobs, WORKING, {"open": 5}, "5 jobs are open"),
    ("wrong", judge_jobs, WORKING, {"workers": 0}, "Nobody does jobs"),
    ("warning", judge_jobs, WORKING, {"open": 1, "late_s": 900.0}, "due for 15 min"),
    (
        "warning",
        judge_jobs,
        WORKING,
        {"given_up": 2, "examples": [Failing("fetch", True, 2, "x")]},
        "2 of fetch given up",
    ),
    ("ok", judge_schedule, WORKING, {"runs": [Run("a", 9e9, None)]}, "kept"),
    (
        "warning",
        judge_schedule,
        WORKING,
        {"runs": [Run("end mutes", 7_200.0, 30.0)]},
        "end mutes (2 h ago, every 30 s)",
    ),
    ("wrong", judge_schedule, WORKING, {"keepers": 0}, "Nobody keeps the schedule"),
    ("ok", db.judge_version, SERVER, {}, "18.4"),
    ("wrong", db.judge_version, SERVER, {"major": 14, "version": "14.1"}, "too old"),
    ("wrong", db.judge_version, SERVER, {"replica": True}, "read-only replica"),
    ("warning", db.judge_version, SERVER, {"connections": 95}, "95 of 100 connections"),
    ("ok", db.judge_durability, SERVER, {}, "are on"),
    ("wrong", db.judge_durability, SERVER, {"fsync": "off"}, "fsync is off"),
    (
        "wrong",
        db.judge_durability,
        SERVER,
        {"fsync": "off", "full_page_writes": "off"},
        "fsync, full_page_writes are off",
    ),
    ("ok", db.judge_rights, RIGHTS, {}, "only append"),
    ("warning", db.judge_rights, RIGHTS, {"owner": True, "may_change": True}, "as the owner behind the trigger"),
    ("warning", db.judge_rights, RIGHTS, {"superuser": True}, "as the owner behind the trigger"),
    ("wrong", db.judge_rights, RIGHTS, {"may_change": True}, "may change or empty"),
    ("wrong", db.judge_rights, RIGHTS, {"guarded": False, "owner": True}, "trigger"),
    ("ok", judge_door, Door({"signature": 9}, 1, [("b.test", 9)]), {}, "signature 9"),
    ("warning", judge_door, Door({"signature": 5_000}, 60, [("b.test", 9)]), {}, "60 hosts"),
]


@pytest.mark.parametrize(("state", "judge", "measured", "changes", "said"), CASES)
def test_what_is_measured_is_judged(state: str, judge: Any, measured: Any, changes: dict[str, Any], said: str) -> None:
    found: Finding = judge(msgspec.structs.replace(measured, **changes))
    assert (found.state, said in found.what) == (state, True), found
    assert bool(found.todo) == (state != "ok"), found


@pytest.mark.parametrize(
    ("apart_s", "state"), [(0, "ok"), (4, "ok"), (-20, "warning"), (20, "warning"), (90, "wrong"), (-90, "wrong")]
)
def test_clocks_that_are_apart_either_way_are_told(apart_s: int, state: str) -> None:
    assert db.judge_clock(SERVER, NOW + timedelta(seconds=apart_s)).state == state


@pytest.mark.parametrize(
    ("changes", "ago_s", "state", "said"),
    [
        ({}, None, "warning", "None was made"),
        ({}, 3_600.0, "ok", "60 min ago"),
        ({}, 864_000.0, "warning", "10 days ago"),
        ({"archive_mode": "on", "last_archived_time": NOW - timedelta(seconds=60)}, None, "ok", "archived a segment"),
        ({"archive_mode": "on", "last_failed_time": NOW}, None, "wrong", "fails to archive"),
    ],
)
def test_what_is_known_of_backups_is_told(changes: dict[str, Any], ago_s: float | None, state: str, said: str) -> None:
    found = db.judge_backups(msgspec.structs.replace(SERVER, **changes), ago_s)
    assert (found.state, said in found.what) == (state, True), found


def test_the_migrations_must_be_this_codes() -> None:
    applied = {name: checksum(text) for name, text in migrations().items()}
    first = next(iter(applied))
    assert db.judge_migrations(applied).state == "ok"
    assert "9999_new.sql" in db.judge_migrations({**applied, "9999_new.sql": ""}).what
    assert "not applied" in db.judge_migrations({first: applied[first]}).what
    assert "`daybook restore`" in db.judge_migrations({}).todo
    assert "is not the one" in db.judge_migrations({**applied, first: "other"}).what
    assert db.judge_migrations(None).state == "warning"


@pytest.mark.parametrize(
    ("free", "state"), [(200, "ok"), (15, "warning"), (5, "warning"), (1.5, "wrong"), (0.3, "wrong")]
)
def test_a_disk_that_fills_is_told_with_what_uses_it(free: float, state: str) -> None:
    room = Room(total=400 * 1024**3, free=int(free * 1024**3), media=5)
    found = judge_disk(room, Used({"log": 3 * 1024**3, "keys": 10}), Path("/data"), embedded=True)
    assert found.state == state and "log 3.0 GiB, keys 10 B; pictures 5 B" in found.what


def test_pictures_are_weighed_with_all_folders_below(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one").write_bytes(b"12345")
    (tmp_path / "two").write_bytes(b"12")
    assert weight_of(tmp_path) == 7
    assert weight_of(tmp_path / "nowhere") == 0


@pytest.mark.parametrize(
    ("changes", "states"),
    [
        ({}, ["ok", "ok"]),
        ({"domain": "social.example"}, ["ok", "warning"]),
        ({"domain": "social.example", "trusted_proxies": ("127.0.0.1/32",)}, ["ok", "ok"]),
        ({"domain": "social.example", "trusted_proxies": ("0.0.0.0/0",)}, ["ok", "wrong"]),
        ({"domain": "social.example", "trusted_proxies": ("127.0.0.1/32",), "bind": "::"}, ["ok", "warning"]),
        ({"domain": "a.test", "name_map": {"a.test": ("127.0.0.1", 1)}}, ["warning", "ok"]),
    ],
)
def test_settings_are_judged_by_what_the_network_can_do_with_them(changes: dict[str, Any], states: list[str]) -> None:
    settings = msgspec.structs.replace(Settings(), **changes)
    assert [found.state for found in check_settings(settings, {}, None)] == states


def test_another_domain_than_the_founding_is_wrong() -> None:
    settings, founded = Settings(domain="new.example"), Settings(domain="old.example")
    found, _ = check_settings(settings, {"DAYBOOK_DOMAIN": "new.example"}, founded)
    assert found.state == "wrong" and "DAYBOOK_DOMAIN=old.example" in found.todo
    assert check_settings(settings, {}, founded)[0].state == "ok"


def test_a_key_that_is_missing_or_open_to_others_is_told_and_none_is_made(tmp_path: Path) -> None:
    settings, path = Settings(data=tmp_path), tmp_path / "master.key"
    missing, codec = check_key(settings)
    assert (missing.state, codec) == ("wrong", None) and list(tmp_path.iterdir()) == []
    path.write_text("00" * 32)
    path.chmod(0o644)
    loose, codec = check_key(settings)
    assert loose.state == "warning" and codec is not None and loose.todo == f"chmod 600 {path}"
    path.chmod(0o600)
    assert check_key(settings)[0].state == "ok"
    path.write_text("too short")
    assert check_key(settings)[0].state == "wrong"


def test_a_media_folder_that_is_none_is_wrong(tmp_path: Path) -> None:
    assert check_media(tmp_path).state == "ok"
    (tmp_path / "media").write_text("in the way")
    assert check_media(tmp_path).state == "wrong"


def test_times_and_sizes_are_said_as_people_say_them() -> None:
    said = ["0 s", "45 s", "119 s", "2 min", "120 min", "2 h", "2 days"]
    assert [span(s) for s in (-1, 45, 119, 120, 7_199, 7_200, 172_800)] == said
    assert [size(n) for n in (512, 1024, 5 * 1024**2, 3 * 1024**4)] == ["512 B", "1.0 KiB", "5.0 MiB", "3.0 TiB"]


def test_the_worst_finding_is_what_counts() -> None:
    assert worst([]) == "ok"
    assert worst([warning("a", "b", "c")]) == "warning"
    assert worst([wrong("a", "b", "c"), warning("a", "b", "c")]) == "wrong"
