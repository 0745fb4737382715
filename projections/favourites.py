"""Favourites: who likes which post, from when to when, and how many do.

A like counts when its author could see the post then: whoever names a post that is not for them changes nothing. Who is
gone likes nothing any more.
"""

from collections.abc import Iterable
from typing import LiteralString

from domain.account import AccountDeleted
from domain.favourite import FavouriteEvent, PostFavourited, PostUnfavourited
from projections import toggles
from projections.account_lists import AccountListing
from projections.fact import Fact
from projections.rule import Projection, Row, on
from projections.status_queries import Listing
from projections.visibility import may_be_met, viewer_averse_to

TABLES: LiteralString = (
    toggles.intervals("favourites", "account", "status")
    + """
CREATE INDEX favourites_of_status ON favourites (status, :cursor) WHERE until IS NULL;
-- Only ours ask what they like: their ids lack domain.ids.REMOTE_BIT. Of one post they ask by an index that holds no
-- more than that: an index of all who like it would be read through where it is popular.
CREATE INDEX favourites_open ON favourites (account, status) WHERE until IS NULL AND account & 32768 = 0;
CREATE INDEX favourites_of_account ON favourites (account, :cursor) WHERE until IS NULL AND account & 32768 = 0;
""".replace(":cursor", toggles.CURSOR)
)

# Scalar questions, each of them one look-up: a join with a fresh table would be planned as a scan of all of it.
_SEEN: LiteralString = """
    SELECT f.* FROM fact f WHERE NOT f.begins AND f.status IS NOT NULL OR f.begins AND (
        SELECT s.visibility IN ('public', 'unlisted') OR s.account = f.account
            OR EXISTS (SELECT FROM audience x
                WHERE x.status = s.id AND x.account = f.account AND x.since <= f.position)
            OR (s.visibility = 'private' AND EXISTS (SELECT FROM follows w
                WHERE w.follower = f.account AND w.followee = s.account AND w.stage = 'following'
                    AND w.since <= f.position AND (w.until IS NULL OR w.until > f.position)))
        FROM statuses s WHERE s.id = f.status AND s.reblog_of IS NULL AND s.published <= f.position)
    -- Without a status: the account went, and all that it liked until then ends, of this batch or not.
    UNION ALL
    SELECT f.position, f.n, f.account, i.status, false
    FROM fact f JOIN favourites i ON i.account = f.account AND i.until IS NULL
    WHERE f.status IS NULL
    UNION
    SELECT f.position, f.n, f.account, l.status, false
    FROM fact f JOIN fact l ON l.account = f.account AND l.begins AND (l.position, l.n) < (f.position, f.n)
    WHERE f.status IS NULL"""


def _turn(event: FavouriteEvent | AccountDeleted, fact: Fact, origin: str) -> Iterable[Row]:
    status = None if isinstance(event, AccountDeleted) else event.post
    yield fact.position, fact.n, event.account, status, isinstance(event, PostFavourited)


RULES = (
    on(
        (PostFavourited, PostUnfavourited, AccountDeleted),
        "who could see a post likes it from when to when, or until they are gone, and its counter says so",
        "position bigint, n int, account bigint, status bigint, begins boolean",
        _turn,
        toggles.turns(
            "favourites",
            "account",
            "status",
            source=_SEEN,
            # One less each, as when somebody who liked 100,000 posts goes, is no join, which would be planned for few.
            then="""
            , changed AS (SELECT status, sum(by) AS by FROM moved GROUP BY status HAVING sum(by) <> 0),
            one_less AS (
                UPDATE statuses s SET favourites = s.favourites - 1
                WHERE s.id = ANY (ARRAY(SELECT status FROM changed WHERE by = -1))
            )
            UPDATE statuses s SET favourites = s.favourites + c.by FROM changed c
            WHERE c.by <> -1 AND s.id = c.status
            """,
        ),
    ),
)

PROJECTION = Projection(
    "favourites",
    TABLES,
    {"favourites": toggles.key("account", "status")},
    RULES,
    {"favourites": toggles.BECAUSE},
    own={"favourites": "account = %(account)s"},
)


def favourites_of(account: int) -> Listing:
    """What a local account likes, the latest like first; entries are cursors."""
    return Listing(
        scan="""
            SELECT :cursor AS entry, status FROM favourites
            WHERE account = %(viewer)s::bigint AND until IS NULL AND account & 32768 = 0
                AND :cursor < %(below)s::bigint AND :cursor > %(above)s::bigint""".replace(":cursor", toggles.CURSOR),
        values={"viewer": account},
        candidates="SELECT entry, status FROM scanned",
        shown="status",
    )


def favourited_by(status: int, viewer: int | None) -> AccountListing:
    """Who likes a status, but for whom the viewer has nothing to do with; the latest like first."""
    scan: LiteralString = """
        SELECT :cursor AS entry, account, NULL::timestamptz AS ends_at FROM favourites
        WHERE status = %(status)s::bigint AND until IS NULL AND :met AND :averse IS NULL"""
    scan = scan.replace(":cursor", toggles.CURSOR).replace(":met", may_be_met("account"))
    return AccountListing(scan.replace(":averse", viewer_averse_to("account")), {"status": status, "viewer": viewer})
