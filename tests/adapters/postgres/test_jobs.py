"""A job is asked for in anybody's transaction, done by one at a time, and lost by nobody's death."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from adapters.postgres.jobs import A_LANE_MAX, CHANNEL, TRIES_MAX, Asked, JobQueue, ask, ask_all, retry_in
from adapters.postgres.short_statements import Pool
from tests.database import Database

pytestmark = pytest.mark.anyio
LATER = timedelta(hours=1)
KINDS = ["fetch", "thread"]


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    async with AsyncConnectionPool(
        database.app, min_size=1, max_size=4, open=False, kwargs={"autocommit": True}
    ) as pool:
        yield pool


@pytest.fixture
def jobs(pool: Pool) -> JobQueue:
    return JobQueue(pool)


@pytest.fixture
def owner(database: Database) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database.owner, autocommit=True) as connection:
        yield connection


def make_due(owner: psycopg.Connection) -> None:
    owner.execute("UPDATE app.jobs SET due_at = now()")


async def test_what_is_asked_for_is_there_when_the_transaction_commits_and_rung_for(
    database: Database, jobs: JobQueue, owner: psycopg.Connection
) -> None:
    owner.execute(f"LISTEN {CHANNEL}".encode())
    with psycopg.connect(database.app) as asking, asking.cursor() as cursor:
        ask(cursor, "fetch", "https://a.test/1", {"why": "boosted"}, lane="a.test")
        assert await jobs.take(10, KINDS) == []
        asking.commit()
    assert len(list(owner.notifies(timeout=10, stop_after=1))) == 1
    (job,) = await jobs.take(10, KINDS)
    assert (job.kind, job.subject, job.payload, job.lane) == ("fetch", "https://a.test/1", {"why": "boosted"}, "a.test")


async def test_a_transaction_that_is_rolled_back_asked_for_nothing(database: Database, jobs: JobQueue) -> None:
    with psycopg.connect(database.app) as asking, asking.cursor() as cursor:
        ask(cursor, "fetch", "https://a.test/1")
        asking.rollback()
    assert await jobs.take(10, KINDS) == []


async def test_an_open_job_is_asked_for_as_often_as_one_likes(database: Database, jobs: JobQueue) -> None:
    with psycopg.connect(database.app, autocommit=True) as asking, asking.cursor() as cursor:
        ask_all(cursor, [Asked("fetch", "u", due_in=LATER), Asked("fetch", "u"), Asked("fetch", "v")])
        ask_all(cursor, [Asked("fetch", "u"), Asked("thread", "u")])
    taken = await jobs.take(10, KINDS)
    assert sorted((job.kind, job.subject) for job in taken) == [("fetch", "u"), ("fetch", "v"), ("thread", "u")]


async def test_a_job_is_taken_by_one(jobs: JobQueue) -> None:
    await jobs.ask(*(Asked("fetch", str(n), lane=str(n)) for n in range(20)))
    taken = await asyncio.gather(*(jobs.take(10, KINDS) for _ in range(4)))
    ids = [job.id for some in taken for job in some]
    assert len(ids) == len(set(ids))


async def test_a_done_job_is_gone_and_may_be_asked_for_anew(jobs: JobQueue) -> None:
    await jobs.ask(Asked("fetch", "u"))
    (job,) = await jobs.take(10, KINDS)
    await jobs.done(job)
    assert await jobs.next_in_s(KINDS) is None
    await jobs.ask(Asked("fetch", "u"))
    assert len(await jobs.take(10, KINDS)) == 1


async def test_what_is_asked_for_while_it_is_under_way_is_done_once_more(jobs: JobQueue) -> None:
    await jobs.ask(Asked("fetch", "u"))
    (job,) = await jobs.take(10, KINDS)
    await jobs.ask(Asked("fetch", "u"))
    assert await jobs.take(10, KINDS) == []
    await jobs.done(job)
    (again,) = await jobs.take(10, KINDS)
    assert (again.id, again.attempts) == (job.id, 1)


async def test_whoever_dies_leaves_the_job_to_others_when_the_lease_runs_out(pool: Pool) -> None:
    dying = JobQueue(pool, lease=timedelta())
    await dying.ask(Asked("fetch", "u"))
    (first,) = await dying.take(10, KINDS)
    (second,) = await JobQueue(pool).take(10, KINDS)
    assert (second.id, second.attempts) == (first.id, 2)
    assert await JobQueue(pool).take(10, KINDS) == []


async def test_a_lease_that_is_extended_does_not_run_out(pool: Pool, jobs: JobQueue) -> None:
    brief = JobQueue(pool, lease=timedelta())
    await brief.ask(Asked("fetch", "u"))
    (job,) = await brief.take(10, KINDS)
    await jobs.extend([job.id])
    assert await jobs.take(10, KINDS) == []


async def test_a_failed_job_waits_longer_each_time_and_is_given_up_after_eight(
    jobs: JobQueue, owner: psycopg.Connection
) -> None:
    await jobs.ask(Asked("fetch", "u"))
    for attempt in range(1, TRIES_MAX + 1):
        (job,) = await jobs.take(10, KINDS)
        assert job.attempts == attempt
        await jobs.failed(job, "no answer\0")
        assert await jobs.take(10, KINDS) == []
        make_due(owner)
    assert owner.execute("SELECT last_error, given_up_at IS NULL FROM app.jobs").fetchall() == [("no answer", False)]
    assert await jobs.take(10, KINDS) == [] and await jobs.forget() == 0
    owner.execute("UPDATE app.jobs SET given_up_at = now() - interval '8 days'")
    assert await jobs.forget() == 1


def test_the_delays_grow_from_half_a_minute_to_six_hours() -> None:
    delays = [retry_in(attempt) for attempt in range(1, TRIES_MAX + 1)]
    assert delays == sorted(delays)
    assert (delays[0], delays[-1]) == (timedelta(seconds=30), timedelta(hours=6))


async def test_asking_again_does_not_hurry_a_job_that_failed(jobs: JobQueue) -> None:
    await jobs.ask(Asked("fetch", "u"))
    (job,) = await jobs.take(10, KINDS)
    await jobs.failed(job, "no answer")
    await jobs.ask(Asked("fetch", "u"))
    assert await jobs.take(10, KINDS) == []
    wait_s = await jobs.next_in_s(KINDS)
    assert wait_s is not None and 20 < wait_s <= 30


async def test_one_hosts_many_jobs_leave_room_for_anothers(jobs: JobQueue) -> None:
    await jobs.ask(*(Asked("fetch", f"a{n}", lane="a.test") for n in range(50)))
    await jobs.ask(Asked("fetch", "b", lane="b.test"))
    taken = await jobs.take(10, KINDS)
    assert sorted(job.lane for job in taken) == ["a.test"] * A_LANE_MAX + ["b.test"]
    assert await jobs.take(10, KINDS, {"a.test": A_LANE_MAX, "b.test": 1}) == []
    more = await jobs.take(10, KINDS, {"a.test": A_LANE_MAX - 1})
    assert [job.lane for job in more] == ["a.test"]


async def test_a_kind_that_this_code_does_not_know_waits_for_code_that_does(jobs: JobQueue) -> None:
    await jobs.ask(Asked("knit", "a sweater"))
    assert await jobs.take(10, KINDS) == []
    assert len(await jobs.take(10, ["knit"])) == 1


async def test_what_is_due_and_done_by_nobody_is_found_by_the_sweep(jobs: JobQueue) -> None:
    (due, _, taken) = await jobs.ask(Asked("fetch", "a"), Asked("fetch", "b", due_in=LATER), Asked("thread", "c"))
    await jobs.take(1, ["thread"])
    assert await jobs.due(10) == [due] and taken != due
