"""`daybook doctor`: says what is wrong and what to do, whatever is broken, and changes nothing."""

import json
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from adapters.listening import note
from tests.workers.operator import Operator


def asked(operator: Operator, **environ: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit status, and the findings by what was looked at."""
    operator.environ |= environ
    done = operator.run("doctor", "--json")
    assert not done.stderr, done.stderr
    return done.returncode, {one["check"]: one for one in json.loads(done.stdout)["findings"]}


def states(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {check: one["state"] for check, one in found.items()}


def test_each_finding_says_what_and_each_bad_one_what_to_do(operator: Operator) -> None:
    status, found = asked(operator)
    assert status == 1  # nothing runs
    for one in found.values():
        assert one["what"].endswith(".") and bool(one["todo"]) == (one["state"] != "ok"), one
    good = {
        "version",
        "settings",
        "proxies",
        "database",
        "clock",
        "migrations",
        "rights",
        "master key",
        "time",
        "redis",
    }
    assert {check for check in good if found[check]["state"] != "ok"} == set()
    # The tests' own server forgets on purpose.
    assert found["durability"]["state"] == "wrong"
    assert found["projection"]["state"] == found["web server"]["state"] == "wrong"
    assert "localhost:3999" in found["settings"]["what"] and "3999" in found["web server"]["what"]


def test_for_people_it_counts_what_it_found(operator: Operator) -> None:
    done = operator.run("doctor")
    assert done.returncode == 1
    assert "→ Start `daybook behind`" in done.stdout
    wrong, warned, well = (int(word) for word in done.stdout.splitlines()[-1].split() if word.isdigit())
    assert wrong + warned + well == sum(
        line.split(" ")[0] in ("ok", "warning", "wrong") for line in done.stdout.splitlines()
    )


def test_a_database_that_is_down_is_said_and_the_rest_looked_at(operator: Operator) -> None:
    url = "postgresql://x:swordfish-1@127.0.0.1:1/x"
    status, found = asked(operator, DATABASE_URL=url, DAYBOOK_DATABASE_APP_URL=url)
    assert status == 1
    assert "does not answer" in found["database"]["what"] and "mend DATABASE_URL" in found["database"]["todo"]
    assert states(found) | {"database": "wrong", "redis": "ok", "disk": "ok", "master key": "ok"} == states(found)
    assert "swordfish" not in json.dumps(found)


def test_a_redis_that_is_down_is_worth_a_look_and_no_more(operator: Operator) -> None:
    _, found = asked(operator, REDIS_URL="redis://127.0.0.1:1/0")
    assert found["redis"]["state"] == "warning" and found["database"]["state"] == "ok"


def test_another_master_key_is_wrong_and_says_which_to_use(operator: Operator) -> None:
    _, found = asked(operator, DAYBOOK_MASTER_KEY="11" * 32)
    assert found["master key"]["state"] == "wrong"
    assert "does not open event" in found["master key"]["what"] and "first" in found["master key"]["todo"]


def test_a_setting_that_can_not_be_read_is_said_with_the_way_out(operator: Operator) -> None:
    status, found = asked(operator, DAYBOOK_DOMIAN="x.example")
    assert status == 1 and set(found) == {"version", "settings"}
    assert "DAYBOOK_DOMAIN" in found["settings"]["what"]


def test_it_makes_nothing_where_nothing_is(operator: Operator, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for name in ("DATABASE_URL", "DAYBOOK_DATABASE_APP_URL", "REDIS_URL", "DAYBOOK_MASTER_KEY"):
        operator.environ.pop(name)
    status, found = asked(operator, DAYBOOK_DATA=str(empty))
    assert status == 1 and "run `daybook up`" in found["database"]["what"]
    assert "`daybook restore`" in found["database"]["todo"]
    assert list(empty.iterdir()) == []
    asked(operator, DATABASE_URL=str(operator.settings.database_url))
    assert list(empty.iterdir()) == []


def test_the_web_server_is_asked_where_it_is_told_to_listen_or_else_where_it_last_did(operator: Operator) -> None:
    note(msgspec.structs.replace(operator.settings, bind="127.0.0.2", port=1))
    assert "http://127.0.0.2:1 " in asked(operator)[1]["web server"]["what"]
    assert "http://127.0.0.1:2 " in asked(operator, DAYBOOK_PORT="2")[1]["web server"]["what"]


def test_the_owner_in_the_processes_place_is_said(operator: Operator) -> None:
    _, found = asked(operator, DAYBOOK_DATABASE_APP_URL=str(operator.settings.database_url))
    assert "as the owner behind the trigger" in found["rights"]["what"]


def test_poison_is_told_with_how_to_look_at_it(operator: Operator) -> None:
    position = operator.receive(b"[]")
    operator.project()
    with psycopg.connect(str(operator.settings.database_url)) as owner:
        owner.execute("UPDATE app.generations SET status = 'live'")
        owner.execute(
            "INSERT INTO read_1.parked (received_at_position, waits_for, brings, claim, reason)"
            " VALUES (%s, NULL, NULL, '', 'TypeError: x') ON CONFLICT DO NOTHING",
            [position],
        )
    _, found = asked(operator)
    assert "TypeError (1" in found["parked events"]["what"]
    look = f"log show --from {position} --to {position}"
    assert look in found["parked events"]["todo"]
    assert "set aside: TypeError" in operator.says(*look.split())


def test_a_backup_that_was_made_is_known(operator: Operator, tmp_path: Path) -> None:
    assert asked(operator)[1]["backups"]["state"] == "warning"
    operator.says("backup", str(tmp_path / "backup"))
    assert asked(operator)[1]["backups"]["state"] == "ok"
