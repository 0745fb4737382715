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

# 2^58 in ids is 139 years: a guess beyond that reads all there is, and twelve times it is still a bigint.
_SPAN_MAX: LiteralString = "288230376151711744"

# How long ago the oldest of HOME_MAX entries came, in ids, is guessed by how long ago each of those followed wrote
# their last post but three. Guessing may go by what is not yet known at the position: it decides on what is read,
# never on what is put in.
_GUESS: LiteralString = """
    restored AS MATERIALIZED (
        SELECT o.owner, o.position, (SELECT max(id) FROM statuses) AS newest, (
            SELECT least(:most / sum(3 / (newest.id::float8 - d.id::float8 + 1)), :span_most)::bigint
            FROM (SELECT max(id) AS id FROM statuses) newest,
                (SELECT * FROM follows i WHERE i.follower = o.owner OFFSET 0) f CROSS JOIN LATERAL (
                    SELECT s.id FROM statuses s WHERE s.account = f.followee ORDER BY s.id DESC OFFSET 3 LIMIT 1) d
            WHERE f.stage = 'following' AND f.until IS NULL
        ) AS span
        FROM last o WHERE o.kept
    )""".replace(":span_most", _SPAN_MAX)

# What each of `:owners` had come in by its position, no older than `:since`, newest first. Each part is read along an
# index of its own, however little the planner knows of tables that are new: OFFSET 0 keeps the question of whom
# somebody follows apart, LIMIT the one of what each of them wrote.
_ENTRIES: LiteralString = """
    SELECT o.owner, e.id, e.via, e.account, e.delivered
    FROM :owners o CROSS JOIN LATERAL (
        SELECT s.* FROM (
            SELECT f.followee, f.since, f.until FROM
                (SELECT * FROM follows i WHERE i.follower = o.owner OFFSET 0) f
            WHERE f.stage = 'following'
            UNION ALL SELECT o.owner, 0, NULL
        ) f CROSS JOIN LATERAL (
            SELECT s.id, s.account, s.delivered,
                CASE WHEN s.account = o.owner THEN 'self' WHEN s.reblog_of IS NULL THEN 'follow' ELSE 'boost' END AS via
            FROM statuses s
            WHERE s.account = f.followee AND s.id >= :since
                AND s.delivered <= o.position AND (s.deleted IS NULL OR s.deleted > o.position)
                AND f.since <= s.delivered AND (f.until IS NULL OR f.until > s.delivered)
                AND (s.visibility <> 'direct' OR s.account = o.owner OR (SELECT true FROM audience a
                    WHERE a.status = s.id AND a.account = o.owner AND a.since <= s.delivered))
            ORDER BY s.id DESC LIMIT :most
        ) s
        ORDER BY s.id DESC LIMIT :most
    ) e"""
_FEWER: LiteralString = """
    SELECT o.* FROM :owners o LEFT JOIN (SELECT owner, count(*) AS entries FROM :found GROUP BY owner) n USING (owner)
    WHERE coalesce(n.entries, 0) < :most"""


def _entries(owners: LiteralString, since: LiteralString) -> LiteralString:
    return _ENTRIES.replace(":owners", owners).replace(":since", since)


def _fewer(owners: LiteralString, found: LiteralString) -> LiteralString:
    return _FEWER.replace(":owners", owners).replace(":found", found)


_STAGES: LiteralString = """
    WITH last AS (SELECT DISTINCT ON (owner) * FROM fact ORDER BY owner, position DESC),
    :guess,
    near AS MATERIALIZED (:near),
    fewer AS MATERIALIZED (:fewer),
    far AS MATERIALIZED (:far),
    fewest AS MATERIALIZED (:fewest)
    INSERT INTO home (owner, entry, via, cause, position)
    SELECT * FROM near UNION ALL SELECT * FROM far UNION ALL :all
    ON CONFLICT DO NOTHING
    """
_FILL: LiteralString = (
    _STAGES.replace(":guess", _GUESS)
    .replace(":near", _entries("restored", "o.newest - o.span * 3 / 2"))
    .replace(":fewest", _fewer("fewer", "far"))
    .replace(":fewer", _fewer("restored", "near"))
    .replace(":far", _entries("fewer", "o.newest - 12 * o.span"))
    .replace(":all", _entries("fewest", "0"))
    .replace(":most", _HOME_MAX)
)


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
        _FILL,
    ),
)

PROJECTION = Projection("home again", "", {}, RULES)
