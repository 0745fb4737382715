"""`daybook repair`: one account alone, by handle, id or URI, and what it says of it."""

import json

import psycopg
import pytest

from domain.ids import local_id
from domain.post import PostPublished
from tests.workers.operator import NOW, Operator

POST = local_id(int(NOW.timestamp() * 1000), 1)


@pytest.fixture
def admin(operator: Operator) -> int:
    """The account's id; it has published something, and a row of its home is gone."""
    with psycopg.connect(operator.url) as connection:
        row = connection.execute("SELECT account FROM app.users").fetchone()
    assert row is not None
    uri = f"http://localhost:3999/ap/users/{row[0]}/statuses/{POST}"
    published = PostPublished(
        post=POST, author=row[0], uri=uri, url=uri, visibility="public", published_at=NOW, text="hello"
    )
    operator.append(f"post:{POST}", published)
    operator.project()
    forget_home(operator)
    return row[0]


def forget_home(operator: Operator) -> None:
    with psycopg.connect(operator.url) as connection:
        live = connection.execute("SELECT n FROM app.generations WHERE status = 'live'").fetchone()
        assert live is not None
        assert connection.execute(f"DELETE FROM read_{live[0]}.home".encode()).rowcount == 1


def test_a_repair_says_what_was_wrong_by_which_event_and_then_nothing_is(operator: Operator, admin: int) -> None:
    said = operator.says("repair", "@admin").splitlines()
    assert said[0].startswith("@admin's home lacks ")
    assert said[1].startswith("    event 4, ") and "@admin published" in said[1]
    assert said[2] == "home: 1 missing, by post.published"
    assert said[3].startswith("1 row of @admin repaired (")
    assert operator.says("repair", str(admin)).startswith(f"Nothing of {admin} differs from what the log gives (")


def test_a_dry_run_exits_3_and_changes_nothing(operator: Operator, admin: int) -> None:
    for _ in range(2):
        done = operator.run("repair", f"http://localhost:3999/ap/users/{admin}", "--dry-run")
        assert done.returncode == 3, done.stderr
        assert "would be repaired" in done.stdout and "Nothing was changed." in done.stdout


def test_as_json_only_objects_are_on_standard_output(operator: Operator, admin: int) -> None:
    done = operator.run("repair", "admin@localhost:3999", "--json")
    assert done.returncode == 0, done.stderr
    different, counted, outcome = map(json.loads, done.stdout.splitlines())
    assert different["replayed"]["owner"] == str(admin)
    assert counted["rows"] == 1
    assert outcome == {"as_of": 4, "different": ["home"], "rows": 1}
    assert "repaired" in done.stderr
    assert json.loads(operator.says("repair", str(admin), "--json")) == {"as_of": 4, "different": [], "rows": 0}


def test_who_is_not_known_is_said_in_a_sentence(operator: Operator, admin: int) -> None:
    done = operator.run("repair", "@nobody")
    assert (done.returncode, done.stderr) == (1, "daybook: Nobody is known here as '@nobody'.\n")
    done = operator.run("repair", "12345")
    assert (done.returncode, done.stderr) == (1, "daybook: There is no account 12345.\n")


def test_an_event_that_can_not_be_read_any_more_ends_it_with_the_way_out(operator: Operator, admin: int) -> None:
    with psycopg.connect(operator.settings.database_url or "") as owner:
        owner.execute("DELETE FROM keys.event_keys WHERE position = 4")
    done = operator.run("repair", "@admin")
    assert done.returncode == 1
    assert done.stderr.startswith("daybook: event 4 can't be read: ") and "`daybook replay`" in done.stderr
