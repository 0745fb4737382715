"""Home again: what dropping takes out of somebody's home, and what restoring puts in anew.

Each turn takes out all that came before it. Restoring then puts in the HOME_MAX newest entries of those that would
have come in by then had the home been kept all the time: by the same follows, as of when each was delivered. So the
last turn of a home in a batch says all of what the earlier ones did.
"""

from typing import LiteralString

from domain.home import HomeDropped, HomeRestored
from projections.home_turns import COLUMNS, turn
from projections.rule import Projection, on

_HOME_MAX: LiteralString = "800"
HOME_MAX = int(_HOME_MAX)
"""How many entries a restored home begins with (as many as Mastodon keeps of a home)."""

_RESTORED: LiteralString = """
    last AS (SELECT DISTINCT ON (owner) * FROM fact ORDER BY owner, position DESC),
    restored AS (SELECT owner, position FROM last WHERE kept)"""

# How far back HOME_MAX entries reach is guessed by how long ago each of those followed wrote the last post but seven.
# Guessing may go by what is not yet known at the position: it decides on what is read, not on what is put in.
_LIKELY: LiteralString = """
    since AS MATERIALIZED (
        SELECT o.owner, o.position, coalesce((
            SELECT max(newest.id) - (:margin * :most / sum(8 / (newest.id - d.id + 1)::float8))::bigint
            FROM (SELECT max(id) AS id FROM statuses) newest,
                (SELECT * FROM follows i WHERE i.follower = o.owner OFFSET 0) f CROSS JOIN LATERAL (
                    SELECT s.id FROM statuses s WHERE s.account = f.followee ORDER BY s.id DESC OFFSET 7 LIMIT 1) d
            WHERE f.stage = 'following' AND f.until IS NULL
        ), 0) AS id
        FROM restored o
    )"""
_FROM_THE_BEGINNING: LiteralString = "since AS (SELECT owner, position, 0::bigint AS id FROM restored)"
# A home that was not filled so far back is filled from further back; those of it that are in are its newest.
_NOT_FULL: LiteralString = """
    (SELECT count(*) FROM home h WHERE h.owner = o.owner AND h.position <= o.position) < :most"""

# Each part is read along an index of its own, however little the planner knows of tables that are new: OFFSET 0 keeps
# the question of whom somebody follows apart, LIMIT the one of what each of them wrote.
_FILL: LiteralString = """
    WITH :restored, :since
    INSERT INTO home (owner, entry, via, cause, position)
    SELECT o.owner, e.id, e.via, e.account, e.delivered
    FROM since o CROSS JOIN LATERAL (
        SELECT s.* FROM (
            SELECT f.followee, f.since, f.until FROM
                (SELECT * FROM follows i WHERE i.follower = o.owner OFFSET 0) f
            WHERE f.stage = 'following'
            UNION ALL SELECT o.owner, 0, NULL
        ) f CROSS JOIN LATERAL (
            SELECT s.id, s.account, s.delivered,
                CASE WHEN s.account = o.owner THEN 'self' WHEN s.reblog_of IS NULL THEN 'follow' ELSE 'boost' END AS via
            FROM statuses s
            WHERE s.account = f.followee AND s.id >= o.id
                AND s.delivered <= o.position AND (s.deleted IS NULL OR s.deleted > o.position)
                AND f.since <= s.delivered AND (f.until IS NULL OR f.until > s.delivered)
                AND (s.visibility <> 'direct' OR s.account = o.owner OR (SELECT true FROM audience a
                    WHERE a.status = s.id AND a.account = o.owner AND a.since <= s.delivered))
            ORDER BY s.id DESC LIMIT :most
        ) s
        ORDER BY s.id DESC LIMIT :most
    ) e
    WHERE :wanted
    ON CONFLICT DO NOTHING
    """


def _fill(since: LiteralString, wanted: LiteralString = "true") -> LiteralString:
    filled = _FILL.replace(":restored", _RESTORED).replace(":since", since).replace(":wanted", wanted)
    return filled.replace(":most", _HOME_MAX)


RULES = (
    on(
        (HomeDropped, HomeRestored),
        "a home holds nothing of before it was dropped, and begins with its newest entries when it is restored",
        COLUMNS,
        turn,
        """
        WITH last AS (SELECT DISTINCT ON (owner) * FROM fact ORDER BY owner, position DESC)
        DELETE FROM home h USING last l
        WHERE h.owner = l.owner AND h.position < l.position AND h.owner = ANY (ARRAY(SELECT owner FROM last))
        """,
        _fill(_LIKELY.replace(":margin", "2")),
        _fill(_LIKELY.replace(":margin", "16"), _NOT_FULL),
        _fill(_FROM_THE_BEGINNING, _NOT_FULL),
    ),
)

PROJECTION = Projection("home again", "", {}, RULES)
