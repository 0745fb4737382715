"""The one list of projections, in the order in which their rules run: what others read comes first."""

from projections import (
    accounts,
    actor_documents,
    blocks,
    bookmarks,
    boosts,
    conversations,
    documents,
    favourites,
    finding,
    follows,
    home,
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
    Projection("interpretation", interpretation.TABLES, {t: ", ".join(k) for t, k in interpretation.KEYS.items()}),
    accounts.PROJECTION,
    recipients.PROJECTION,
    follows.PROJECTION,
    blocks.PROJECTION,
    mutes.PROJECTION,
    statuses.PROJECTION,
    home.PROJECTION,
    timelines.PROJECTION,
    tags.PROJECTION,
    documents.PROJECTION,
    boosts.PROJECTION,
    favourites.PROJECTION,
    bookmarks.PROJECTION,
    pins.PROJECTION,
    conversations.PROJECTION,
    notifications.PROJECTION,
    actor_documents.PROJECTION,
    finding.PROJECTION,
)

KEYS = {table: key for projection in PROJECTIONS for table, key in projection.keys.items()}
