"""Somebody who stays away has no home, and finds it again when they come back."""

from datetime import timedelta

import msgspec
import psycopg
import pytest

from adapters.postgres.visits import NOTED_EVERY, TRY_AGAIN_S, Visits
from adapters.wiring import utc_now
from tests.api.mastodon.world import Person, World
from tests.projections.projecting import wait_until_killed
from workers.schedule import DROPPED_A_MINUTE_MAX, SCHEDULE, drop_homes

pytestmark = pytest.mark.anyio

HOME = "/api/v1/timelines/home"
VISITS = "SELECT account FROM app.visits"
# PostgreSQL fails to write a visit down, and goes on reading.
FAILS = """
    CREATE FUNCTION app.fail() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'as % has it', TG_ARGV[0] USING ERRCODE = TG_ARGV[0]; END $$;
    CREATE TRIGGER fails BEFORE INSERT ON app.visits EXECUTE FUNCTION app.fail(':fault');
"""


async def away(world: World, person: Person, days: int = 31) -> None:
    """Let somebody not have been here for so many days, and what the schedule does about it be done."""
    async with world.server.pool.connection() as connection:
        moved = "UPDATE app.visits SET last_at = last_at - %s WHERE account = %s"
        assert (await connection.execute(moved, [timedelta(days=days), person.number])).rowcount == 1
    await drop_homes(world.server)
    await world.settled()


async def entries(world: World, person: Person) -> int:
    """How many rows somebody's home costs."""
    asked = "SELECT count(*) FROM home WHERE owner = %(owner)s"
    return (await world.server.reads.view().execute(asked, {"owner": person.number}))[0][0]


async def two_who_follow(world: World, *names: str) -> tuple[Person, Person, list[Person]]:
    """Alice, who stays, and bob, both of whom follow these."""
    alice, bob = await world.person("alice"), await world.person("bob")
    followed = [await world.person(name) for name in names]
    for person in followed:
        await alice.follow(person)
        await bob.follow(person)
    await world.settled()
    return alice, bob, followed


async def test_the_absent_find_the_home_that_they_would_have_had(world: World) -> None:
    alice, bob, (carol, dave) = await two_who_follow(world, "carol", "dave")
    stranger = await world.person("stranger")
    before = await carol.post("before")
    await world.settled()
    assert await bob.home() == await alice.home() == [before["id"]]
    await away(world, bob)
    assert (await entries(world, bob), await entries(world, alice)) == (0, 1)
    gone = await carol.post("and gone")
    to_bob = await carol.post("for @bob alone", visibility="direct")
    await carol.post("for @alice alone", visibility="direct")
    private, passed_on = await dave.post("for my followers", visibility="private"), await stranger.post("passed on")
    await world.settled()
    boost = await dave.ask("POST", f"/api/v1/statuses/{passed_on['id']}/reblog")
    await carol.ask("DELETE", f"/api/v1/statuses/{gone['id']}")
    await world.settled()
    assert await entries(world, bob) == 0, "what is posted costs nothing for whoever is away"
    expected = [boost["id"], private["id"], to_bob["id"], before["id"]]
    assert await bob.home() == expected
    after = await carol.post("after")
    await world.settled()
    assert await bob.home() == [after["id"], *expected]
    assert await bob.home(limit=2, max_id=private["id"]) == expected[2:4]


async def test_a_home_in_the_making_is_answered_206_whatever_happens_to_its_maker(world: World) -> None:
    _, bob, (carol,) = await two_who_follow(world, "carol")
    await away(world, bob)
    posted = await carol.post("meanwhile")
    await world.settled()
    n = world.server.reads.view().n
    with psycopg.connect(str(world.settings.database_url)) as holding:
        # Whoever reads home goes on; who would write it waits.
        holding.execute(f"LOCK TABLE read_{n}.home IN SHARE MODE".encode())
        first = await bob.raw("GET", HOME)
        assert (first.status_code, first.json()) == (206, [])
        assert first.headers["Daybook-Behind"] == "1"
        wait_until_killed(str(world.settings.database_url), n)
        assert (await bob.raw("GET", HOME, params={"min_id": "1"})).status_code == 206
    await world.settled()
    assert await bob.home() == [posted["id"]]


async def test_who_posts_while_away_finds_it_in_their_home(world: World) -> None:
    _, bob, (carol,) = await two_who_follow(world, "carol")
    stranger = await world.person("stranger")
    await away(world, bob)
    passed_on, of_carol, of_bob = await stranger.post("zero"), await carol.post("one"), await bob.post("two")
    await world.settled()
    boost = await bob.ask("POST", f"/api/v1/statuses/{passed_on['id']}/reblog")
    await world.settled()
    assert await entries(world, bob) == 0
    assert await bob.home() == [boost["id"], of_bob["id"], of_carol["id"]]


async def test_the_home_of_whoever_is_here_is_kept(world: World) -> None:
    _, bob, (carol,) = await two_who_follow(world, "carol")
    posted = await carol.post("hello")
    await world.settled()
    await away(world, bob, days=29)
    assert await entries(world, bob) == 1
    world.server.settings = msgspec.structs.replace(world.server.settings, home_days=0)
    await away(world, bob, days=900)
    assert await entries(world, bob) == 1, "0 is never"
    world.server.settings = msgspec.structs.replace(world.server.settings, home_days=1)
    await Visits(world.server.pool, utc_now).note(bob.number)
    await drop_homes(world.server)
    await world.settled()
    assert await bob.home() == [posted["id"]]


async def test_a_new_account_is_away_only_when_it_could_have_been_here_for_so_long(world: World) -> None:
    bob, carol = await world.person("bob"), await world.person("carol")
    async with world.server.pool.connection() as connection:
        asked = "UPDATE app.users SET created_at = created_at - interval '31 days' WHERE account = %s"
        await connection.execute(asked, [carol.number])
    await drop_homes(world.server)
    await world.settled()
    kept = "SELECT owner, kept FROM home_turns"
    assert await world.server.reads.view().execute(kept, {}) == [(carol.number, False)]
    assert (await bob.raw("GET", HOME)).status_code == 200


async def test_of_many_who_went_away_on_one_day_a_few_homes_are_dropped_a_minute(world: World) -> None:
    (entry,) = [entry for entry in SCHEDULE if entry.do is drop_homes]
    assert entry.every == timedelta(minutes=1)
    many = DROPPED_A_MINUTE_MAX + 1
    for number in range(many):
        await world.person(f"person{number}")
    async with world.server.pool.connection() as connection:
        await connection.execute("UPDATE app.users SET created_at = created_at - interval '31 days'")
    gone = "SELECT count(*) FROM home_turns WHERE NOT kept"
    for expected in (DROPPED_A_MINUTE_MAX, many):
        await drop_homes(world.server)
        await world.settled()
        assert await world.server.reads.view().execute(gone, {}) == [(expected,)]


async def test_homes_that_can_not_be_dropped_stand_in_nobodys_way(world: World) -> None:
    people = [await world.person(f"person{number}") for number in range(DROPPED_A_MINUTE_MAX + 1)]
    n = world.server.reads.view().n
    *first, last = sorted(person.number for person in people)
    with psycopg.connect(str(world.settings.database_url), autocommit=True) as owner:
        owner.execute("UPDATE app.users SET created_at = created_at - interval '31 days'")
        owner.execute(f"ALTER TABLE read_{n}.home_turns ADD CHECK (owner >= {last})".encode())
    for _ in range(2):
        await drop_homes(world.server)
        await world.settled()
    parked = await world.server.reads.view().execute("SELECT reason FROM parked WHERE waits_for IS NULL", {})
    assert len(parked) == len(first) and "CheckViolation" in parked[0][0]
    assert await world.server.reads.view().execute("SELECT owner FROM home_turns", {}) == [(last,)]


async def test_anything_that_somebody_asks_is_a_visit_noted_once_an_hour(world: World) -> None:
    bob = await world.person("bob")
    noted: list[object] = []
    for _ in range(2):
        await bob.get("/api/v1/notifications")
        async with world.server.pool.connection() as connection:
            cursor = await connection.execute("SELECT last_at FROM app.visits WHERE account = %s", [bob.number])
            noted += await cursor.fetchall()
    assert len(noted) == 2 and len(set(noted)) == 1
    later = utc_now() + NOTED_EVERY
    await Visits(world.server.pool, lambda: later).note(bob.number)
    await Visits(world.server.pool, utc_now).note(bob.number)
    async with world.server.pool.connection() as connection:
        cursor = await connection.execute("SELECT last_at FROM app.visits WHERE account = %s", [bob.number])
        assert await cursor.fetchone() == (later,)


@pytest.mark.parametrize("fault", ["disk_full", "read_only_sql_transaction"])
async def test_who_can_not_be_noted_is_answered_all_the_same_and_noted_once_that_works_again(
    world: World, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    bob = await world.person("bob")
    clock_s = 0.0
    visits = Visits(world.server.pool, utc_now, lambda: clock_s)
    with psycopg.connect(str(world.settings.database_url), autocommit=True) as owner:
        owner.execute(FAILS.replace(":fault", fault).encode())
        assert await bob.home() == []
        await visits.note(bob.number)
        assert "can't be noted" in caplog.text and fault in caplog.text
        owner.execute("DROP TRIGGER fails ON app.visits")
        await visits.note(bob.number)
        assert owner.execute(VISITS).fetchall() == [], "every request would wait for what fails"
        clock_s = TRY_AGAIN_S
        await visits.note(bob.number)
        assert owner.execute(VISITS).fetchall() == [(bob.number,)]
