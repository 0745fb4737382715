"""A restored home is what its owner would have had: compared with somebody who follows the same and was always here."""

import random
from collections.abc import Callable, Sequence

import psycopg
import pytest

from adapters.postgres.ruling import run_rule
from domain.account import AccountRegistered
from domain.boost import PostBoosted
from domain.events import Event, topic_of
from domain.follow import FollowAccepted, FollowEnded
from domain.home import HomeDropped, HomeRestored
from domain.post import PostDeleted, PostPublished, Visibility
from projections.catalogue import PROJECTIONS
from projections.fact import APPLIED, Fact
from projections.home_again import HOME_MAX
from tests.adapters.interpreter.peers import OURS, START
from tests.database import Database
from tests.projections.projecting import new_generation
from tests.seeds import new_seed

ALICE, BOB = 1 << 16, 2 << 16
AUTHORS = [number << 16 | 0x8000 for number in range(3, 23)]
MINUTE = 60_000 << 16
YEAR = 365 * 24 * 60 * MINUTE
ID_MAX = 2**63 - 1
Entry = tuple[int, str, int, int]


class Life:
    """What those whom both follow do. Ids grow by the minute, unless something comes late."""

    def __init__(self, seed: int, followed: Sequence[int] = AUTHORS) -> None:
        self.dice = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self.facts: list[Fact] = []
        self.posts: list[PostPublished] = []
        self.deleted: dict[int, int] = {}
        self.fetched: list[PostPublished] = []
        self.now = 1_000 * MINUTE
        self.followed: set[int] = set()
        for account in (ALICE, BOB, *AUTHORS):
            uri = f"https://a.test/{account}"
            domain = None if account in (ALICE, BOB) else "a.test"
            self.happen(
                AccountRegistered(
                    account=account, username=f"u{account}", uri=uri, url=uri, registered_at=START, domain=domain
                )
            )
        for author in followed:
            self.toggle(author)

    def happen(self, event: Event, *, delivered: bool = True, again: bool = False) -> int:
        position = len(self.facts) + 1
        self.facts.append(
            Fact(
                position=position,
                n=0,
                received_at_position=position,
                stream=None,
                kind=topic_of(event),
                actor=None,
                object=None,
                because=b"remote",
                verdict=APPLIED,
                event=event,
                delivered=delivered,
                again=again,
            )
        )
        return position

    def toggle(self, author: int) -> None:
        """Both follow, or both no longer do."""
        kind = FollowEnded if author in self.followed else FollowAccepted
        for follower in (ALICE, BOB):
            self.happen(kind(follower=follower, followee=author, request="r"))
        self.followed ^= {author}

    def post(self, author: int | None = None, step: int = MINUTE) -> None:
        self.now += step
        late = self.dice.randrange(400) * MINUTE + 64 * len(self.facts) + 7
        number = self.now - late if self.dice.random() < 0.05 else self.now
        author = author or self.dice.choices(AUTHORS, [1 / (rank + 1) for rank in range(len(AUTHORS))])[0]
        uri, to = f"https://a.test/n/{number}", self.dice.random()
        visibility: Visibility = "public" if to < 0.8 else "private" if to < 0.9 else "direct"
        both = tuple(f"https://a.test/{account}" for account in (ALICE, BOB))
        post = PostPublished(
            post=number,
            author=author,
            uri=uri,
            url=uri,
            visibility=visibility,
            published_at=START,
            audience=both if to > 0.95 else (),
        )
        self.posts.append(post)
        delivered = self.dice.random() < 0.9
        self.happen(post, delivered=delivered)
        if not delivered:
            self.fetched.append(post)

    def write(self, author: int, number: int) -> int:
        """A public post of this id; gives the id."""
        uri = f"https://a.test/n/{number}"
        self.happen(
            PostPublished(
                post=number, author=author, uri=uri, url=uri, visibility="public", published_at=START, audience=()
            )
        )
        return number

    def something(self) -> None:
        chance = self.dice.random()
        if chance < 0.8 or not self.posts:
            self.post()
        elif chance < 0.85:
            if self.fetched:
                self.happen(self.fetched.pop(self.dice.randrange(len(self.fetched))), again=True)
        elif chance < 0.92:
            self.now += MINUTE
            boosted = self.dice.choice(self.posts).post
            uri, booster = f"https://a.test/b/{self.now}", self.dice.choice(AUTHORS)
            boost = PostBoosted(
                boost=self.now, account=booster, post=boosted, uri=uri, visibility="public", boosted_at=START
            )
            self.happen(boost)
        elif chance < 0.97:
            post = self.dice.choice(self.posts)
            position = self.happen(PostDeleted(post=post.post, author=post.author))
            self.deleted.setdefault(post.post, position)
        else:
            left = [author for author in AUTHORS if author not in self.followed]
            self.toggle(self.dice.choice(left if left and self.dice.random() < 0.8 else AUTHORS))

    def away(self, meanwhile: Callable[["Life"], None]) -> int:
        """Bob is away, and back again; gives the position of that."""
        self.happen(HomeDropped(account=BOB, days=30))
        meanwhile(self)
        return self.happen(HomeRestored(account=BOB))


def steadily(life: Life) -> None:
    for _ in range(1_600):
        life.something()


def in_a_burst(life: Life) -> None:
    """All that came long ago, and a little of everybody just now, so that the last posts say nothing of the others."""
    steadily(life)
    life.now += 40_000 * MINUTE
    for author in AUTHORS * 8:
        life.post(author, step=1)


def hardly(life: Life) -> None:
    for _ in range(60):
        life.something()


def for_no_time(life: Life) -> None:
    """Dropped and restored at once, within one batch."""


def projected(database: Database, life: Life, size: int) -> dict[int, list[Entry]]:
    """The homes of both, newest first, with what boosts are of."""
    generation = new_generation(database)
    rules = [rule for projection in PROJECTIONS for rule in projection.rules]
    with psycopg.connect(database.app, options=f"-c search_path={generation.schema} -c jit=off") as connection:
        for start in range(0, len(life.facts), size):
            some = life.facts[start : start + size]
            for rule in rules:
                if matching := [fact for fact in some if fact.kind in rule.topics]:
                    run_rule(connection.cursor(), rule, matching, OURS)
        asked = "SELECT entry, via, cause, position FROM home WHERE owner = %s ORDER BY entry DESC"
        for entry, boost_of in connection.execute("SELECT id, reblog_of FROM statuses WHERE reblog_of IS NOT NULL"):
            if boost_of in life.deleted:
                life.deleted[entry] = life.deleted[boost_of]
        return {owner: connection.execute(asked, [owner]).fetchall() for owner in (ALICE, BOB)}


@pytest.mark.parametrize("meanwhile", [steadily, in_a_burst, hardly, for_no_time], ids=lambda life: life.__name__)
@pytest.mark.parametrize("before", [0, 500])
def test_a_restored_home_holds_the_newest_of_what_the_always_present_have(
    database: Database, before: int, meanwhile: Callable[[Life], None]
) -> None:
    life = Life(new_seed(f"home again {before} {meanwhile.__name__}"))
    for _ in range(before):
        life.something()
    back_at = life.away(meanwhile)
    for _ in range(100):
        life.something()
    for size in (200, 5_000):
        homes = projected(database, life, size)
        stood = [
            entry for entry in homes[ALICE] if entry[3] <= back_at and life.deleted.get(entry[0], back_at) >= back_at
        ]
        came = [entry for entry in homes[ALICE] if entry[3] > back_at]
        assert homes[BOB] == sorted([*stood[:HOME_MAX], *came], reverse=True), size
    assert (len(stood) > HOME_MAX) == (meanwhile in (steadily, in_a_burst))


@pytest.mark.parametrize(
    ("written", "newest"),
    [
        ([year * YEAR for year in (40, 42, 44, 46)], 48 * YEAR),
        ([0, 1, 2, 3], ID_MAX),
        ([ID_MAX - 4, ID_MAX - 3, ID_MAX - 2, ID_MAX - 1], ID_MAX),
        ([40 * YEAR], 48 * YEAR),
        ([], 48 * YEAR),
    ],
    ids=["eight years", "as long as ids can tell", "just now", "a single post", "no post"],
)
@pytest.mark.parametrize("followed", [AUTHORS[:1], []], ids=["one followed", "nobody followed"])
def test_a_home_is_restored_however_long_ago_those_its_owner_follows_wrote(
    database: Database, followed: Sequence[int], written: Sequence[int], newest: int
) -> None:
    life = Life(0, followed)
    theirs = {life.write(AUTHORS[0], number) for number in written}
    own = life.write(BOB, 20 * YEAR)
    life.write(AUTHORS[1], newest)
    life.away(for_no_time)
    entries = {entry for entry, _, _, _ in projected(database, life, 1_000)[BOB]}
    assert entries == ({own, *theirs} if followed else {own})
