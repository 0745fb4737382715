"""The one list of projections, in the order in which their rules run: what others read comes first."""

from functools import cache
from typing import LiteralString

from projections import (
    accounts,
    actor_documents,
    audience,
    blocks,
    bookmarks,
    boosts,
    conversations,
    documents,
    favourites,
    finding,
    follows,
    home,
    home_again,
    home_turns,
    interpretation,
    mutes,
    notifications,
    pins,
    recipients,
    statuses,
    tags,
    timelines,
)
from projections.rule import Projection

PROJECTIONS: tuple[Projection, ...] = (
    interpretation.PROJECTION,
    accounts.PROJECTION,
    recipients.PROJECTION,
    follows.PROJECTION,
    blocks.PROJECTION,
    mutes.PROJECTION,
    statuses.PROJECTION,
    audience.PROJECTION,
    home_turns.PROJECTION,
    home.PROJECTION,
    timelines.PROJECTION,
    tags.PROJECTION,
    documents.PROJECTION,
    boosts.PROJECTION,
    home_again.PROJECTION,
    favourites.PROJECTION,
    bookmarks.PROJECTION,
    pins.PROJECTION,
    conversations.PROJECTION,
    notifications.PROJECTION,
    actor_documents.PROJECTION,
    finding.PROJECTION,
)

OWN: dict[str, LiteralString] = {
    table: condition for projection in PROJECTIONS for table, condition in projection.own.items()
}
BECAUSE = {table: why for projection in PROJECTIONS for table, why in projection.because.items()}
KEYS = {table: key for projection in PROJECTIONS for table, key in projection.keys.items()}


@cache
def kinds_behind(table: str) -> frozenset[str]:
    """The kinds of facts that rules make this table's rows of; none for what interpretation keeps itself."""
    return frozenset(
        topic
        for projection in PROJECTIONS
        for rule in projection.rules
        if any(table in rule.written(number) for number in range(len(rule.sql)))
        for topic in rule.topics
    )
