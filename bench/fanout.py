"""A post to ten thousand local followers: what its home entries cost, against one raw INSERT … SELECT of as many."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg

from adapters.config import Settings
from adapters.postgres import generations
from adapters.postgres.generations import Generation
from adapters.postgres.projecting import Projector
from adapters.wiring import make_projector
from bench.book import Book, Line
from bench.measuring import Row, Target
from bench.services import database
from domain.account import AccountRegistered
from domain.follow import FollowAccepted, FollowRequested
from domain.ids import local_id
from domain.post import PostPublished
from projections.home import TABLES

FOLLOWERS = 10_000
BATCH = 2_000
START = datetime(2026, 1, 1, tzinfo=UTC)
# What the rule writes, without asking who follows.
_RAW = """
    INSERT INTO floor.home (owner, entry, via, cause, position)
    SELECT owner, %(entry)s, 'follow', %(author)s, %(entry)s FROM floor.owners
"""


def run(scale: float, rounds: int) -> list[Row]:
    """A post a round, and as many rows raw."""
    followers = max(20, int(FOLLOWERS * scale))
    with database() as settings, psycopg.connect(settings.database_url or "", autocommit=True) as owner:
        generation = generations.live(owner)
        assert generation is not None, "the database was prepared"
        book, projector = Book(settings), make_projector(settings, settings.database_app_url or "", generation)
        try:
            author = _followed(book, projector, followers)
            _prepare_floor(owner, generation, author)
            found = [_posted(book, projector, author, number) for number in range(rounds + 1)][1:]
            floor = [_raw(owner, author, number) for number in range(rounds + 1)][1:]
        finally:
            projector.close()
            book.close()
    return [
        Row(
            what=f"a post to {followers:,} local followers, in home entries written",
            unit="rows/s",
            measured=tuple((followers + 1) / seconds for seconds in found),
            target=Target("of the floor", 0.5),
            floor=tuple((followers + 1) / seconds for seconds in floor),
            note="From reading the event until its batch of one has committed, all other rules included. Floor: the "
            "same rows by one INSERT … SELECT from a list of the followers into an equal table, and its commit.",
        )
    ]


def _followed(book: Book, projector: Projector, followers: int) -> int:
    """A local account that so many others follow."""
    ids = [local_id(int(START.timestamp() * 1_000) + number, number) for number in range(followers + 1)]
    _project(projector, book.append(_people(book, ids)))
    _project(projector, book.append(_follows(book.settings, ids[0], ids[1:])))
    return ids[0]


def _people(book: Book, ids: list[int]) -> Iterator[Line]:
    for number, account in enumerate(ids):
        username = f"local{number}"
        stream = f"username:{book.pepper.hash('username', username).hex()}"
        uri, url = f"{book.settings.origin}/ap/users/{account}", f"{book.settings.origin}/@{username}"
        yield Line(stream, AccountRegistered(account=account, username=username, uri=uri, url=url, registered_at=START))


def _follows(settings: Settings, followee: int, followers: list[int]) -> Iterator[Line]:
    for follower in followers:
        stream, request = f"follow:{follower}:{followee}", f"{settings.origin}/ap/users/{follower}/follows/1"
        yield Line(stream, FollowRequested(follower=follower, followee=followee, request=request))
        yield Line(stream, FollowAccepted(follower=follower, followee=followee, request=request))


def _posted(book: Book, projector: Projector, author: int, number: int) -> float:
    """Seconds until a post was projected."""
    at = START + timedelta(days=1, seconds=number)
    post = local_id(int(at.timestamp() * 1_000), number)
    uri = f"{book.settings.origin}/ap/users/{author}/statuses/{post}"
    said = PostPublished(
        post=post, author=author, uri=uri, url=uri, visibility="public", published_at=at, text="Hello, everybody"
    )
    position = book.append([Line(f"post:{post}", said)])
    started = time.perf_counter()
    _project(projector, position)
    return time.perf_counter() - started


def _project(projector: Projector, to: int) -> None:
    while projector.step(BATCH, to):
        pass


def _prepare_floor(owner: psycopg.Connection, generation: Generation, author: int) -> None:
    owner.execute("CREATE SCHEMA floor")
    owner.execute("SET search_path = floor")
    owner.execute(TABLES.encode())
    owner.execute("CREATE TABLE owners (owner bigint)")
    follows = f"{generation.schema}.follows"
    taken = f"INSERT INTO owners SELECT follower FROM {follows} WHERE followee = %s AND stage = 'following'"
    owner.execute(taken.encode(), [author])
    owner.execute("INSERT INTO owners VALUES (%s)", [author])
    # Read models commit asynchronously, so their floor does, too.
    owner.execute("SET synchronous_commit = off")


def _raw(owner: psycopg.Connection, author: int, number: int) -> float:
    started = time.perf_counter()
    owner.execute(_RAW, {"entry": number, "author": author})
    return time.perf_counter() - started
