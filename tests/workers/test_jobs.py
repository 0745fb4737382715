"""`daybook work`: what is asked for is done, whoever dies meanwhile and whatever Redis forgets."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import msgspec
import psycopg
import pytest
import redis
from psycopg_pool import AsyncConnectionPool

from adapters.codec import Codec
from adapters.config import Settings
from adapters.embedded.valkey import EmbeddedValkey
from adapters.fetching import fetch_job, thread_job
from adapters.postgres.jobs import Asked, Job, JobQueue, ask_all
from adapters.wiring import Server
from domain.activity import DocumentFetched
from tests.database import MASTER_KEY, Database
from tests.federation.peer import Peer, running_peer
from workers import jobs
from workers.jobs import KINDS, Hands, Hopeless
from workers.lives import live

TIMEOUT_S = 30.0
_EVENTS = """
    SELECT e.originator_id, e.topic, e.state, k.wrapped_key
    FROM log.events e JOIN keys.event_keys k ON k.position = e.notification_id ORDER BY e.notification_id
"""


@pytest.fixture
def settings(settings: Settings, valkey_server: EmbeddedValkey) -> Settings:
    return msgspec.structs.replace(settings, domain="localhost:3999", redis_url=valkey_server.url)


@pytest.fixture
def peer() -> Iterator[Peer]:
    with running_peer() as made:
        yield made


@contextmanager
def working(settings: Settings, kinds: dict[str, jobs.Kind] | None = None) -> Iterator[None]:
    """Hands at work."""
    stopping = threading.Event()

    async def life(server: Server, stopped: asyncio.Event) -> None:
        await Hands(server, kinds or KINDS).work(stopped)

    thread = threading.Thread(target=live, args=[settings, stopping, life])
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(TIMEOUT_S)


def ask(settings: Settings, *asked: Asked) -> None:
    assert settings.database_app_url is not None
    with psycopg.connect(settings.database_app_url) as connection, connection.cursor() as cursor:
        ask_all(cursor, asked)


def done(settings: Settings) -> None:
    """Return when no job is open."""
    assert settings.database_url is not None
    with psycopg.connect(settings.database_url, autocommit=True) as owner:
        for _ in range(int(TIMEOUT_S * 20)):
            open_ = owner.execute("SELECT count(*) FROM app.jobs WHERE given_up_at IS NULL").fetchone()
            if open_ == (0,):
                return
            threading.Event().wait(0.05)
        raise AssertionError(owner.execute("SELECT * FROM app.jobs").fetchall())


def becomes(found: Callable[[], bool]) -> None:
    """Return when that is so."""
    for _ in range(int(TIMEOUT_S * 20)):
        if found():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it never came")


def documents(settings: Settings) -> list[str]:
    """The URIs of the documents in the log, in its order."""
    assert settings.database_url is not None
    codec = Codec(MASTER_KEY)
    with psycopg.connect(settings.database_url) as owner:
        events = [codec.open(*row) for row in owner.execute(_EVENTS).fetchall()]
    return [event.uri for event in events if isinstance(event, DocumentFetched)]


def test_a_post_is_fetched_after_its_author_and_again_only_when_it_differs(settings: Settings, peer: Peer) -> None:
    note = peer.publish("Boosted")
    with working(settings):
        ask(settings, fetch_job(note, "boosted"))
        done(settings)
        ask(settings, fetch_job(note, "boosted"), fetch_job(peer.actor, "refetch"))
        done(settings)
    assert documents(settings) == [peer.actor, note]
    assert len([path for path in peer.fetched if path == f"/users/{peer.name}"]) == 2


def test_what_a_post_answers_is_fetched_upwards_and_a_circle_ends(settings: Settings, peer: Peer) -> None:
    root = peer.publish("Root")
    parent = peer.publish("Parent", inReplyTo=root)
    reply = peer.publish("Reply", inReplyTo=parent)
    peer.publish_again(root, inReplyTo=reply)
    with working(settings):
        ask(settings, fetch_job(reply, "boosted"))
        done(settings)
    assert documents(settings) == [peer.actor, reply, parent, root]


def test_those_whom_a_fetched_post_mentions_are_fetched_twenty_at_most(settings: Settings, peer: Peer) -> None:
    tags = [{"type": "Mention", "href": f"{peer.origin}/nobody/{n}", "name": f"@n{n}"} for n in range(25)]
    with running_peer("carol") as carol:
        tags.insert(0, {"type": "Mention", "href": carol.actor, "name": "@carol"})
        note = peer.publish("Hello", tag=tags)
        with working(settings):
            ask(settings, fetch_job(note, "boosted"))
            done(settings)
    assert documents(settings) == [peer.actor, note, carol.actor]
    assert len([path for path in peer.fetched if path.startswith("/nobody/")]) == 19


def test_a_chain_of_posts_that_mention_posts_is_followed_no_further_than_the_first_refers_to(
    settings: Settings, peer: Peer
) -> None:
    """Or whoever makes up such a chain would have us fetch for ever (security N13-N16)."""
    chain = [peer.publish("Last")]
    for number in range(5):
        tag = [{"type": "Mention", "href": chain[-1], "name": "@next"}]
        parent = peer.publish(f"Above {number}", tag=tag)
        chain.append(peer.publish(f"Link {number}", inReplyTo=parent, tag=tag))
    with working(settings):
        ask(settings, fetch_job(chain[-1], "boosted"))
        done(settings)
    assert sorted(documents(settings)) == sorted([peer.actor, chain[-1], parent])
    assert [link for link in chain if link.removeprefix(peer.origin) in peer.fetched] == chain[-2:]


def test_a_thread_is_climbed_fifty_steps_at_most(settings: Settings, peer: Peer) -> None:
    above = None
    for number in range(60):
        above = peer.publish(f"Step {number}", **({} if above is None else {"inReplyTo": above}))
    assert above is not None
    with working(settings):
        ask(settings, thread_job(above))
        done(settings)
    assert len(documents(settings)) == 1 + 50


def test_nothing_is_lost_when_redis_is_emptied_or_not_there_at_all(
    settings: Settings, peer: Peer, valkey_server: EmbeddedValkey
) -> None:
    notes = [peer.publish(f"Number {number}") for number in range(20)]
    ask(settings, *(fetch_job(note, "boosted") for note in notes[:10]))
    with redis.Redis.from_url(valkey_server.url) as client:
        client.flushall()
    with working(settings):
        done(settings)
    nowhere = msgspec.structs.replace(settings, redis_url="redis://127.0.0.1:1")
    with working(nowhere):
        ask(settings, *(fetch_job(note, "boosted") for note in notes[10:]))
        done(settings)
    assert sorted(documents(settings)) == sorted([peer.actor, *notes])


def test_a_job_of_a_killed_process_is_done_by_the_next(settings: Settings, peer: Peer) -> None:
    note = peer.publish("Taken by somebody who died")
    ask(settings, fetch_job(note, "boosted"))

    async def take_and_die() -> list[Job]:
        assert settings.database_app_url is not None
        async with AsyncConnectionPool(settings.database_app_url, kwargs={"autocommit": True}, open=False) as pool:
            return await JobQueue(pool, lease=timedelta(seconds=1)).take(10, KINDS)

    assert len(asyncio.run(take_and_die())) == 1
    with working(settings):
        done(settings)
    assert documents(settings) == [peer.actor, note]


def test_a_job_that_raises_is_tried_again_and_one_that_is_hopeless_is_not(settings: Settings) -> None:
    tried: list[str] = []

    async def knit(server: Server, job: Job) -> None:
        tried.append(job.subject)
        raise Hopeless if job.subject == "hopeless" else ZeroDivisionError("by nothing")

    async def report(server: Server, job: Job) -> None:
        done_with.set()

    done_with = threading.Event()
    with working(settings, {"knit": knit, "report": report}):
        ask(settings, Asked("knit", "hopeless"), Asked("knit", "raises"))
        while len(tried) < 2:
            threading.Event().wait(0.02)
        ask(settings, Asked("report", "later"))
        assert done_with.wait(TIMEOUT_S)
    assert settings.database_url is not None
    with psycopg.connect(settings.database_url) as owner:
        left = owner.execute("SELECT subject, attempts, last_error FROM app.jobs WHERE kind = 'knit'").fetchall()
    assert left == [("raises", 1, "ZeroDivisionError: by nothing")]


def test_a_job_that_ended_its_process_eight_times_is_given_up_without_being_done(
    settings: Settings, database: Database
) -> None:
    done: list[str] = []

    async def knit(server: Server, job: Job) -> None:
        done.append(job.subject)

    ask(settings, Asked("knit", "the eighth time"), Asked("knit", "once more"))
    with psycopg.connect(database.owner, autocommit=True) as owner:
        owner.execute("UPDATE app.jobs SET attempts = CASE subject WHEN 'once more' THEN 8 ELSE 7 END")
        with working(settings, {"knit": knit}):
            left = "SELECT subject, last_error FROM app.jobs WHERE given_up_at IS NOT NULL OR leased_until IS NULL"
            becomes(lambda: owner.execute(left).fetchall() == [("once more", "its process ended each time")])
    assert done == ["the eighth time"]


def test_a_peer_that_does_not_answer_is_asked_again_later(settings: Settings, database: Database, peer: Peer) -> None:
    note = peer.publish("Not today")
    peer.answers[note.removeprefix(peer.origin)] = 503
    with working(settings):
        ask(settings, fetch_job(note, "boosted"))
        with psycopg.connect(database.owner, autocommit=True) as owner:
            while owner.execute("SELECT last_error FROM app.jobs").fetchone() == (None,):
                threading.Event().wait(0.02)
            peer.answers.clear()
            owner.execute("UPDATE app.jobs SET due_at = now()")
            owner.execute("NOTIFY daybook_jobs")
        done(settings)
    assert documents(settings) == [peer.actor, note]


def test_posts_that_name_each_other_as_their_authors_come_to_nothing(settings: Settings, peer: Peer) -> None:
    one = peer.publish("One")
    other = peer.publish("Other", attributedTo=one)
    peer.publish_again(one, attributedTo=other)
    with working(settings):
        ask(settings, fetch_job(one, "boosted"), fetch_job(other, "boosted"))
        done(settings)
    assert documents(settings) == []


def test_what_leads_into_our_own_network_is_asked_for_by_no_job(settings: Settings, peer: Peer) -> None:
    note = peer.publish("Within")
    public = msgspec.structs.replace(settings, domain="social.example")
    with working(public):
        ask(settings, fetch_job(note, "boosted"), thread_job(note), Asked("outbox", peer.actor))
        ask(settings, fetch_job("https://social.example/ap/users/1", "refetch"), fetch_job("javascript:x", "boosted"))
        done(settings)
    assert peer.fetched == [] and documents(settings) == []


def test_a_thread_goes_on_where_a_peer_did_not_answer_and_counts_what_was_climbed(
    settings: Settings, database: Database, peer: Peer
) -> None:
    root = peer.publish("Root")
    silent = peer.publish("Silent", inReplyTo=root)
    answer = peer.publish("Answer", inReplyTo=silent)
    peer.answers[silent.removeprefix(peer.origin)] = 503
    with working(settings), psycopg.connect(database.owner, autocommit=True) as owner:
        ask(settings, thread_job(answer))
        left = "SELECT subject, payload ->> 'most', last_error IS NULL FROM app.jobs"
        while (found := owner.execute(left).fetchall()) != [(silent, "48", False)]:
            assert len(found) < 2
            threading.Event().wait(0.02)
    assert documents(settings) == [peer.actor, answer]
    peer.answers.clear()
    with working(settings), psycopg.connect(database.owner, autocommit=True) as owner:
        owner.execute("UPDATE app.jobs SET due_at = now()")
        owner.execute("NOTIFY daybook_jobs")
        done(settings)
    assert documents(settings) == [peer.actor, answer, silent, root]


@pytest.mark.parametrize("kind", ["fetch", "thread"])
def test_what_ended_in_the_middle_is_done_whole_though_its_beginning_is_known(
    settings: Settings, database: Database, peer: Peer, kind: str
) -> None:
    root = peer.publish("Root")
    parent = peer.publish("Parent", inReplyTo=root)
    answer = peer.publish("Answer", inReplyTo=parent)
    begun = [answer] if kind == "fetch" else [answer, parent]

    async def begin(server: Server, job: Job) -> None:
        for uri in begun:
            await server.documents.fetch(uri)
        raise ZeroDivisionError("as by a kill")

    with psycopg.connect(database.owner, autocommit=True) as owner:
        ask(settings, fetch_job(answer, "boosted") if kind == "fetch" else thread_job(answer))
        with working(settings, {kind: begin}):
            becomes(lambda: owner.execute("SELECT last_error IS NOT NULL FROM app.jobs").fetchall() == [(True,)])
        assert documents(settings) == [peer.actor, *begun]
        owner.execute("UPDATE app.jobs SET due_at = now()")
    with working(settings):
        done(settings)
    assert documents(settings) == [peer.actor, answer, parent, root]
