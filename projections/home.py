"""Home: what came into whose home timeline, and why.

A post adds its entry to each home it may show in, once per cause; what is seen is decided when it is read, against
today's follows, so unfollowing and following again act on the past at once.
"""

from collections.abc import Iterable

from domain.post import PostPublished
from projections.fact import Fact
from projections.rule import Projection, Row, on

TABLES = """
-- `via` says how it came ('self': one's own; 'follow': by following `cause`), `position` when.
CREATE TABLE home (
    owner    bigint NOT NULL,
    entry    bigint NOT NULL,
    cause    bigint NOT NULL,
    position bigint NOT NULL,
    via      text   NOT NULL,
    PRIMARY KEY (owner, entry, via, cause)
);
"""


def _entry(event: PostPublished, fact: Fact, origin: str) -> Iterable[Row]:
    yield fact.position, event.post, event.author, event.visibility == "direct", fact.because is None


RULES = (
    on(
        PostPublished,
        "a post comes into its local author's home and into those of whoever followed then",
        "position bigint, id bigint, author bigint, direct boolean, local boolean",
        _entry,
        """
        INSERT INTO home (owner, entry, via, cause, position)
        SELECT author, id, 'self', author, position FROM fact WHERE local
        UNION ALL
        SELECT f.follower, e.id, 'follow', e.author, e.position
        FROM fact e JOIN follows f ON f.followee = e.author AND f.stage = 'following'
            AND f.since <= e.position AND (f.until IS NULL OR f.until > e.position)
        WHERE f.follower & 32768 = 0
            AND (NOT e.direct OR EXISTS (SELECT FROM audience a WHERE a.status = e.id AND a.account = f.follower))
        ON CONFLICT DO NOTHING
        """,
    ),
)

PROJECTION = Projection("home", TABLES, {"home": "owner, entry, via, cause"}, RULES)
