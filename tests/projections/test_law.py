"""The law: every read model depends on the facts and their positions alone, however they were batched."""

import threading

import psycopg
import pytest

from projections.catalogue import KEYS
from tests.adapters.interpreter import peers
from tests.adapters.interpreter.histories import History
from tests.adapters.interpreter.peers import ALICE, ANN, BEN, PUBLIC
from tests.database import Database
from tests.projections.histories import TimelineHistory
from tests.projections.projecting import (
    digests,
    kill_backends,
    new_generation,
    project_all,
    projector_of,
    write_log,
)
from tests.seeds import new_seed

LENGTH = 1_500
SIZES = (1, 7, 500, 5_000)
KILLS_MAX = 25  # enough to meet every statement of a batch, and few enough to come to the end


@pytest.fixture(params=[20261121, new_seed("the law of projections")], ids=lambda seed: f"seed {seed}")
def history(request: pytest.FixtureRequest, database: Database) -> History:
    made = TimelineHistory(request.param, LENGTH)
    write_log(database, made.log)
    return made


def test_batches_of_any_size_and_a_second_run_give_the_same_rows(database: Database, history: History) -> None:
    found = []
    for size in (*SIZES, SIZES[1]):
        generation = new_generation(database)
        project_all(projector_of(database, generation), size)
        found.append(digests(database, generation))
    for other in found[1:]:
        assert other == found[0]
    assert set(found[0]) == set(KEYS)


def test_a_projector_killed_at_any_point_and_resumed_gives_the_same_rows(database: Database, history: History) -> None:
    whole, killed = new_generation(database), new_generation(database)
    project_all(projector_of(database, whole), 500)
    projecting = threading.Thread(target=project_all, args=(projector_of(database, killed), 40))
    projecting.start()
    kills = 0
    while projecting.is_alive() and kills < KILLS_MAX:
        kills += kill_backends(database, killed)
        projecting.join(timeout=0.03)
    projecting.join()
    assert kills > 3, "it was never killed"
    assert digests(database, killed) == digests(database, whole)
    with psycopg.connect(database.owner) as owner:
        poisoned = owner.execute(f"SELECT count(*) FROM {killed.schema}.parked WHERE waits_for IS NULL").fetchone()
    assert poisoned == (0,), "a lost connection parked something"


def test_the_random_histories_reach_every_table(database: Database, history: History) -> None:
    generation = new_generation(database)
    project_all(projector_of(database, generation), 500)
    with psycopg.connect(database.owner) as owner:
        for table in KEYS:
            row = owner.execute(f"SELECT count(*) FROM {generation.schema}.{table}".encode()).fetchone()
            assert row is not None and row[0] > 0, table


ANNOUNCE = f"{BEN}/boost1"
NARROW = {"to": [f"{ANN}/followers"]}
LOGS = {
    "an answer to a boost": [
        peers.received(ANN, peers.create(f"{ANN}/n/1", ANN)),
        peers.received(BEN, {**peers.act("Announce", BEN, f"{ANN}/n/1"), "id": ANNOUNCE, "to": [PUBLIC]}),
        peers.received(ANN, peers.create(f"{ANN}/n/2", ANN, inReplyTo=ANNOUNCE)),
    ],
    "a like before its author was named": [
        peers.fetched(f"{ANN}/n/1", peers.note(f"{ANN}/n/1", ANN, **NARROW)),
        peers.received(BEN, {**peers.act("Like", BEN, f"{ANN}/n/1"), "id": f"{BEN}/like1"}),
        peers.received(ANN, peers.create(f"{ANN}/n/1", ANN, to=[f"{ANN}/followers", BEN])),
    ],
}


@pytest.mark.parametrize("name", LOGS)
def test_what_comes_later_in_a_batch_is_not_known_earlier(database: Database, name: str) -> None:
    known = [peers.fetched(uri, peers.actor(uri)) for uri in (ANN, BEN)]
    write_log(database, peers.log_of([peers.registered(ALICE), *known, *LOGS[name]]))
    one_by_one, together = new_generation(database), new_generation(database)
    project_all(projector_of(database, one_by_one), 1)
    project_all(projector_of(database, together), 500)
    assert digests(database, one_by_one) == digests(database, together)
