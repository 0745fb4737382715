"""Home turns: since when somebody's home is kept, and since when not. Without a turn it is kept, since registration.

The turns only grow, and what held at a position is said by the last one before it, so that a rule can ask about the
moment of a fact, whatever else came in the same batch.
"""

from collections.abc import Iterable
from typing import LiteralString

from domain.home import HomeDropped, HomeRestored
from projections.because import at
from projections.fact import Fact
from projections.query import Query
from projections.rule import Projection, Row, on

TABLES = """
CREATE TABLE home_turns (
    owner    bigint  NOT NULL,
    position bigint  NOT NULL,
    kept     boolean NOT NULL,
    PRIMARY KEY (owner, position)
);
"""

COLUMNS: LiteralString = "owner bigint, position bigint, kept boolean"

_LAST: LiteralString = """
    (SELECT t.kept FROM home_turns t WHERE t.owner = :owner :then ORDER BY t.position DESC LIMIT 1)"""


def turn(event: HomeDropped | HomeRestored, fact: Fact, origin: str) -> Iterable[Row]:
    """A row of COLUMNS."""
    yield event.account, fact.position, isinstance(event, HomeRestored)


def home_kept(owner: LiteralString, position: LiteralString) -> LiteralString:
    """Whether the home of the owner in this column is kept as of the position in that one."""
    then: LiteralString = "AND t.position <= :position"
    return "(:last IS NOT FALSE)".replace(":last", _last(owner, then.replace(":position", position)))


def home_kept_now(owner: LiteralString) -> LiteralString:
    """Whether the home of the owner in this column is kept today."""
    return "(:last IS NOT FALSE)".replace(":last", _last(owner))


def _last(owner: LiteralString, then: LiteralString = "") -> LiteralString:
    return _LAST.replace(":owner", owner).replace(":then", then)


RULES = (
    on(
        (HomeDropped, HomeRestored),
        "a home is kept or not from here on",
        COLUMNS,
        turn,
        """
        INSERT INTO home_turns (owner, position, kept) SELECT owner, position, kept FROM fact ON CONFLICT DO NOTHING
        """,
    ),
)

PROJECTION = Projection(
    "home turns",
    TABLES,
    {"home_turns": "owner, position"},
    RULES,
    {"home_turns": at("position")},
    own={"home_turns": "owner = %(account)s"},
)


def is_home_kept(owner: int) -> Query:
    """One row: whether this home is kept, as far as has been projected."""
    sql: LiteralString = "SELECT :kept"
    return Query(sql.replace(":kept", home_kept_now("%(owner)s::bigint")), {"owner": owner})
