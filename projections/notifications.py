"""Notifications: what a local account is told of: who mentions it, follows it, asks to, likes, boosts and edits what.

A row says that something happened, and is never changed. Whether it is shown is decided when it is read, by the one
rule (projections/visibility.py): a like that was taken back, a post that is gone, somebody who is blocked or muted and
a thread that is muted are told of no more, and again when that is undone. Only what was delivered tells anybody:
documents that were fetched for context do not.

An id is made of the position and the place in it, so it orders by time and is the same in every generation.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import LiteralString

from domain.boost import PostBoosted
from domain.favourite import PostFavourited
from domain.follow import FollowAccepted, FollowRequested
from domain.notification import NotificationDismissed, NotificationsCleared
from domain.post import PostEdited, PostPublished
from projections.because import Because, facts
from projections.fact import Fact
from projections.rendering import api_time
from projections.rule import Projection, Row, on

# Fewer facts than this have one position.
PLACE_BITS = 20

TABLES = """
-- `status` is the post that it is about; `via` the boost, where it was boosted.
CREATE TABLE notifications (
    owner      bigint NOT NULL,
    id         bigint NOT NULL,
    kind       text   NOT NULL,
    actor      bigint NOT NULL,
    status     bigint,
    via        bigint,
    created_at text   NOT NULL,
    PRIMARY KEY (owner, id)
);

CREATE TABLE notifications_cleared (
    owner bigint PRIMARY KEY,
    up_to bigint NOT NULL
);

CREATE TABLE notifications_dismissed (
    owner bigint NOT NULL,
    id    bigint NOT NULL,
    PRIMARY KEY (owner, id)
);
"""

# Events that say no time are from before they did.
_LONG_AGO = "1970-01-01T00:00:00.000Z"
_COLUMNS = "id bigint, position bigint, actor bigint, object bigint, via bigint, created_at text"
# Only ours are told: their ids lack domain.ids.REMOTE_BIT.
_TOLD: LiteralString = "& 32768 = 0"


def _row(fact: Fact, actor: int, about: int, at: datetime | None, via: int | None = None) -> Iterable[Row]:
    number = fact.position << PLACE_BITS | fact.n
    if fact.delivered:
        yield number, fact.position, actor, about, via, _LONG_AGO if at is None else api_time(at)


def _publication(event: PostPublished, fact: Fact, origin: str) -> Iterable[Row]:
    return _row(fact, event.author, event.post, event.published_at) if event.mentions else ()


def _newly_naming(event: PostEdited, fact: Fact, origin: str) -> Iterable[Row]:
    return _edit(event, fact, origin) if event.mentions else ()


def _edit(event: PostEdited, fact: Fact, origin: str) -> Iterable[Row]:
    return _row(fact, event.author, event.post, event.edited_at)


def _favourite(event: PostFavourited, fact: Fact, origin: str) -> Iterable[Row]:
    return _row(fact, event.account, event.post, event.favourited_at)


def _boost(event: PostBoosted, fact: Fact, origin: str) -> Iterable[Row]:
    return _row(fact, event.account, event.post, event.boosted_at, event.boost)


def _request(event: FollowRequested, fact: Fact, origin: str) -> Iterable[Row]:
    return _row(fact, event.follower, event.followee, event.requested_at)


def _acceptance(event: FollowAccepted, fact: Fact, origin: str) -> Iterable[Row]:
    return _row(fact, event.follower, event.followee, event.accepted_at)


def _clearing(event: NotificationsCleared, fact: Fact, origin: str) -> Iterable[Row]:
    yield event.account, event.up_to


def _dismissal(event: NotificationDismissed, fact: Fact, origin: str) -> Iterable[Row]:
    yield event.account, event.notification


_INSERT: LiteralString = """
    INSERT INTO notifications (owner, id, kind, actor, status, via, created_at)
    :rows
    ON CONFLICT DO NOTHING
    """


def _insert(rows: LiteralString) -> LiteralString:
    return _INSERT.replace(":rows", rows).replace(":told", _TOLD)


_TO_AUTHOR: LiteralString = """
    SELECT s.account, f.id, ':kind', f.actor, f.object, f.via, f.created_at
    FROM fact f CROSS JOIN LATERAL (SELECT * FROM statuses s WHERE s.id = f.object LIMIT 1) s
    WHERE s.account :told AND s.account <> f.actor AND s.published <= f.position"""
_TO_FOLLOWEE: LiteralString = """
    SELECT object, id, ':kind', actor, NULL::bigint, NULL::bigint, created_at FROM fact
    WHERE object :told AND object <> actor"""

RULES = (
    on(
        PostPublished,
        "whoever is mentioned is told",
        _COLUMNS,
        _publication,
        _insert(
            """
            SELECT x.account, f.id, 'mention', f.actor, f.object, NULL::bigint, f.created_at
            FROM fact f JOIN audience x ON x.status = f.object AND x.mentioned <= f.id
            WHERE x.account :told AND x.account <> f.actor
                -- Whom an edit mentions that was there before this delivery has been told by that.
                AND (SELECT s.published FROM statuses s WHERE s.id = f.object) = x.mentioned >> 20"""
        ),
    ),
    on(
        PostEdited,
        "whoever is mentioned for the first time by an edit is told",
        _COLUMNS,
        _newly_naming,
        _insert(
            """
            SELECT x.account, f.id, 'mention', f.actor, f.object, NULL::bigint, f.created_at
            FROM fact f JOIN audience x ON x.status = f.object AND x.mentioned = f.id
            WHERE x.account :told AND x.account <> f.actor"""
        ),
    ),
    on(
        PostEdited,
        "whoever has boosted a post is told that it was edited",
        _COLUMNS,
        _edit,
        _insert(
            """
            SELECT DISTINCT b.account, f.id, 'update', f.actor, f.object, NULL::bigint, f.created_at
            FROM fact f JOIN statuses b ON b.reblog_of = f.object
                AND b.published <= f.position AND (b.deleted IS NULL OR b.deleted > f.position)
            WHERE b.account :told AND b.account <> f.actor"""
        ),
    ),
    on(
        PostFavourited,
        "an author is told who likes a post",
        _COLUMNS,
        _favourite,
        _insert(_TO_AUTHOR.replace(":kind", "favourite")),
    ),
    on(
        PostBoosted,
        "an author is told who boosts a post",
        _COLUMNS,
        _boost,
        _insert(_TO_AUTHOR.replace(":kind", "reblog")),
    ),
    on(
        FollowRequested,
        "somebody is told who asks to follow them",
        _COLUMNS,
        _request,
        _insert(_TO_FOLLOWEE.replace(":kind", "follow_request")),
    ),
    on(
        FollowAccepted,
        "somebody is told who follows them",
        _COLUMNS,
        _acceptance,
        _insert(_TO_FOLLOWEE.replace(":kind", "follow")),
    ),
    on(
        NotificationsCleared,
        "those up to the last that was named are gone",
        "owner bigint, up_to bigint",
        _clearing,
        """
        INSERT INTO notifications_cleared (owner, up_to) SELECT owner, max(up_to) FROM fact GROUP BY owner
        ON CONFLICT (owner) DO UPDATE SET up_to = greatest(notifications_cleared.up_to, excluded.up_to)
        """,
    ),
    on(
        NotificationDismissed,
        "one is gone",
        "owner bigint, id bigint",
        _dismissal,
        "INSERT INTO notifications_dismissed (owner, id) SELECT owner, id FROM fact ON CONFLICT DO NOTHING",
    ),
)

PROJECTION = Projection(
    "notifications",
    TABLES,
    {"notifications": "owner, id", "notifications_cleared": "owner", "notifications_dismissed": "owner, id"},
    RULES,
    {
        "notifications": Because("SELECT d.id >> 20"),
        "notifications_cleared": Because(facts("f.actor = d.owner AND f.kind = 'notifications.cleared'")),
        "notifications_dismissed": Because(facts("f.actor = d.owner AND f.kind = 'notification.dismissed'")),
    },
    own={
        "notifications": "owner = %(account)s",
        "notifications_cleared": "owner = %(account)s",
        "notifications_dismissed": "owner = %(account)s",
    },
)
