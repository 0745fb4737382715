"""Who is gone counts no more: what they liked, boosted, answered and followed, however it was batched."""

import psycopg
import pytest

from domain.post import PostPublished
from tests.adapters.interpreter import peers
from tests.adapters.interpreter.histories import History
from tests.adapters.interpreter.peers import ALICE, ANN, BEN, LOCAL, PUBLIC, START, local
from tests.database import Database
from tests.projections.histories import TimelineHistory
from tests.projections.projecting import new_generation, project_all, projector_of, write_log
from tests.seeds import new_seed

OWN, LATER = f"{ALICE}/statuses/9", "https://good.test/n/later"
PEOPLE = [peers.registered(ALICE), *(peers.fetched(uri, peers.actor(uri)) for uri in (ANN, BEN))]


def own_post() -> tuple[str, object]:
    post = PostPublished(post=9 << 16, author=LOCAL[ALICE], uri=OWN, url=OWN, visibility="public", published_at=START)
    return local("post:9", post)


def done_by(who: str) -> list[tuple[str, object]]:
    """A like, a boost, an answer to what is there, one to what is not yet, and a follow."""
    return [
        peers.received(who, peers.act("Like", who, OWN, "l1")),
        peers.received(who, peers.act("Announce", who, OWN, "b1", to=[PUBLIC])),
        peers.received(who, peers.create(f"{who}/n/1", who, inReplyTo=OWN)),
        peers.received(who, peers.create(f"{who}/n/2", who, inReplyTo=LATER)),
        peers.received(who, peers.act("Follow", who, ALICE, "f1")),
    ]


def gone(who: str) -> tuple[str, object]:
    return peers.received(who, peers.act("Delete", who, who, "gone"))


def followed(history: list[tuple[str, object]], database: Database, size: int) -> dict[str, tuple[int, ...]]:
    """Replies, favourites and boosts of both posts, and Alice's followers."""
    write_log(database, peers.log_of(history))
    generation = new_generation(database)
    project_all(projector_of(database, generation), size)
    with psycopg.connect(database.owner) as owner:
        owner.execute(f"SET search_path TO {generation.schema}".encode())
        posts = owner.execute(
            "SELECT uri, replies, favourites, reblogs FROM statuses WHERE uri = ANY(%s)", [[OWN, LATER]]
        ).fetchall()
        alice = owner.execute(
            "SELECT followers, following FROM account_counts WHERE account = %s", [LOCAL[ALICE]]
        ).fetchone()
    assert alice is not None
    return {**{uri: tuple(counts) for uri, *counts in posts}, ALICE: tuple(alice)}


@pytest.mark.parametrize("size", [1, 3, 500])
@pytest.mark.parametrize("leaves", [False, True])
def test_what_somebody_did_counts_until_they_are_gone(database: Database, size: int, leaves: bool) -> None:
    history = [*PEOPLE, own_post(), *done_by(BEN), *done_by(ANN)[:4]]
    if leaves:
        history += [gone(BEN), peers.received(BEN, peers.act("Like", BEN, OWN, "l2"))]
    history.append(peers.received(ANN, peers.create(LATER, ANN)))
    counted = 1 if leaves else 2
    assert followed(history, database, size) == {OWN: (counted,) * 3, LATER: (counted, 0, 0), ALICE: (0, 0)}


@pytest.mark.parametrize("size", [1, 500])
def test_who_is_gone_follows_nobody_and_an_undo_afterwards_counts_nothing_twice(database: Database, size: int) -> None:
    history = [
        *PEOPLE,
        own_post(),
        *done_by(BEN),
        gone(BEN),
        gone(BEN),
        peers.received(BEN, peers.undo(BEN, f"{BEN}/l1")),
    ]
    assert followed(history, database, size) == {OWN: (0, 0, 0), ALICE: (0, 0)}


@pytest.fixture(params=[20261126, new_seed("counters")], ids=lambda seed: f"seed {seed}")
def history(request: pytest.FixtureRequest, database: Database) -> History:
    made = TimelineHistory(request.param, 1_500)
    write_log(database, made.log)
    return made


COUNTERS = {
    "answers": """
        SELECT p.uri FROM statuses p WHERE p.reblog_of IS NULL AND p.replies <> (
            SELECT count(*) FROM statuses s JOIN accounts a ON a.id = s.account
            WHERE s.in_reply_to_uri = p.uri AND s.visibility IN ('public', 'unlisted')
                AND s.deleted IS NULL AND a.deleted IS NULL)
    """,
    "favourites": """
        SELECT p.uri FROM statuses p WHERE p.favourites <> (
            SELECT count(*) FROM favourites f WHERE f.status = p.id AND f.until IS NULL)
    """,
    "boosts": """
        SELECT p.uri FROM statuses p WHERE p.reblogs <> (
            SELECT count(*) FROM statuses b WHERE b.reblog_of = p.id AND b.deleted IS NULL)
    """,
    "followers": """
        SELECT c.account FROM account_counts c WHERE c.followers <> (
            SELECT count(*) FROM follows f WHERE f.followee = c.account AND f.stage = 'following' AND f.until IS NULL)
    """,
}


@pytest.mark.parametrize("size", [1, 500])
def test_every_counter_is_what_its_rows_add_up_to(database: Database, history: History, size: int) -> None:
    generation = new_generation(database)
    project_all(projector_of(database, generation), size)
    with psycopg.connect(database.owner) as owner:
        owner.execute(f"SET search_path TO {generation.schema}".encode())
        wrong = {name: owner.execute(sql.encode()).fetchall() for name, sql in COUNTERS.items()}
        assert not any(wrong.values()), wrong
