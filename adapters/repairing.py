"""One account's own rows worked out anew in the live read models, from the facts that concern it, in one transaction.

The projector waits meanwhile, and readers see the rows as before or as after. The rules run over the very tables, with
the account's rows gone; what comes of it is looked at and taken back, whatever it did to anybody else's, and only what
differs is then written. PostgreSQL compares the tables, and facts are told a few at a time, the next of them opened
while PostgreSQL is at work, so that no more is held here than their references and what differs.
"""

from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final, LiteralString

import msgspec
import psycopg
from psycopg import sql

from adapters.codec import Codec
from adapters.config import Settings, SettingsError
from adapters.differences import EXPLAINED_MAX, Difference, Values, difference_of, explained
from adapters.interpreter.interpret import Interpreter
from adapters.master_key import load_master_key
from adapters.postgres import generations
from adapters.postgres.generations import Generation
from adapters.postgres.reading_ahead import Reader, ReadingAhead
from adapters.postgres.ruling import run_rules, switching_fast
from adapters.postgres.touching import CHANNEL as TOUCHED
from adapters.postgres.touching import EVERYTHING
from adapters.retelling import COLUMNS, Claims, Retelling, Row, rows_of
from projections import own, parts
from projections.catalogue import KEYS, OWN
from projections.rule import Rule

CONNECT_TIMEOUT_S: Final = 10
CONCERNED_MAX: Final = 200_000
"""How many facts and rows there may be to a repair: what is projected waits for it, and any of them may differ."""
TOLD_MAX: Final = 500
"""How many facts are told at once, each with all that its event holds; as many more are opened meanwhile."""
OUTLINED_MAX: Final = 5_000
"""How many are told at once without that."""

_CONCERNED: LiteralString = "SELECT count(*) FROM ({parts} LIMIT %(most)s) concerned"
_SOME: LiteralString = "SELECT * FROM (:rows) few LIMIT %(most)s"
# The account's own rows as they were found, as PostgreSQL writes them, and taken out meanwhile.
_FOUND: LiteralString = "CREATE TEMPORARY TABLE own_rows_found (of_table text NOT NULL, written text NOT NULL)"
_TAKEN_OUT: LiteralString = (
    "{table} AS (DELETE FROM {table} t WHERE :own RETURNING {name} AS of_table, t::text AS written)"
)
_NOTED: LiteralString = "WITH {taken_out} INSERT INTO own_rows_found {all_of_them}"
_WRITTEN: LiteralString = "SELECT {name} AS of_table, t::text AS written FROM {table} t WHERE :own"
# Those that are only there as they were found (false), and as they were worked out (true).
_DIFFERENT: LiteralString = """
    SELECT of_table, written, bool_and(anew) FROM (
        SELECT of_table, written, false AS anew FROM own_rows_found UNION ALL SELECT *, true FROM ({written}) now) seen
    GROUP BY of_table, written HAVING count(*) = 1
"""
_ROWS: LiteralString = "SELECT to_jsonb(t) FROM {table} t WHERE t::text = ANY(%(texts)s) AND "
_REMOVED: LiteralString = """
    DELETE FROM {table} t USING jsonb_populate_recordset(NULL::{table}, %s::jsonb) AS d WHERE {same_key}
"""
_ADDED: LiteralString = "INSERT INTO {table} SELECT * FROM jsonb_populate_recordset(NULL::{table}, %s::jsonb)"
# Its own homes' rows are the only ones that come of it: all other follows are out of sight.
_OWN_FOLLOWS: LiteralString = "CREATE TEMPORARY VIEW follows AS SELECT * FROM {follows} WHERE follower = {account}"
_BESIDE_IT: LiteralString = "CREATE TEMPORARY TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING INDEXES)"
_BESIDE_DIFFERS: LiteralString = """
    SELECT to_jsonb(live), to_jsonb(anew)
    FROM (SELECT * FROM {table} WHERE :own) live FULL JOIN (SELECT * FROM {beside} WHERE :own) anew USING ({key})
    WHERE live IS DISTINCT FROM anew ORDER BY {key}
"""
_ANYTHING: LiteralString = """
    SELECT EXISTS (SELECT FROM {facts} f WHERE f.object = %(account)s AND f.kind = 'account.registered')
"""

_HOME: Final = "home"
# Rules that write these read no more of them than an account's own rows. They are worked out in tables of their own:
# taking out those that are there would write each of the pages that they are spread over.
_BESIDE: Final = ("status_revisions", "documents", _HOME)
_IN_PLACE: Final = tuple(table for table in OWN if table not in _BESIDE)
_NOTIFICATIONS: Final = frozenset({"notifications"})

Rows = dict[tuple[Any, ...], Values]
Opened = tuple[Sequence[Row], Claims]
Texts = defaultdict[str, list[str]]


class RepairError(Exception):
    """Why there can be no repair now; one sentence for the operator."""


class Repaired(msgspec.Struct, frozen=True):
    """What differed, as of which position, and of how many facts that was worked out."""

    position: int
    facts: int
    differences: tuple[Difference, ...]


class Repair:
    """Repairs one account after the other in the live generation, over the owner's connection.

    Raises psycopg.OperationalError when the database goes away, Untold when an event can't be read any more.
    """

    def __init__(
        self,
        connection: psycopg.Connection,
        live: Generation,
        origin: str,
        ahead: ReadingAhead,
        *,
        concerned_max: int = CONCERNED_MAX,
        told_max: int = TOLD_MAX,
        outlined_max: int = OUTLINED_MAX,
    ) -> None:
        self._connection = connection
        self._live = live
        self._origin = origin
        self._retelling = Retelling(origin, ahead.at)
        self._concerned_max = concerned_max
        self._told_max = told_max
        self._outlined_max = outlined_max

    def account(self, account: int, *, dry_run: bool = False) -> Repaired:
        """Work out one account's rows anew and write what differs; with `dry_run` only say what would be written.

        Raises RepairError when no account of that id was ever registered, or too much has to do with it.
        """
        # Before anything is locked: what is projected waits for no repair that is refused.
        with self._connection.transaction():
            self._refuse_much(self._connection.cursor(), account)
        with self._connection.transaction(force_rollback=dry_run):
            cursor = self._connection.cursor()
            self._look_into(cursor)
            # Whoever projects writes facts first, so it is waited for before anything of its is locked.
            cursor.execute("LOCK TABLE facts IN SHARE MODE")
            position = generations.hold(self._connection, self._live)
            known = sql.SQL(_ANYTHING).format(facts=sql.Identifier(self._live.schema, "facts"))
            if cursor.execute(known, {"account": account}).fetchone() != (True,):
                raise RepairError(f"There is no account {account}.")
            count, found = self._compared(cursor, _values(cursor, account))
            told: list[Difference] = []
            for table, some in found.items():
                _write(cursor, table, some)
            if any(found.values()):
                # Pages that were made of it are not true any more.
                cursor.execute("SELECT pg_notify(%s, %s)", [TOUCHED, f"{self._live.n}:{EVERYTHING}"])
            # As it is right again: what was wrong names no event by itself.
            for some in found.values():
                told += explained(self._connection, self._live, self._live, some[:EXPLAINED_MAX])
                told += some[EXPLAINED_MAX:]
        return Repaired(position, count, tuple(told))

    def _look_into(self, cursor: psycopg.Cursor[Any]) -> None:
        cursor.execute(sql.SQL("SET LOCAL search_path = {}").format(sql.Identifier(self._live.schema)))

    def _refuse_much(self, cursor: psycopg.Cursor[Any], account: int) -> None:
        """Raise RepairError when there is more to it than a repair may take, counted no further than that."""
        self._look_into(cursor)
        values = _values(cursor, account, most=self._concerned_max + 1)
        parts = [sql.SQL("SELECT " + part) for part in own.ALL]
        parts += [sql.SQL("SELECT FROM {} WHERE " + OWN[table]).format(sql.Identifier(table)) for table in OWN]
        counted = sql.SQL(_CONCERNED).format(parts=sql.SQL(" UNION ALL ").join(parts))
        row = cursor.execute(counted, values).fetchone()
        assert row is not None, "a count is one row"
        if row[0] > self._concerned_max:
            raise RepairError(
                f"More than {self._concerned_max:,} facts and rows have to do with account {account}, and what is "
                "projected would wait for its repair: `daybook replay --only home` makes all homes anew beside the "
                "live ones, `--only` another table or projection makes that, and `daybook replay` everything."
            )

    def _compared(
        self, cursor: psycopg.Cursor[Any], values: Mapping[str, Any]
    ) -> tuple[int, dict[str, list[Difference]]]:
        """Of how many facts its own rows were worked out, and by table which of them differ; they are as before."""
        with self._connection.transaction(force_rollback=True):
            count = self._work_out(cursor, values)
            gone, added = _texts(cursor, values)
            worked_out = {t: _rows(cursor, t, added[t], values) for t in _IN_PLACE}
            beside = {t: cursor.execute(self._beside(_BESIDE_DIFFERS, t), values).fetchall() for t in _BESIDE}
        live = {t: _rows(cursor, t, gone[t], values) for t in _IN_PLACE}
        found = {t: list(_differences(t, live[t], worked_out[t])) for t in _IN_PLACE}
        for table, rows in beside.items():
            found[table] = [d for d in (difference_of(table, *both) for both in rows) if d is not None]
        return count, {table: found[table] for table in OWN}

    def _work_out(self, cursor: psycopg.Cursor[Any], values: Mapping[str, Any]) -> int:
        """Leave the tables with what its own rows should be, and others' in disorder; gives how many facts told it.

        What is worked out beside them is left in pg_temp, which comes first in the search path then.
        """
        rules, concerning = parts.rules_of(frozenset(KEYS) - {_HOME}), self._concerning(cursor, values)
        with self._opening(rules, concerning) as opened:
            cursor.execute(_FOUND)
            cursor.execute(_noting(), values)
            for table in _BESIDE:
                cursor.execute(self._beside(_BESIDE_IT, table))
            cursor.execute(sql.SQL("SET LOCAL search_path = pg_temp, {}").format(sql.Identifier(self._live.schema)))
            count = self._tell(cursor, rules, opened)
        telling_it = list(rows_of(cursor.execute(own.facts_telling_it(COLUMNS), values).fetchall()))
        rules = parts.rules_of(_NOTIFICATIONS)
        with self._opening(rules, telling_it) as opened:
            count += self._tell(cursor, rules, opened)
        cursor.execute(own.COUNT, values)
        coming = cursor.execute(own.facts_coming_home(COLUMNS), values).fetchall()
        follows, account = sql.Identifier(self._live.schema, "follows"), sql.Literal(values["account"])
        cursor.execute(sql.SQL(_OWN_FOLLOWS).format(follows=follows, account=account))
        homes, rules = list(rows_of(coming)), parts.rules_of(frozenset({_HOME}))
        for some in _few(homes, self._outlined_max):
            run_rules(cursor, rules, self._retelling.outlines(cursor, some), self._origin)
        cursor.execute("DROP VIEW pg_temp.follows")
        return count + len(homes)

    def _beside(self, query: LiteralString, table: str) -> sql.Composed:
        return sql.SQL(query.replace(":own", OWN[table])).format(
            table=sql.Identifier(self._live.schema, table),
            beside=sql.Identifier("pg_temp", table),
            name=sql.Identifier(table),
            key=sql.SQL(", ").join(_key(table)),
        )

    def _concerning(self, cursor: psycopg.Cursor[Any], values: Mapping[str, Any]) -> list[Row]:
        """The facts that its own rows follow from, with the ends of all who acted in them."""
        found = set(rows_of(cursor.execute(own.facts_concerning(COLUMNS), values).fetchall()))
        accounts = {account for row in found for account in (row.actor, row.object) if account is not None}
        ends = cursor.execute(own.departures(COLUMNS), {"accounts": sorted(accounts)}).fetchall()
        return sorted(found | set(rows_of(ends)), key=lambda row: (row.position, row.n))

    @contextmanager
    def _opening(self, rules: Sequence[Rule], rows: Sequence[Row]) -> Generator[Iterator[Opened]]:
        """What these rules are told, a few at a time: the first are opened from now on, the next while rules run."""
        kinds = {topic for rule in rules for topic in rule.topics}
        batches = list(_few([row for row in rows if row.kind in kinds], self._told_max))
        with switching_fast(), ThreadPoolExecutor(1, thread_name_prefix="open") as thread:

            def opened(coming: Future[Claims]) -> Iterator[Opened]:
                for some, following in zip(batches, [*batches, ()][1:], strict=True):
                    claims, coming = coming.result(), thread.submit(self._retelling.read, following)
                    yield some, claims

            yield opened(thread.submit(self._retelling.read, batches[0] if batches else ()))

    def _tell(self, cursor: psycopg.Cursor[Any], rules: Sequence[Rule], opened: Iterator[Opened]) -> int:
        count = 0
        # Rules give the same whatever is told together.
        for some, claims in opened:
            run_rules(cursor, rules, self._retelling.facts(cursor, some, claims), self._origin)
            count += len(some)
        return count


@contextmanager
def repairing(settings: Settings) -> Generator[Repair]:
    """A repair of this instance's live generation.

    Raises SettingsError without the owner's database, RepairError when this program's code did not make what is live
    or the database goes away, and what `Repair.account` raises.
    """
    if settings.database_url is None:
        raise SettingsError("A repair locks tables, which only the database's owner may: set DATABASE_URL.")
    codec = Codec(load_master_key(settings))
    try:
        with psycopg.connect(
            settings.database_url,
            autocommit=True,
            application_name="daybook repair",
            options="-c jit=off -c max_parallel_workers_per_gather=0",
            connect_timeout=CONNECT_TIMEOUT_S,
        ) as connection:
            live = generations.live(connection)
            if live is None or live.code_hash != generations.code_hash():
                raise RepairError(
                    "The live read models were not made by this version of Daybook: start it once (`daybook up`), "
                    "it builds them anew by itself."
                )
            ahead = ReadingAhead(Reader(settings.database_url, codec, Interpreter(settings.origin).translate))
            try:
                yield Repair(connection, live, settings.origin, ahead)
            finally:
                ahead.close()
    except psycopg.OperationalError as error:
        raise RepairError(f"The database does not answer, so nothing was repaired: {str(error).strip()}") from error


def _values(cursor: psycopg.Cursor[Any], account: int, most: int | None = None) -> dict[str, Any]:
    """What the queries of projections/own.py ask by, with the ids of at most so many statuses (None: of all)."""
    asked = {"account": account, "most": most}
    statuses = cursor.execute(_SOME.replace(":rows", own.STATUSES), asked).fetchall()
    return {**asked, "statuses": [one for (one,) in statuses]}


def _few(rows: Sequence[Row], most: int) -> Iterator[Sequence[Row]]:
    for start in range(0, len(rows), most):
        yield rows[start : start + most]


def _of_each(query: LiteralString, between: LiteralString) -> sql.Composed:
    """A query about the account's own rows for each table that is worked out in place."""
    each = [
        sql.SQL(query.replace(":own", OWN[table])).format(table=sql.Identifier(table), name=sql.Literal(table))
        for table in _IN_PLACE
    ]
    return sql.SQL(between).join(each)


def _noting() -> sql.Composed:
    taken_out = _of_each(_TAKEN_OUT, ", ")
    return sql.SQL(_NOTED).format(taken_out=taken_out, all_of_them=_of_each("SELECT * FROM {table}", " UNION ALL "))


def _texts(cursor: psycopg.Cursor[Any], values: Mapping[str, Any]) -> tuple[Texts, Texts]:
    """By table, rows that are no more and those that are new, as PostgreSQL writes them."""
    gone, added = Texts(list), Texts(list)
    query = sql.SQL(_DIFFERENT).format(written=_of_each(_WRITTEN, " UNION ALL "))
    for table, text, anew in cursor.execute(query, values):
        (added if anew else gone)[table].append(text)
    return gone, added


def _rows(cursor: psycopg.Cursor[Any], table: str, texts: Sequence[str], values: Mapping[str, Any]) -> Rows:
    """Those of the account's own rows that are written so, by key."""
    if not texts:
        return {}
    query = sql.SQL(_ROWS + OWN[table]).format(table=sql.Identifier(table))
    key = KEYS[table].split(", ")
    rows = cursor.execute(query, {**values, "texts": texts}).fetchall()
    return {tuple(row[column] for column in key): row for (row,) in rows}


def _differences(table: str, live: Rows, worked_out: Rows) -> Iterator[Difference]:
    for key in sorted(live.keys() | worked_out.keys()):
        found = difference_of(table, live.get(key), worked_out.get(key))
        if found is not None:
            yield found


def _key(table: str) -> list[sql.Identifier]:
    return [sql.Identifier(column) for column in KEYS[table].split(", ")]


def _write(cursor: psycopg.Cursor[Any], table: str, found: Sequence[Difference]) -> None:
    removed = [d.live for d in found if d.live is not None]
    added = [d.replayed for d in found if d.replayed is not None]
    named = {
        "table": sql.Identifier(table),
        "same_key": sql.SQL(" AND ").join(sql.SQL("t.{0} = d.{0}").format(column) for column in _key(table)),
    }
    if removed:
        cursor.execute(sql.SQL(_REMOVED).format(**named), [msgspec.json.encode(removed).decode()])
    if added:
        cursor.execute(sql.SQL(_ADDED).format(**named), [msgspec.json.encode(added).decode()])
