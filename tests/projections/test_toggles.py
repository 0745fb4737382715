"""What toggles: its intervals and counters are those that a fold over its turns gives, however they were batched."""

import random
from collections.abc import Iterable, Sequence

import psycopg
import pytest

from adapters.postgres.ruling import run_rule
from domain.bookmark import PostBookmarked, PostUnbookmarked
from projections import toggles
from projections.fact import Fact
from projections.rule import Row, on
from tests.database import Database
from tests.seeds import new_seed

TABLES = toggles.intervals("switched", "account", "status", "colour text NOT NULL,")
COUNTS = "CREATE TABLE counts (status bigint PRIMARY KEY, switched bigint NOT NULL);"
LENGTH = 400
Interval = tuple[int, int, int, int, int | None, str]


def _turn(event: PostBookmarked | PostUnbookmarked, fact: Fact, origin: str) -> Iterable[Row]:
    begins = isinstance(event, PostBookmarked)
    yield fact.position, fact.n, event.account, event.post, begins, f"colour {fact.position}"


RULE = on(
    (PostBookmarked, PostUnbookmarked),
    "what is switched on and off, coloured",
    "position bigint, n int, account bigint, status bigint, begins boolean, colour text",
    _turn,
    toggles.turns(
        "switched",
        "account",
        "status",
        columns="colour",
        then="""
        INSERT INTO counts (status, switched) SELECT status, sum(by) FROM moved GROUP BY status
        ON CONFLICT (status) DO UPDATE SET switched = counts.switched + excluded.switched
        """,
    ),
)


def turns(seed: int) -> list[Fact]:
    """Few pairs, and up to three turns at one position."""
    dice = random.Random(seed)  # noqa: S311 - repeatable, not secret
    found: list[Fact] = []
    for position in range(1, LENGTH):
        for n in range(dice.randrange(1, 4)):
            kind = dice.choice((PostBookmarked, PostBookmarked, PostUnbookmarked))
            event = kind(account=dice.randrange(3), post=dice.randrange(3))
            topic = str(kind.__struct_config__.tag)
            found.append(
                Fact(
                    position=position,
                    n=n,
                    received_at_position=position,
                    stream=None,
                    kind=topic,
                    actor=event.account,
                    object=event.post,
                    because=None,
                    verdict="applied",
                    event=event,
                )
            )
    return found


def folded(facts: Sequence[Fact]) -> set[Interval]:
    """The same, one turn after the other."""
    opened: dict[tuple[int, int], Interval] = {}
    intervals: set[Interval] = set()
    for fact in facts:
        assert isinstance(fact.event, PostBookmarked | PostUnbookmarked)
        pair = fact.event.account, fact.event.post
        before = opened.pop(pair, None)
        if before is not None:
            intervals.add((*before[:4], fact.position, before[5]))
        if isinstance(fact.event, PostBookmarked):
            opened[pair] = (*pair, fact.position, fact.n, None, f"colour {fact.position}")
    return intervals | set(opened.values())


@pytest.mark.parametrize("seed", [20261125, new_seed("toggles")], ids=lambda seed: f"seed {seed}")
def test_intervals_and_counters_are_those_of_a_fold_over_the_turns(database: Database, seed: int) -> None:
    facts = turns(seed)
    expected = folded(facts)
    assert {interval[4] is None for interval in expected} == {True, False}
    for size in (1, 7, 5_000):
        with psycopg.connect(database.owner, autocommit=True) as owner:
            owner.execute(f"CREATE SCHEMA toggles_{size}".encode())
            owner.execute(f"SET search_path = toggles_{size}".encode())
            owner.execute(TABLES)
            owner.execute(COUNTS)
            for start in range(0, len(facts), size):
                run_rule(owner.cursor(), RULE, facts[start : start + size], "")
            found = owner.execute("SELECT account, status, since, n, until, colour FROM switched").fetchall()
            counts = owner.execute("SELECT status, switched FROM counts").fetchall()
        assert set(found) == expected and len(found) == len(expected), size
        for status, switched in counts:
            assert switched == sum(one[1] == status and one[4] is None for one in expected), size
