"""Interpretation's tables: the facts, and what settling the next event needs to remember.

`facts` is what came of each event; `known` says what URIs name, whose it is, since when, and whether it is gone;
`tombs` what was deleted before it came, by whom; `departed` which accounts are gone; `relations` how far each follow
has come; `toggles` which favourite, boost, block or pin stands, by which activity (none: it stands no more); `said`
what accounts say of themselves that later activities lean on; `parked` what waits for a URI not here yet (or, with
none, is poison), as its claim, since when. Every row depends on the log and its positions alone.
"""

from datetime import datetime

from projections.because import Because, at, facts
from projections.query import Query
from projections.rule import Projection

TABLES = """
CREATE TABLE facts (
    position             bigint NOT NULL,
    n                    int    NOT NULL,
    received_at_position bigint NOT NULL,
    stream               text,
    kind                 text   NOT NULL,
    actor                bigint,
    object               bigint,
    because              bytea,
    verdict              text   NOT NULL,
    PRIMARY KEY (position, n)
);
-- What a decision about a follow loads besides the log.
CREATE INDEX facts_of_follows ON facts (stream, position) WHERE stream LIKE 'follow:%';

-- Those that had to wait, by when they came: what came of an event.
CREATE INDEX facts_released_later ON facts (received_at_position) WHERE received_at_position <> position;

-- What concerns an account or a post.
CREATE INDEX facts_of_actor ON facts (actor, object, position);
CREATE INDEX facts_of_object ON facts (object, position);
CREATE INDEX facts_of_departures ON facts (object) WHERE kind = 'account.deleted';

CREATE TABLE known (
    uri       text    PRIMARY KEY,
    kind      text    NOT NULL CHECK (kind IN ('account', 'post', 'follow', 'favourite', 'boost', 'block')),
    id        bigint,
    owner     bigint  NOT NULL,
    object    bigint,
    since     bigint  NOT NULL,
    delivered boolean NOT NULL,
    gone      boolean NOT NULL,
    updated   timestamptz,
    visibility text,
    audience  text[] NOT NULL
);

CREATE TABLE tombs (
    uri    text   NOT NULL,
    signer bigint NOT NULL,
    PRIMARY KEY (uri, signer)
);

CREATE TABLE departed (
    account bigint PRIMARY KEY
);

CREATE TABLE relations (
    follower bigint NOT NULL,
    followee bigint NOT NULL,
    stage    text   NOT NULL CHECK (stage IN ('none', 'requested', 'following')),
    request  text   NOT NULL,
    PRIMARY KEY (follower, followee)
);

CREATE TABLE toggles (
    kind     text   NOT NULL CHECK (kind IN ('favourite', 'boost', 'block', 'pin')),
    actor    bigint NOT NULL,
    object   bigint NOT NULL,
    activity text,
    id       bigint,
    PRIMARY KEY (object, actor, kind)
);

CREATE TABLE said (
    account  bigint PRIMARY KEY,
    featured text,
    aliases  text[] NOT NULL
);

CREATE TABLE parked (
    received_at_position bigint PRIMARY KEY,
    waits_for            text,
    brings               text,
    claim                bytea NOT NULL,
    reason               text  NOT NULL,
    since                timestamptz
);
CREATE INDEX parked_waits_for ON parked (waits_for);
CREATE INDEX parked_since ON parked (since, received_at_position) WHERE waits_for IS NOT NULL;
CREATE INDEX parked_brings ON parked (brings) WHERE brings IS NOT NULL;
"""

_BY_KIND = """
    f.actor = d.actor AND f.object = d.object AND f.kind = ANY (CASE d.kind
        WHEN 'favourite' THEN ARRAY['post.favourited', 'post.unfavourited']
        WHEN 'boost' THEN ARRAY['post.boosted', 'post.unboosted']
        WHEN 'block' THEN ARRAY['account.blocked', 'account.unblocked']
        ELSE ARRAY['post.pinned', 'post.unpinned'] END)"""

_OF_PAIR = """
    starts_with(f.kind, 'follow.') AND ((f.actor = d.follower AND f.object = d.followee)
        OR (f.actor = d.followee AND f.object = d.follower))"""

KEYS: dict[str, tuple[str, ...]] = {
    "facts": ("position", "n"),
    "known": ("uri",),
    "tombs": ("uri", "signer"),
    "departed": ("account",),
    "relations": ("follower", "followee"),
    "toggles": ("object", "actor", "kind"),
    "said": ("account",),
    "parked": ("received_at_position",),
}
"""Each table's key: the order in which its rows are digested."""

PROJECTION = Projection(
    "interpretation",
    TABLES,
    {table: ", ".join(key) for table, key in KEYS.items()},
    (),
    {
        "facts": at("position", "received_at_position"),
        "known": Because(
            "SELECT d.since",
            {
                "gone": facts("f.object = d.id AND f.kind = 'post.deleted'"),
                "updated": facts("f.object = d.id AND f.kind IN ('post.published', 'post.edited')"),
                "delivered": facts("f.object = d.id AND f.kind = 'post.published'"),
                "object": facts("f.actor = d.id AND f.kind = 'account.moved'"),
            },
        ),
        "tombs": Because(
            "SELECT f.position FROM facts f WHERE f.actor = d.signer AND f.kind = 'post.deleted' AND f.object IS NULL"
        ),
        "departed": Because("SELECT f.position FROM facts f WHERE f.actor = d.account AND f.kind = 'account.deleted'"),
        "relations": Because(facts(_OF_PAIR)),
        "toggles": Because(facts(_BY_KIND)),
        "said": Because(facts("f.object = d.account AND f.kind IN ('account.registered', 'account.profile_changed')")),
        "parked": at("received_at_position"),
    },
)


def waiting_since(before: datetime, most: int) -> Query:
    """Rows of (position of receipt) of what has waited for a URI since before then, the longest first."""
    return Query(
        """
        SELECT received_at_position FROM parked
        WHERE waits_for IS NOT NULL AND since < %(before)s::timestamptz
        ORDER BY since, received_at_position LIMIT %(most)s::bigint
        """,
        {"before": before, "most": most},
    )
