"""Who may see what: the rule in SQL against the same in Python, over random graphs of everything it depends on."""

import random
from collections.abc import Sequence
from typing import NamedTuple

import psycopg
import pytest

from adapters.postgres.ruling import run_rule
from domain.account import AccountDeleted, AccountRegistered, Endpoints
from domain.block import AccountBlocked, AccountUnblocked
from domain.boost import PostBoosted, PostUnboosted, may_boost
from domain.events import Event, topic_of
from domain.follow import FollowAccepted, FollowEnded, FollowRejected, FollowRequested
from domain.mute import AccountMuted, AccountUnmuted
from domain.post import Mention, PostDeleted, PostPublished, Visibility
from projections.catalogue import PROJECTIONS
from projections.fact import APPLIED, Fact
from projections.visibility import MAY_SEE, SHOWN, SHOWN_OF_AUTHOR
from tests.adapters.interpreter.peers import OURS, START
from tests.database import Database
from tests.projections.projecting import new_generation
from tests.seeds import new_seed

ACCOUNTS = 30
EVENTS = 3_000
SEEDS = (20261125, *(new_seed(f"visibility {graph}") for graph in range(4)))
PAIRS_MIN = 100_000 // len(SEEDS)
Pair = tuple[int, int]


class Said(NamedTuple):
    """A post or a boost: whose, for whom."""

    author: int
    visibility: Visibility
    named: int | None


class Graph:
    """A random history, and what it comes to. The rule is said here as plainly as it can be."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self.events: list[Event] = []
        self.accounts: list[int] = []
        self.said: dict[int, Said] = {}
        self.boosts: dict[int, int] = {}
        self.follows: set[Pair] = set()
        self.asked: set[Pair] = set()
        self.blocks: set[Pair] = set()
        self.mutes: set[Pair] = set()
        self.gone: set[int] = set()
        for number in range(1, ACCOUNTS + 1):
            self.register(number)
        makers = [
            (self.post, 5),
            (self.boost, 3),
            (self.follow, 12),
            (self.block, 3),
            (self.mute, 3),
            (self.delete, 1),
            (self.leave, 0),
        ]
        chances = [weight for _, weight in makers]
        for number in range(EVENTS):
            chances[-1] = 1 if number % 600 == 599 else 0
            if chances[-1]:
                self.leave()
            else:
                self.dice.choices([make for make, _ in makers], chances)[0]()

    def register(self, number: int) -> None:
        local = number % 2 == 0
        account = number << 16 if local else number << 16 | 0x8000
        uri = f"{OURS if local else 'https://far.test'}/ap/users/{account}"
        self.accounts.append(account)
        self.events.append(
            AccountRegistered(
                account=account,
                username=f"u{number}",
                uri=uri,
                url=uri,
                registered_at=START,
                domain=None if local else "far.test",
                endpoints=None if local else Endpoints(inbox=f"{uri}/inbox"),
            )
        )

    def two(self) -> Pair:
        """Two others, who are still there; a few of them over and over."""
        there = [account for account in self.accounts if account not in self.gone]
        one, other = self.dice.sample(there[:8] if self.dice.random() < 0.5 else there, 2)
        return one, other

    def post(self) -> None:
        author, mentioned = self.two()
        number = (len(self.events) + 1_000) << 16
        uri = f"https://somewhere.test/{number}"
        named = self.events[self.accounts.index(mentioned)]
        assert isinstance(named, AccountRegistered)
        addressed = self.dice.choice(("mentions", "audience", "none"))
        event = PostPublished(
            post=number,
            author=author,
            uri=uri,
            url=uri,
            visibility=self.visibility(),
            published_at=START,
            text="x",
            mentions=(Mention(named.uri),) if addressed == "mentions" else (),
            audience=(named.uri,) if addressed == "audience" else (),
        )
        self.said[number] = Said(author, event.visibility, mentioned if addressed != "none" else None)
        self.events.append(event)

    def boost(self) -> None:
        booster, _ = self.two()
        posts = {number: said for number, said in self.said.items() if number not in self.boosts}
        passable = [number for number, said in posts.items() if may_boost(booster, said.author, said.visibility)]
        if not passable:
            return
        number, post = (len(self.events) + 1_000) << 16, self.dice.choice(passable)
        uri = f"https://somewhere.test/{number}"
        event = PostBoosted(
            boost=number, account=booster, post=post, uri=uri, visibility=self.visibility(), boosted_at=START
        )
        self.said[number], self.boosts[number] = Said(booster, event.visibility, None), post
        self.events.append(event)

    def visibility(self) -> Visibility:
        return self.dice.choice(("public", "unlisted", "private", "direct"))

    def follow(self) -> None:
        pair = self.two()
        names = {"follower": pair[0], "followee": pair[1], "request": "r"}
        if pair in self.follows or (pair in self.asked and self.dice.random() < 0.3):
            self.follows.discard(pair)
            self.asked.discard(pair)
            self.events.append(self.dice.choice((FollowEnded(**names), FollowRejected(**names))))
        elif pair in self.asked:
            self.asked.discard(pair)
            self.follows.add(pair)
            self.events.append(FollowAccepted(**names))
        else:
            self.asked.add(pair)
            self.events.append(FollowRequested(**names))

    def block(self) -> None:
        pair = self.two()
        names = {"blocker": pair[0], "blocked": pair[1], "activity": "b"}
        self.events.append(AccountUnblocked(**names) if pair in self.blocks else AccountBlocked(**names))
        self.blocks ^= {pair}

    def mute(self) -> None:
        pair = self.two()
        names = {"muter": pair[0], "muted": pair[1]}
        self.events.append(AccountUnmuted(**names) if pair in self.mutes else AccountMuted(**names))
        self.mutes ^= {pair}

    def delete(self) -> None:
        left = [number for number in self.said if number not in self.gone]
        if left:
            number = self.dice.choice(left)
            self.gone.add(number)
            author = self.said[number].author
            if number in self.boosts:
                names = {"boost": number, "account": author, "post": self.boosts[number], "uri": "u"}
                self.events.append(PostUnboosted(**names))
            else:
                self.events.append(PostDeleted(post=number, author=author))

    def leave(self) -> None:
        account, _ = self.two()
        self.gone.add(account)
        self.follows = {pair for pair in self.follows if account not in pair}
        self.asked = {pair for pair in self.asked if account not in pair}
        self.events.append(AccountDeleted(account=account))

    def may_see(self, viewer: int | None, number: int) -> bool:
        said = self.said[number]
        if number in self.gone or said.author in self.gone:
            return False
        if viewer is not None and (said.author, viewer) in self.blocks:
            return False
        if number in self.boosts and not self.may_see(viewer, self.boosts[number]):
            return False
        if said.visibility in ("public", "unlisted") or viewer is None:
            return said.visibility in ("public", "unlisted")
        follows = (viewer, said.author) in self.follows
        return viewer in (said.author, said.named) or (said.visibility == "private" and follows)

    def averse(self, viewer: int | None, number: int) -> bool:
        pair = viewer or 0, self.said[number].author
        return pair in self.blocks or pair in self.mutes

    def shown_of_author(self, viewer: int | None, number: int) -> bool:
        wished_away = number in self.boosts and self.averse(viewer, self.boosts[number])
        return self.may_see(viewer, number) and not wished_away

    def shown(self, viewer: int | None, number: int) -> bool:
        return self.shown_of_author(viewer, number) and not self.averse(viewer, number)


def project(connection: psycopg.Connection, graph: Graph) -> None:
    """The events as facts, through every rule, in batches of any size."""
    facts = [
        Fact(
            position=position,
            n=0,
            received_at_position=position,
            stream=None,
            kind=topic_of(event),
            actor=None,
            object=None,
            because=None,
            verdict=APPLIED,
            event=event,
        )
        for position, event in enumerate(graph.events, 1)
    ]
    start = 0
    while start < len(facts):
        end = start + graph.dice.choice((1, 5, 300))
        batch(connection, facts[start:end])
        start = end


def batch(connection: psycopg.Connection, facts: Sequence[Fact]) -> None:
    with connection.cursor() as cursor:
        for rule in (rule for projection in PROJECTIONS for rule in projection.rules):
            matching = [fact for fact in facts if fact.kind in rule.topics]
            if matching:
                run_rule(cursor, rule, matching, OURS)


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"seed {seed}")
def test_the_rule_and_its_slow_twin_differ_about_nobody_and_nothing(database: Database, seed: int) -> None:
    graph, generation, pairs = Graph(seed), new_generation(database), 0
    with psycopg.connect(database.app, options=f"-c search_path={generation.schema} -c jit=off") as connection:
        project(connection, graph)
        asked = f"SELECT s.id, ({MAY_SEE}) IS TRUE, ({SHOWN}) IS TRUE, ({SHOWN_OF_AUTHOR}) IS TRUE FROM statuses s"
        for viewer in (None, *graph.accounts):
            rows = connection.execute(asked.encode(), {"viewer": viewer}).fetchall()
            assert len(rows) == len(graph.said)
            for number, *found in rows:
                says = [
                    graph.may_see(viewer, number),
                    graph.shown(viewer, number),
                    graph.shown_of_author(viewer, number),
                ]
                assert found == says, f"seed {seed}: viewer {viewer}, status {number}: SQL {found}, Python {says}"
            pairs += len(rows)
    assert pairs >= PAIRS_MIN
    assert {len(graph.boosts) > 50, len(graph.blocks) > 20, len(graph.mutes) > 20, len(graph.follows) > 50} == {True}
