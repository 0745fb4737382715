"""Ids belong to URIs: given once, in log order, by time, and never by anybody else's word."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

import psycopg
import pytest

from adapters.interpreter.ids import MILLISECOND, PROBES_MAX, REMOTE_BIT, Proposal, proposals, settle_ids
from tests.adapters.interpreter import peers
from tests.adapters.interpreter.peers import ALICE, ANN, MAL, OURS, at, log_of
from tests.database import Database

POST = "https://good.test/n/1"
NOON = datetime.fromisoformat("2026-04-30T12:00:00Z")


@pytest.fixture
def connection(database: Database) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database.app) as made:
        yield made


def proposed(*entries: tuple[str, object]) -> dict[str, int]:
    found = [proposal for recorded in log_of(entries) for proposal in proposals(recorded.event, OURS)]
    return {proposal.uri: proposal.id for proposal in reversed(found)}


def milliseconds(when: datetime) -> int:
    return int(when.timestamp()) * 1000


def test_the_frozen_extractor_gives_these_very_ids_for_ever() -> None:
    assert proposed(
        peers.fetched(ANN, peers.actor(ANN, published="2020-02-02T00:00:00Z")),
        peers.received(ANN, peers.create(POST, ANN)),
        peers.registered(ALICE),
    ) == {ANN: 103586306457639053, POST: 116493543014438821, ALICE: 65536}


def test_an_id_is_its_time_in_milliseconds_with_the_remote_bit() -> None:
    post = proposed(peers.received(ANN, peers.create(POST, ANN)))[POST]
    assert post // MILLISECOND == milliseconds(NOON)
    assert post & REMOTE_BIT


@pytest.mark.parametrize("published", ["9999-12-31T23:59:59Z", None, "", "yesterday", 7, "2026-13-01"])
def test_an_id_is_never_later_than_its_receipt(published: object) -> None:
    found = proposed(peers.received(ANN, peers.create(POST, ANN, published=published)))
    # A body of a shape that this extractor can't read names nothing but its signer; the post gets its id by receipt.
    assert found.get(POST, found[ANN]) // MILLISECOND == milliseconds(at(1))


def test_an_id_is_never_negative() -> None:
    found = proposed(peers.received(ANN, peers.create(POST, ANN, published="0001-01-01T00:00:00+14:00")))
    assert found[POST] // MILLISECOND == milliseconds(datetime.fromisoformat("2000-01-01T00:00:00Z"))


def test_nobody_gives_an_id_to_another_origin_s_uri_nor_to_ours() -> None:
    foreign = peers.received(MAL, peers.create(POST, MAL))
    ours = peers.received(MAL, peers.create(f"{OURS}/n/1", MAL))
    forwarded = peers.received(MAL, peers.create(f"{MAL}/1", ANN))
    local_signer = peers.received(ALICE, peers.create(f"{OURS}/n/2", ALICE))
    assert set(proposed(foreign, ours, forwarded, local_signer)) == {MAL}


def test_a_uri_that_no_index_holds_gets_no_id() -> None:
    assert list(proposed(peers.received(ANN, peers.create("https://good.test/" + "é" * 2000, ANN)))) == [ANN]


def test_what_is_there_already_stays_and_a_taken_number_gives_way_to_the_next(connection: psycopg.Connection) -> None:
    first, late = Proposal("https://a.test/1", None, at(1)), at(1)
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO app.ids VALUES ('https://b.test/taken', %s)", [first.id])
        given = settle_ids(cursor, [first], [], []).by_uri
        again = settle_ids(cursor, [Proposal("https://a.test/1", "2020-01-01", late)], [], [first.id])
    assert given == {"https://a.test/1": first.id + 1}
    assert again.by_uri == {"https://a.test/1": first.id + 1, "https://b.test/taken": first.id}
    assert again.by_id[first.id] == "https://b.test/taken"


def test_numbers_that_clash_come_out_alike_in_one_batch_and_one_by_one(connection: psycopg.Connection) -> None:
    wanted = [Proposal(f"https://a.test/{number}", "2026-04-30T12:00:00Z", at(number)) for number in range(10_000)]
    # So crowded that what gives way takes the number that another asks for.
    same = [proposal for proposal in wanted if abs(proposal.id - wanted[0].id) < 300]
    with connection.cursor() as cursor:
        settle_ids(cursor, same, [], [])
        together = settle_ids(cursor, [], [proposal.uri for proposal in same], []).by_uri
        connection.rollback()
        one_by_one = {proposal.uri: settle_ids(cursor, [proposal], [], []).by_uri[proposal.uri] for proposal in same}
    assert len({proposal.id for proposal in same}) < len(same), "nothing clashed"
    assert together == one_by_one


def test_a_millisecond_that_is_full_gives_way_to_the_receipt_s_after_a_few_tries() -> None:
    numbers = list(islice(Proposal(POST, "2026-04-30T12:00:00Z", at(1)).candidates(), 1 + 3 * PROBES_MAX))
    tried = [number // MILLISECOND for number in numbers]
    assert (
        tried
        == [milliseconds(NOON)] * (PROBES_MAX + 1)
        + [milliseconds(at(1))] * PROBES_MAX
        + [milliseconds(at(1)) + 1] * PROBES_MAX
    )
    assert all(number & REMOTE_BIT for number in numbers)
