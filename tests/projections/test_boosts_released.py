"""What somebody boosted, took back and boosted again before the post was there: all of it is settled at one place."""

from collections.abc import Iterator

import psycopg
import pytest

from adapters.postgres.generations import Generation
from tests.adapters.interpreter import peers
from tests.adapters.interpreter.peers import ANN, BEN, BOB, LOCAL, PUBLIC
from tests.adapters.test_repairing import Repairable
from tests.database import Database
from tests.projections.projecting import digests, new_generation, project_all, projector_of, write_log
from tests.projections.story import Story

POST = f"{BEN}/n/unheard-of"
FIRST = {"id": f"{ANN}/boost", "type": "Announce", "actor": ANN, "object": POST, "to": [PUBLIC]}
SECOND = {"the same boost": FIRST | {"cc": []}, "another boost": FIRST | {"id": f"{ANN}/boost-again"}}


@pytest.fixture(params=SECOND)
def database_of(request: pytest.FixtureRequest, database: Database) -> Database:
    told = Story()
    for activity in (FIRST, peers.undo(ANN, FIRST["id"], "undone"), SECOND[request.param]):
        told.tell(peers.received(ANN, activity))
    told.tell(peers.received(BEN, peers.create(POST, BEN)))
    write_log(database, told.log)
    return database


@pytest.fixture
def repairable(database_of: Database) -> Iterator[Repairable]:
    made = Repairable(database_of, projected(database_of, 500))
    yield made
    made.close()


def projected(database: Database, size: int) -> Generation:
    generation = new_generation(database)
    project_all(projector_of(database, generation), size)
    return generation


def test_the_boost_that_stands_is_in_a_followers_home_and_nothing_is_set_aside(database_of: Database) -> None:
    together, one_by_one = projected(database_of, 500), projected(database_of, 1)
    assert digests(database_of, together) == digests(database_of, one_by_one)
    with psycopg.connect(database_of.owner, options=f"-c search_path={together.schema}") as owner:
        assert owner.execute("SELECT count(*) FROM parked WHERE waits_for IS NULL").fetchone() == (0,)
        boosts = "SELECT b.id FROM statuses b JOIN statuses p ON p.id = b.reblog_of WHERE p.uri = %s ORDER BY b.id"
        home = "SELECT entry FROM home WHERE owner = %s AND via = 'boost' AND entry IN (SELECT b.id FROM statuses b "
        home += "JOIN statuses p ON p.id = b.reblog_of WHERE p.uri = %s) ORDER BY entry"
        found = owner.execute(home.encode(), [LOCAL[BOB], POST]).fetchall()
        assert found == owner.execute(boosts.encode(), [POST]).fetchall() != []


def test_a_follower_of_who_boosted_can_be_repaired(repairable: Repairable) -> None:
    assert repairable.repair(LOCAL[BOB]).differences == ()
