"""Whatever URI stands in whatever place of an activity: settling asks for nothing that was not looked up.

That would stop the projector for good, at every start and every replay, so a stranger must not be able to cause it.
"""

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from adapters.interpreter.interpret import Interpreter
from domain.boost import PostBoosted
from domain.favourite import PostFavourited
from domain.follow import FollowRequested
from domain.ports import Recorded
from domain.post import PostPublished
from tests.adapters.interpreter import peers
from tests.adapters.interpreter.peers import ALICE, ANN, BEN, BOB, LOCAL, MAL, OURS, START
from tests.adapters.interpreter.test_storage import Counting, cursor
from tests.seeds import new_seed

__all__ = ["cursor"]

ACTIVITIES = 1_500
BATCHES = (1, 1, 3, 8)
KINDS = (
    *("Create", "Update", "Delete", "Follow", "Accept", "Reject", "Like", "Announce"),
    *("Block", "Undo", "Add", "Remove", "Move"),
)
POST, BOOST, REQUEST, LIKE = (
    f"{ALICE}/statuses/7",
    f"{BOB}/statuses/9/activity",
    f"{ALICE}/follows/1",
    f"{ALICE}/likes/1",
)


class Strangers:
    """Three accounts elsewhere who do anything to anything."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self.uris = [ALICE, BOB, POST, BOOST, REQUEST, LIKE, f"{OURS}/nothing", ANN, BEN, MAL]

    def uri(self, who: str | None = None) -> str:
        if who is None or self.random.random() < 0.5:
            return self.random.choice(self.uris)
        self.uris.append(f"{who}/x{len(self.uris)}")
        return self.uris[-1]

    def activity(self) -> tuple[str, Any]:
        who, kind = self.random.choice((ANN, BEN, MAL)), self.random.choice(KINDS)
        about: Any = self.uri(who)
        if kind in ("Create", "Update"):
            about = {**peers.note(self.uri(who), who), "inReplyTo": self.uri(), "updated": "2026-04-30T13:00:00Z"}
        elif kind in ("Accept", "Reject", "Undo") and self.random.random() < 0.7:
            inner = self.random.choice(("Follow", "Like", "Announce", "Block"))
            ends = {"actor": self.random.choice((who, self.uri())), "object": self.random.choice((who, self.uri()))}
            about = {"type": inner, **ends, **({"id": self.uri()} if self.random.random() < 0.6 else {})}
        body = {"id": self.uri(who), "type": kind, "actor": who, "object": about, "target": self.uri()}
        return peers.received(who, body)


def beginning() -> list[tuple[str, Any]]:
    """People here with a post, a boost, a like and a request of their own; and the strangers' documents."""
    post = PostPublished(
        post=7, author=LOCAL[ALICE], uri=POST, url=POST, visibility="public", published_at=START, text="x"
    )
    boost = PostBoosted(boost=9, account=LOCAL[BOB], post=7, uri=BOOST, visibility="public", boosted_at=START)
    return [
        peers.registered(ALICE),
        peers.registered(BOB),
        peers.local("post:7", post),
        peers.local("boost:1", boost),
        peers.local("favourite:1", PostFavourited(account=LOCAL[ALICE], post=7, activity=LIKE)),
        *(peers.fetched(uri, peers.actor(uri)) for uri in (ANN, BEN, MAL)),
    ]


@pytest.mark.parametrize("seed", [5, new_seed("any URI")], ids=lambda seed: f"seed {seed}")
def test_no_activity_makes_settling_ask_for_what_was_not_looked_up(cursor: Counting, seed: int) -> None:
    log: list[Recorded] = []
    verdicts: Counter[str] = Counter()

    def tell(entries: Sequence[tuple[str, Any]]) -> None:
        batch = peers.log_of(entries, start=len(log) + 1)
        log.extend(batch)
        facts = Interpreter(OURS).interpret(cursor, batch, lambda ones: [log[one - 1] for one in ones])
        verdicts.update(fact.verdict.partition(":")[0] for fact in facts)

    tell(beginning())
    row = cursor.execute("SELECT id FROM app.ids WHERE uri = %s", [ANN]).fetchone()
    assert row is not None
    tell([peers.local("follow:1", FollowRequested(follower=LOCAL[ALICE], followee=row[0], request=REQUEST))])
    strangers = Strangers(seed)
    while len(log) < ACTIVITIES:
        tell([strangers.activity() for _ in range(strangers.random.choice(BATCHES))])
    assert {"applied", "refused"} <= set(verdicts), verdicts
    poison = cursor.execute("SELECT reason FROM parked WHERE waits_for IS NULL").fetchall()
    assert poison == []
