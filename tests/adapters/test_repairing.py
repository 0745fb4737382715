"""One account alone: its own rows worked out anew, whatever was done to them, and nobody else's touched."""

import threading
import time
import tracemalloc
from collections.abc import Iterator

import psycopg
import pytest

from adapters.codec import Codec
from adapters.differences import Cause
from adapters.interpreter.interpret import Interpreter
from adapters.postgres.generations import Generation
from adapters.postgres.reading_ahead import Reader, ReadingAhead
from adapters.postgres.touching import CHANNEL as TOUCHED
from adapters.repairing import Repair, Repaired, RepairError
from adapters.retelling import Untold
from domain.post import PostPublished
from projections.catalogue import KEYS, OWN
from projections.interpretation import KEYS as INTERPRETATION
from tests.adapters.interpreter import peers
from tests.adapters.interpreter.peers import ALICE, ANN, BEN, BOB, LOCAL, OURS, START
from tests.database import MASTER_KEY, Database
from tests.projections.histories import TimelineHistory
from tests.projections.projecting import digests, new_generation, project_all, projector_of, write_log
from tests.projections.story import FIRST, HELLO, HELLO_URI, Story

SEED, LENGTH = 20261121, 1_500
TIMEOUT_S = 30
# Of hashtags each is there once, whoever used it; interpretation is everybody's.
NOBODYS = {"tags", *INTERPRETATION}


class Repairable:
    """A generation of a log, and somebody who repairs it."""

    def __init__(self, database: Database, live: Generation) -> None:
        self.database = database
        self.live = live
        self._ahead = ReadingAhead(Reader(database.app, Codec(MASTER_KEY), Interpreter(OURS).translate))

    def repair(self, account: int, *, dry_run: bool = False, **bounds: int) -> Repaired:
        """Repair one account over a connection of its own."""
        with psycopg.connect(self.database.owner, autocommit=True) as owner:
            return self.repair_over(owner, account, dry_run=dry_run, **bounds)

    def repair_over(self, owner: psycopg.Connection, account: int, *, dry_run: bool = False, **bounds: int) -> Repaired:
        """The same over a connection that the test holds."""
        return Repair(owner, self.live, OURS, self._ahead, **bounds).account(account, dry_run=dry_run)

    def refuses(self, account: int, most: int) -> bool:
        """Whether a repair that may take so many facts and rows is refused."""
        try:
            self.repair(account, dry_run=True, concerned_max=most)
        except RepairError:
            return True
        return False

    def change(self, statement: str, *values: object) -> int:
        """Do something to the live tables; gives how many rows it met."""
        with psycopg.connect(self.database.owner, options=f"-c search_path={self.live.schema}") as owner:
            return owner.execute(statement.encode(), values or None).rowcount

    def forget(self, account: int) -> int:
        """Take out all rows that are this account's own; gives how many there were."""
        with psycopg.connect(self.database.owner, options=f"-c search_path={self.live.schema}") as owner:
            rows = owner.execute("SELECT id FROM statuses WHERE account = %s", [account]).fetchall()
            values = {"account": account, "statuses": [one for (one,) in rows]}
            return sum(
                owner.execute(f"DELETE FROM {table} WHERE {condition}".encode(), values).rowcount
                for table, condition in OWN.items()
            )

    def accounts(self) -> list[int]:
        """All that were ever registered."""
        with psycopg.connect(self.database.owner, options=f"-c search_path={self.live.schema}") as owner:
            return [one for (one,) in owner.execute("SELECT id FROM accounts ORDER BY id").fetchall()]

    def digests(self) -> dict[str, str]:
        """Per table."""
        return digests(self.database, self.live)

    def close(self) -> None:
        """Let go of everything."""
        self._ahead.close()


def projected(database: Database) -> Generation:
    generation = new_generation(database)
    project_all(projector_of(database, generation), 500)
    return generation


@pytest.fixture
def drawn(database: Database) -> Iterator[Repairable]:
    """Of one history; whether rules hold in any is for tests/projections/test_law.py to find."""
    write_log(database, TimelineHistory(SEED, LENGTH).log)
    made = Repairable(database, projected(database))
    yield made
    made.close()


@pytest.fixture
def story(database: Database) -> Story:
    told = Story()
    write_log(database, told.log)
    return told


@pytest.fixture
def told(database: Database, story: Story) -> Iterator[Repairable]:
    made = Repairable(database, projected(database))
    yield made
    made.close()


def test_every_table_says_whose_its_rows_are_but_for_those_that_are_nobodys() -> None:
    assert OWN.keys() == KEYS.keys() - NOBODYS


def test_there_is_nothing_to_repair_in_what_was_projected_whatever_is_told_together(drawn: Repairable) -> None:
    before = drawn.digests()
    for account in drawn.accounts():
        assert drawn.repair(account, told_max=7, outlined_max=3).differences == (), account
    assert drawn.digests() == before


def test_whatever_is_an_accounts_own_is_brought_back_when_it_is_gone(drawn: Repairable) -> None:
    before = drawn.digests()
    for account in drawn.accounts():
        gone = drawn.forget(account)
        found = drawn.repair(account)
        assert len(found.differences) == gone > 0
        assert {d.how for d in found.differences} == {"missing"}
        assert all(d.causes for d in found.differences)
        assert drawn.digests() == before, account


def test_a_repair_tells_each_row_that_was_wrong_and_puts_it_right(told: Repairable, story: Story) -> None:
    before = told.digests()
    told.change("DELETE FROM home WHERE owner = %s AND via = 'follow'", LOCAL[ALICE])
    told.change("INSERT INTO home VALUES (%s, %s, %s, 1, 'follow')", LOCAL[ALICE], HELLO, LOCAL[BOB])
    told.change("UPDATE account_counts SET followers = 40 WHERE account = %s", LOCAL[ALICE])
    told.change("UPDATE statuses SET favourites = 9, replies = 0, reblogs = 7 WHERE id = %s", HELLO)
    found = told.repair(LOCAL[ALICE])
    assert {(d.table, d.how, frozenset(d.columns)) for d in found.differences} == {
        ("home", "missing", frozenset()),
        ("home", "extra", frozenset()),
        ("account_counts", "changed", frozenset({"followers"})),
        ("statuses", "changed", frozenset({"replies", "favourites", "reblogs"})),
    }
    (missing,) = (d for d in found.differences if d.how == "missing")
    assert missing.row["entry"] == story.ids[FIRST]
    assert missing.causes == (Cause(story.at["first"], story.at["first"], "post.published"),)
    assert found.position == len(story.log)
    assert told.digests() == before


def test_whoever_keeps_pages_hears_of_a_repair_that_changed_something(database: Database, told: Repairable) -> None:
    with psycopg.connect(database.app, autocommit=True) as listening:
        listening.execute(f"LISTEN {TOUCHED}".encode())
        told.repair(LOCAL[ALICE])
        told.change("DELETE FROM home WHERE owner = %s", LOCAL[ALICE])
        told.repair(LOCAL[ALICE], dry_run=True)
        told.repair(LOCAL[ALICE])
        (notice,) = listening.notifies(timeout=TIMEOUT_S, stop_after=1)
    assert notice.payload == f"{told.live.n}:*"


def test_a_dry_run_tells_the_same_and_writes_nothing(told: Repairable) -> None:
    told.change("DELETE FROM notifications WHERE owner = %s", LOCAL[ALICE])
    wrong = told.digests()
    found = told.repair(LOCAL[ALICE], dry_run=True)
    assert {d.table for d in found.differences} == {"notifications"}
    assert told.digests() == wrong
    assert told.repair(LOCAL[ALICE]).differences == found.differences


def test_a_repair_leaves_what_is_wrong_with_others_to_their_own(told: Repairable) -> None:
    told.change("DELETE FROM home WHERE owner = %s", LOCAL[BOB])
    wrong = told.digests()
    assert told.repair(LOCAL[ALICE]).differences == ()
    assert told.digests() == wrong


def test_a_home_is_worked_out_beside_the_live_one_and_only_what_differs_is_written(told: Repairable) -> None:
    written = """
        SELECT n_tup_ins, n_tup_del, n_tup_upd FROM pg_stat_xact_user_tables WHERE schemaname = %s AND relname = 'home'
    """
    told.change("DELETE FROM home WHERE owner = %s AND via = 'follow'", LOCAL[ALICE])
    told.change("INSERT INTO home VALUES (%s, %s, %s, 1, 'follow')", LOCAL[ALICE], HELLO, LOCAL[BOB])
    with psycopg.connect(told.database.owner, autocommit=True) as owner, owner.transaction():
        differences = told.repair_over(owner, LOCAL[ALICE]).differences
        assert owner.execute(written, [told.live.schema]).fetchone() == (1, 1, 0)
    assert len(differences) == 2


def test_what_its_posts_said_and_are_found_by_is_worked_out_beside_the_live_rows(
    told: Repairable, story: Story
) -> None:
    written = """
        SELECT relname, n_tup_ins, n_tup_del, n_tup_upd FROM pg_stat_xact_user_tables
        WHERE schemaname = %s AND relname IN ('documents', 'status_revisions') ORDER BY 1
    """
    before = told.digests()
    told.change("DELETE FROM status_revisions WHERE status = %s AND position = %s", HELLO, story.at["edit"])
    with psycopg.connect(told.database.owner, autocommit=True) as owner, owner.transaction():
        (difference,) = told.repair_over(owner, LOCAL[ALICE]).differences
        rows = owner.execute(written, [told.live.schema]).fetchall()
    assert rows == [("documents", 0, 0, 0), ("status_revisions", 1, 0, 0)]
    assert (difference.table, difference.how) == ("status_revisions", "missing")
    assert told.digests() == before


def test_what_others_did_to_its_posts_is_counted_as_it_stands_and_repaired_by_a_repair_of_them(
    told: Repairable, story: Story
) -> None:
    before = told.digests()
    told.change("DELETE FROM favourites WHERE status = %s", HELLO)
    told.change("DELETE FROM statuses WHERE reblog_of = %s AND account = %s", HELLO, LOCAL[BOB])
    told.change("UPDATE statuses SET counted = false WHERE in_reply_to_uri = %s", HELLO_URI)
    (difference,) = told.repair(LOCAL[ALICE]).differences
    assert difference.replayed is not None
    counted = {column: difference.replayed[column] for column in difference.columns}
    assert counted == {"replies": 0, "favourites": 0, "reblogs": 1}
    for account in (story.ids[BEN], LOCAL[BOB], LOCAL[ALICE]):
        assert told.repair(account).differences
    assert told.digests() == before


def test_a_remote_author_is_repaired_without_opening_what_others_did_to_its_posts(
    told: Repairable, story: Story
) -> None:
    before = told.digests()
    forget_key(told, story.at[f"{LOCAL[ALICE]} likes"])
    told.change("UPDATE statuses SET favourites = 9 WHERE id = %s", story.ids[FIRST])
    (difference,) = told.repair(story.ids[ANN]).differences
    assert difference.columns == ("favourites",)
    assert told.digests() == before


@pytest.mark.parametrize("told_max", [1, 500])
def test_an_event_that_can_not_be_opened_ends_a_repair_which_then_has_changed_nothing(
    told: Repairable, story: Story, told_max: int
) -> None:
    forget_key(told, story.at["edit"])
    told.change("UPDATE statuses SET favourites = 9 WHERE id = %s", HELLO)
    wrong = told.digests()
    with pytest.raises(Untold, match=f"event {story.at['edit']} can't be read"):
        told.repair(LOCAL[ALICE], told_max=told_max)
    assert told.digests() == wrong
    assert told.repair(story.ids[ANN]).differences == ()


def forget_key(told: Repairable, position: int) -> None:
    with psycopg.connect(told.database.owner) as owner:
        assert owner.execute("DELETE FROM keys.event_keys WHERE position = %s", [position]).rowcount == 1


def test_who_was_never_registered_can_not_be_repaired(told: Repairable) -> None:
    with pytest.raises(RepairError, match="There is no account 12345"):
        told.repair(12345)


def test_a_repair_that_would_take_too_much_is_refused_before_it_waits_for_anything(told: Repairable) -> None:
    told.change("DELETE FROM home WHERE owner = %s", LOCAL[ALICE])
    wrong = told.digests()
    with (
        psycopg.connect(told.database.owner, options=f"-c search_path={told.live.schema}") as projecting,
        psycopg.connect(told.database.owner, autocommit=True, options=f"-c lock_timeout={TIMEOUT_S}s") as owner,
    ):
        projecting.execute("LOCK TABLE facts IN ROW EXCLUSIVE MODE")
        with pytest.raises(RepairError, match=r"More than 3 facts and rows .*`daybook replay --only home`"):
            told.repair_over(owner, LOCAL[ALICE], concerned_max=3)
    assert told.digests() == wrong
    assert told.repair(LOCAL[ALICE]).differences


def test_what_is_too_much_for_a_repair_counts_its_facts_and_rows(told: Repairable) -> None:
    most = 0
    while told.refuses(LOCAL[ALICE], most):
        most += 1
    told.change("INSERT INTO home VALUES (%s, %s, %s, 1, 'follow')", LOCAL[ALICE], HELLO, LOCAL[BOB])
    assert told.refuses(LOCAL[ALICE], most) and not told.refuses(LOCAL[ALICE], most + 1)
    told.forget(LOCAL[ALICE])
    facts = told.repair(LOCAL[ALICE], dry_run=True).facts
    assert told.refuses(LOCAL[ALICE], facts - 1), "none of its rows are there, but what they are worked out from"


def test_a_repair_holds_a_few_of_the_posts_that_it_is_about_at_once(database: Database) -> None:
    length, posts = 50_000, 100
    log = [peers.registered(ALICE)]
    for number in range(1, posts + 1):
        uri, text = f"{ALICE}/statuses/{number}", "a " * (length // 2)
        post = PostPublished(
            post=number, author=LOCAL[ALICE], uri=uri, url=uri, visibility="public", published_at=START, text=text
        )
        log.append(peers.local(f"post:{number}", post))
    write_log(database, peers.log_of(log))
    large = Repairable(database, projected(database))
    tracemalloc.start()
    try:
        assert large.repair(LOCAL[ALICE], told_max=5).differences == ()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        large.close()
    assert peak < length * posts / 2, "what it wrote, or the rows of it, were held whole"


def test_what_is_projected_meanwhile_waits_and_comes_out_the_same(
    database: Database, told: Repairable, story: Story
) -> None:
    story.tell(peers.received(BEN, peers.create(f"{BEN}/n/2", BEN, inReplyTo=HELLO_URI)))
    write_log(database, story.log[-1:])
    told.change("UPDATE statuses SET replies = 9 WHERE id = %s", HELLO)
    projector = projector_of(database, told.live)
    projecting = threading.Thread(target=project_all, args=(projector, 500))
    with psycopg.connect(database.owner, autocommit=True) as owner, owner.transaction():
        told.repair_over(owner, LOCAL[ALICE])
        projecting.start()
        until_it_waits(database, told.live)
    projecting.join()
    assert told.digests() == digests(database, projected(database))


def until_it_waits(database: Database, live: Generation) -> None:
    """Return when whoever projects into it waits for a lock."""
    waiting = "SELECT FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'"
    with psycopg.connect(database.owner, autocommit=True) as watching:
        deadline = time.monotonic() + TIMEOUT_S
        while watching.execute(waiting, [f"daybook project {live.schema}"]).fetchone() is None:
            assert time.monotonic() < deadline, "it does not wait"
