"""`daybook generation`: what there is, going back and forth between kept read models, and dropping them."""

import re
from collections.abc import Iterator

import psycopg
import pytest

from tests.system.running import Running

ROW = re.compile(r"│ +(\d+) │ (\w+) +│ (\w+) +│ +([\w, ]*) │ +([\d,]*) │")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One instance for the module."""
    made = Running(tmp_path_factory.mktemp("generation") / "data")
    yield made
    made.client.close()
    made.instance.end()


@pytest.fixture
def kept(running: Running) -> int:
    """The number of a generation that is kept beside the live one."""
    for n, status in running.generations():
        if status != "live":
            assert running.daybook("generation", "drop", str(n)).returncode == 0
    old = running.live()
    done = running.daybook("replay", "--keep-old")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Generation {old} is kept" in done.stdout
    return old


def listed(running: Running) -> dict[int, tuple[str, str, str, str]]:
    """Status, code, position and how far behind, by number, as the command prints them."""
    done = running.daybook("generation", "list")
    assert done.returncode == 0, done.stderr
    return {int(n): (status, code, position, behind) for n, status, code, position, behind in ROW.findall(done.stdout)}


def test_an_old_generation_that_is_kept_stands_in_the_list_and_falls_behind(running: Running, kept: int) -> None:
    before = running.position(kept)
    running.post("only in the live one")
    running.caught_up()
    found = listed(running)
    live = running.live()
    assert found[live] == ("live", "ours", f"{running.position(live):,}", "0")
    assert found[kept] == ("kept", "ours", f"{before:,}", str(running.position(live) - before))


def test_back_catches_the_old_one_up_first_so_that_nobody_goes_back_in_time(running: Running, kept: int) -> None:
    left = running.live()
    posted = [running.post(f"after the switch {number}") for number in range(3)]
    home = running.client.get("/api/v1/timelines/home").raise_for_status().json()
    done = running.daybook("generation", "back")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Generation {kept} is live." in done.stdout
    assert running.generations() == [(kept, "live"), (left, "kept")]
    again = running.client.get("/api/v1/timelines/home").raise_for_status()
    assert again.json() == home
    assert [status["id"] for status in again.json()[:3]] == posted[::-1]
    newest = running.post("and the old one follows the log again")
    assert running.client.get("/api/v1/timelines/home").raise_for_status().json()[0]["id"] == newest
    assert running.daybook("generation", "back").returncode == 0
    assert running.live() == left
    home = running.client.get("/api/v1/timelines/home").raise_for_status().json()
    assert home[0]["id"] == newest


def test_what_is_kept_outlives_a_start_and_another_replay_until_it_is_dropped(running: Running, kept: int) -> None:
    running.start_again()
    assert running.daybook("replay").returncode == 0
    assert running.generations() == [(kept, "kept"), (running.live(), "live")]
    trial = running.daybook("generation", "drop", str(kept), "--dry-run")
    assert trial.returncode == 0, trial.stderr
    assert f"Generation {kept} would be dropped: some " in trial.stdout
    assert running.position(kept) > 0
    assert running.daybook("generation", "drop", str(kept)).returncode == 0
    assert running.generations() == [(running.live(), "live")]
    assert running.value("SELECT to_regnamespace(%s)", f"read_{kept}") is None
    nowhere = running.daybook("generation", "back")
    assert nowhere.returncode == 1
    assert "--keep-old" in nowhere.stderr


def test_the_live_one_is_not_dropped_and_the_way_out_is_said(running: Running) -> None:
    live = running.live()
    for more in ([], ["--dry-run"]):
        done = running.daybook("generation", "drop", str(live), *more)
        assert done.returncode == 1
        assert "daybook generation switch" in done.stderr
    assert running.live() == live


def test_only_what_is_whole_and_made_by_this_code_is_switched_to(running: Running, kept: int) -> None:
    live = running.live()
    with psycopg.connect(running.owner, autocommit=True) as owner:
        owner.execute("UPDATE app.generations SET code_hash = 'of before' WHERE n = %s RETURNING code_hash", [kept])
        other = running.daybook("generation", "switch", str(kept))
        assert listed(running)[kept][1] == "other"
        owner.execute(
            "UPDATE app.generations g SET code_hash = l.code_hash FROM app.generations l "
            "WHERE g.n = %s AND l.status = 'live'",
            [kept],
        )
        owner.execute(f"DROP TABLE read_{kept}.home")
    broken = running.daybook("generation", "switch", str(kept))
    missing = running.daybook("generation", "switch", "999")
    already = running.daybook("generation", "switch", str(live))
    assert [done.returncode for done in (other, broken, missing, already)] == [1, 1, 1, 1]
    assert "another version of Daybook" in other.stderr
    assert "lacks tables" in broken.stderr
    assert "There is no generation 999" in missing.stderr
    assert "live already" in already.stderr
    assert running.live() == live
