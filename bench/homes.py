"""Homes of those who come back: restored from what skewed authors wrote meanwhile, against writing the same rows."""

import random
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate

import psycopg

from adapters.config import Settings
from adapters.postgres import generations
from adapters.postgres.generations import Generation
from adapters.postgres.projecting import Projector
from adapters.wiring import make_projector
from bench import peers
from bench.book import Book, Line
from bench.measuring import Row, Target
from bench.services import database
from domain.account import AccountRegistered
from domain.events import Event
from domain.follow import FollowAccepted, FollowRequested
from domain.home import HomeDropped, HomeRestored
from domain.ids import local_id
from domain.post import PostPublished
from projections.home import TABLES
from projections.home_again import HOME_MAX

AUTHORS = 500
POSTS = 40_000
EVERY = timedelta(seconds=30)
FOLLOWED = (60, 300)
SKEW = 0.8
TOGETHER = 40
ALONE = 10
BATCH = 2_000
START = datetime(2026, 1, 1, tzinfo=UTC)
_RAW = """
    INSERT INTO floor.home (owner, entry, via, cause, position)
    SELECT owner, entry, via, cause, position FROM floor.rows ORDER BY owner, entry DESC
"""


def run(scale: float, rounds: int) -> list[Row]:
    """Some who come back at once and some one after the other, a round; and the same rows raw."""
    with database() as settings, psycopg.connect(settings.database_url or "", autocommit=True) as owner:
        generation = generations.live(owner)
        assert generation is not None, "the database was prepared"
        crowd = _Crowd(settings, scale, rounds + 1)
        book, projector = Book(settings), make_projector(settings, settings.database_app_url or "", generation)
        together: list[float] = []
        alone: list[float] = []
        floor: list[float] = []
        try:
            for part in (crowd.people(book), crowd.follows(), crowd.posts()):
                _project(projector, book.append(part))
            _prepare_floor(owner)
            for back in crowd.rounds:
                homes = back[ALONE:]
                together.append(len(homes) / _restored(book, projector, homes))
                floor.append(len(homes) / _raw(owner, generation, homes))
                alone.append(1_000 * sum(_restored(book, projector, [home]) for home in back[:ALONE]) / ALONE)
            entries = _entries(owner, generation, [account for back in crowd.rounds for account in back])
        finally:
            projector.close()
            book.close()
    return [
        Row(
            what=f"homes restored, {TOGETHER} in a batch, {entries:,.0f} entries each",
            unit="homes/s",
            measured=tuple(together[1:]),
            target=Target("at least", 200),
            floor=tuple(floor[1:]),
            note=f"From reading the events until their batch has committed. Each follows some {crowd.followed:.0f} of "
            f"{AUTHORS} authors, popular and busy by power laws, who wrote {crowd.written:,} posts. Floor: the same "
            "rows by one INSERT … SELECT in their order into an equal table, and its commit.",
        ),
        Row(what="the same, one home in a batch of its own", unit="ms", measured=tuple(alone[1:])),
    ]


class _Crowd:
    """Who writes, who follows whom, and who comes back in which round."""

    def __init__(self, settings: Settings, scale: float, rounds: int) -> None:
        self._origin = settings.origin
        self._dice = random.Random(5)  # noqa: S311 - to be made again, not to be unguessable
        self.written = max(2_000, int(POSTS * scale))
        first = int(START.timestamp() * 1_000)
        ids = [local_id(first + number, number) for number in range(AUTHORS + rounds * (ALONE + TOGETHER))]
        self.authors, owners = ids[:AUTHORS], ids[AUTHORS:]
        size = ALONE + TOGETHER
        self.rounds = [owners[start : start + size] for start in range(0, len(owners), size)]
        self._weights = list(accumulate((rank + 1) ** -SKEW for rank in range(AUTHORS)))
        popular = self._dice.sample(self.authors, AUTHORS)
        self._follows = [(owner, author) for owner in owners for author in self._drawn(popular)]
        self.followed = len(self._follows) / len(owners)

    def people(self, book: Book) -> Iterator[Line]:
        for number, account in enumerate([*self.authors, *(one for back in self.rounds for one in back)]):
            stream = f"username:{book.pepper.hash('username', f'local{number}').hex()}"
            uri, url = f"{self._origin}/ap/users/{account}", f"{self._origin}/@local{number}"
            name = f"local{number}"
            yield Line(stream, AccountRegistered(account=account, username=name, uri=uri, url=url, registered_at=START))

    def follows(self) -> Iterator[Line]:
        """Then all of them stay away, so that what is written costs nothing."""
        for follower, followee in self._follows:
            stream, request = f"follow:{follower}:{followee}", f"{self._origin}/ap/users/{follower}/follows/{followee}"
            yield Line(stream, FollowRequested(follower=follower, followee=followee, request=request))
            yield Line(stream, FollowAccepted(follower=follower, followee=followee, request=request))
        for back in self.rounds:
            yield from (_of_home(account, HomeDropped(account=account, days=30)) for account in back)

    def posts(self) -> Iterator[Line]:
        busy = self._dice.sample(self.authors, AUTHORS)
        for number, author in enumerate(self._dice.choices(busy, cum_weights=self._weights, k=self.written)):
            at = START + timedelta(days=1) + number * EVERY
            post = local_id(int(at.timestamp() * 1_000), number)
            uri, said = f"{self._origin}/ap/users/{author}/statuses/{post}", peers.text(self._dice)
            yield Line(
                f"post:{post}",
                PostPublished(
                    post=post, author=author, uri=uri, url=uri, visibility="public", published_at=at, text=said
                ),
            )

    def _drawn(self, popular: Sequence[int]) -> list[int]:
        drawn = self._dice.choices(popular, cum_weights=self._weights, k=self._dice.randrange(*FOLLOWED))
        return sorted(set(drawn))


def _of_home(account: int, event: Event) -> Line:
    return Line(f"home:{account}", event)


def _restored(book: Book, projector: Projector, accounts: Sequence[int]) -> float:
    """Seconds until the homes of these were restored."""
    position = book.append(_of_home(account, HomeRestored(account=account)) for account in accounts)
    started = time.perf_counter()
    _project(projector, position)
    return time.perf_counter() - started


def _project(projector: Projector, to: int) -> None:
    while projector.step(BATCH, to):
        pass


def _prepare_floor(owner: psycopg.Connection) -> None:
    owner.execute("CREATE SCHEMA floor")
    owner.execute("SET search_path = floor")
    owner.execute(TABLES.encode())
    owner.execute("CREATE TABLE rows (LIKE home)")
    # Read models commit asynchronously, so their floor does, too.
    owner.execute("SET synchronous_commit = off")


def _raw(owner: psycopg.Connection, generation: Generation, accounts: Sequence[int]) -> float:
    """Seconds to write what these have in their homes."""
    owner.execute("TRUNCATE floor.rows")
    taken = f"INSERT INTO floor.rows SELECT * FROM {generation.schema}.home WHERE owner = ANY(%s)"
    owner.execute(taken.encode(), [list(accounts)])
    started = time.perf_counter()
    owner.execute(_RAW)
    return time.perf_counter() - started


def _entries(owner: psycopg.Connection, generation: Generation, accounts: Sequence[int]) -> float:
    """How many entries each of these has in the mean."""
    counted = f"SELECT count(*), max(entries) FROM (SELECT owner, count(*) AS entries FROM {generation.schema}.home "
    row = owner.execute((counted + "WHERE owner = ANY(%s) GROUP BY owner) o").encode(), [list(accounts)]).fetchone()
    total = f"SELECT count(*) FROM {generation.schema}.home WHERE owner = ANY(%s)"
    rows = owner.execute(total.encode(), [list(accounts)]).fetchone()
    assert row is not None and rows is not None and row[0] == len(accounts) and row[1] <= HOME_MAX, "all are restored"
    return rows[0] / len(accounts)
