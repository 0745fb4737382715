"""The projector as a process: it follows the pointer, and survives what is done to the tables under it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import psycopg
import pytest

from adapters.codec import Codec
from adapters.config import Settings, SettingsError
from adapters.postgres import generations, projecting, touching
from adapters.postgres.event_log import new_events
from adapters.postgres.generations import Generation
from adapters.postgres.writer import GroupWriter
from domain.account import KeyAdded
from projections.touched import account
from tests.database import APP_ROLE, MASTER_KEY, Database
from workers.projector import follow

TIMEOUT_S = 20.0


@contextmanager
def followed(settings: Settings) -> Iterator[threading.Thread]:
    """A projector at work."""
    stopping = threading.Event()
    thread = threading.Thread(target=follow, args=[settings, stopping])
    thread.start()
    try:
        yield thread
    finally:
        stopping.set()
        thread.join(TIMEOUT_S)


def append(settings: Settings, number: int) -> int:
    """One more event; gives its position."""
    assert settings.database_app_url is not None
    codec, stream = Codec(MASTER_KEY), f"account:{number}"
    event = KeyAdded(account=number, key_id=f"https://a.test/{number}#key", public_key_pem="")
    writer = GroupWriter(settings.database_app_url)
    try:
        return writer.submit(new_events(stream, 0, [codec.seal(stream, event)])).result(TIMEOUT_S).positions[0]
    finally:
        writer.close()


def wait_until_projected(database: Database, generation: Generation, position: int) -> None:
    """Return when the generation has come to a position."""
    with psycopg.connect(database.app, autocommit=True) as connection:
        connection.execute(f"LISTEN {projecting.CHANNEL}")
        while generations.position_of(connection, generation) < position:
            heard = list(connection.notifies(timeout=TIMEOUT_S, stop_after=1))
            assert heard, "nothing was projected in time"


def test_what_is_appended_is_projected(settings: Settings, database: Database) -> None:
    with followed(settings):
        wait_until_projected(database, Generation(1, "", ""), append(settings, 1))


def test_what_was_touched_is_told_before_how_far_it_has_come(settings: Settings, database: Database) -> None:
    with followed(settings), psycopg.connect(database.app, autocommit=True) as connection:
        wait_until_projected(database, Generation(1, "", ""), append(settings, 1))
        connection.execute(f"LISTEN {projecting.CHANNEL}")
        connection.execute(f"LISTEN {touching.CHANNEL}")
        position = append(settings, 2)
        told, passed = connection.notifies(timeout=TIMEOUT_S, stop_after=2)
        assert (told.channel, passed.channel) == (touching.CHANNEL, projecting.CHANNEL)
        assert passed.payload == f"1:{position}"
        assert touching.heard(told.payload) == touching.Told(1, (account(2),))


def test_a_projector_whose_tables_are_dropped_takes_up_the_live_ones(settings: Settings, database: Database) -> None:
    with followed(settings) as thread:
        wait_until_projected(database, Generation(1, "", ""), append(settings, 1))
        with psycopg.connect(database.owner, autocommit=True) as owner:
            # Moved without telling anybody, so that the projector finds its tables gone.
            second = generations.create(owner, APP_ROLE)
            with owner.transaction():
                owner.execute("UPDATE app.generations SET status = 'kept' WHERE n = 1")
                owner.execute("UPDATE app.generations SET status = 'live' WHERE n = %s", [second.n])
            generations.drop(owner, Generation(1, "", "kept"))
        wait_until_projected(database, second, append(settings, 2))
        assert thread.is_alive()


def test_of_two_projectors_one_waits_and_takes_over_when_the_other_ends(settings: Settings, database: Database) -> None:
    with followed(settings):
        with followed(settings):
            wait_until_projected(database, Generation(1, "", ""), append(settings, 1))
        wait_until_projected(database, Generation(1, "", ""), append(settings, 2))


def test_a_live_generation_is_never_dropped(settings: Settings, database: Database) -> None:
    with psycopg.connect(database.owner, autocommit=True) as owner:
        live = generations.live(owner)
        assert live is not None
        generations.drop(owner, live)
        assert generations.live(owner) == live
        assert generations.position_of(owner, live) == 0


@pytest.mark.parametrize("another", [bytes(32).hex(), None], ids=["of somewhere else", "made just now"])
def test_with_another_master_key_nothing_is_projected_and_a_sentence_says_why(
    settings: Settings, database: Database, another: str | None
) -> None:
    append(settings, 1)
    with pytest.raises(SettingsError, match="master key is not the one"):
        follow(msgspec.structs.replace(settings, master_key=another), threading.Event())
    with psycopg.connect(database.owner) as owner:
        assert owner.execute("SELECT count(*) FROM read_1.parked").fetchone() == (0,)
        assert generations.position_of(owner, Generation(1, "", "")) == 0
