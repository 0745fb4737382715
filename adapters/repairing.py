"""One account's own rows worked out anew in the live read models, from the facts that concern it, in one transaction.

The projector waits meanwhile, and readers see the rows as before or as after. The rules run over the very tables, with
the account's rows gone; what comes of it is looked at and taken back, whatever it did to anybody else's, and only what
differs is then written.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
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
from adapters.postgres.projecting import run_rules
from adapters.postgres.reading_ahead import Reader, ReadingAhead
from adapters.postgres.touching import CHANNEL as TOUCHED
from adapters.postgres.touching import EVERYTHING
from adapters.retelling import COLUMNS, Retelling, Row, rows_of
from projections import own, parts
from projections.catalogue import KEYS, OWN
from projections.rule import Rule

CONNECT_TIMEOUT_S: Final = 10

_TEXTS: LiteralString = "SELECT t::text FROM {table} t WHERE "
_ROWS: LiteralString = "SELECT to_jsonb(t) FROM {table} t WHERE t::text = ANY(%(texts)s) AND "
_GONE: LiteralString = "DELETE FROM {table} WHERE "
_REMOVED: LiteralString = """
    DELETE FROM {table} t USING jsonb_populate_recordset(NULL::{table}, %s::jsonb) AS d WHERE {same_key}
"""
_ADDED: LiteralString = "INSERT INTO {table} SELECT * FROM jsonb_populate_recordset(NULL::{table}, %s::jsonb)"
# Its own homes' rows are the only ones that come of it: all other follows are out of sight.
_OWN_FOLLOWS: LiteralString = "CREATE TEMPORARY VIEW follows AS SELECT * FROM {follows} WHERE follower = {account}"
_ANYTHING: LiteralString = """
    SELECT EXISTS (SELECT FROM {facts} f WHERE f.object = %(account)s AND f.kind = 'account.registered')
"""

Rows = dict[tuple[Any, ...], Values]


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

    def __init__(self, connection: psycopg.Connection, live: Generation, origin: str, ahead: ReadingAhead) -> None:
        self._connection = connection
        self._live = live
        self._origin = origin
        self._retelling = Retelling(origin, ahead.at)

    def account(self, account: int, *, dry_run: bool = False) -> Repaired:
        """Work out one account's rows anew and write what differs; with `dry_run` only say what would be written.

        Raises RepairError when no account of that id was ever registered.
        """
        with self._connection.transaction(force_rollback=dry_run):
            cursor = self._connection.cursor()
            path = sql.SQL("SET LOCAL search_path = {}").format(sql.Identifier(self._live.schema))
            cursor.execute(path)
            # Whoever projects writes facts first, so it is waited for before anything of its is locked.
            cursor.execute("LOCK TABLE facts IN SHARE MODE")
            position = generations.hold(self._connection, self._live)
            known = sql.SQL(_ANYTHING).format(facts=sql.Identifier(self._live.schema, "facts"))
            if cursor.execute(known, {"account": account}).fetchone() != (True,):
                raise RepairError(f"There is no account {account}.")
            statuses = cursor.execute(own.STATUSES, {"account": account}).fetchall()
            values = {"account": account, "statuses": [one for (one,) in statuses]}
            before = _texts(cursor, values)
            with self._connection.transaction(force_rollback=True):
                count = self._work_out(cursor, values)
                after = _texts(cursor, values)
                worked_out = {t: _rows(cursor, t, after[t] - before[t], values) for t in OWN}
            live = {t: _rows(cursor, t, before[t] - after[t], values) for t in OWN}
            told: list[Difference] = []
            found = {table: list(_differences(table, live[table], worked_out[table])) for table in OWN}
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

    def _work_out(self, cursor: psycopg.Cursor[Any], values: Mapping[str, Any]) -> int:
        """Leave the tables with what its own rows should be, and others' in disorder; gives how many facts told it."""
        cursor.execute(own.LOOSEN, values)
        for table, condition in OWN.items():
            cursor.execute(sql.SQL(_GONE + condition).format(table=sql.Identifier(table)), values)
        count = self._tell(cursor, parts.rules_of(_BUT_HOMES), self._concerning(cursor, values))
        cursor.execute(own.COUNT, values)
        named = {"follows": sql.Identifier(self._live.schema, "follows"), "account": sql.Literal(values["account"])}
        coming = cursor.execute(own.facts_coming_home(COLUMNS), values).fetchall()
        cursor.execute(sql.SQL(_OWN_FOLLOWS).format(**named))
        cursor.execute(sql.SQL("SET LOCAL search_path = pg_temp, {}").format(sql.Identifier(self._live.schema)))
        homes = list(rows_of(coming))
        run_rules(cursor, parts.rules_of(_HOMES), self._retelling.outlines(cursor, homes), self._origin)
        cursor.execute("DROP VIEW pg_temp.follows")
        return count + len(homes)

    def _concerning(self, cursor: psycopg.Cursor[Any], values: Mapping[str, Any]) -> list[Row]:
        """The facts that its own rows follow from, with the ends of all who acted in them."""
        found = set(rows_of(cursor.execute(own.facts_concerning(COLUMNS), values).fetchall()))
        accounts = {account for row in found for account in (row.actor, row.object) if account is not None}
        ends = cursor.execute(own.departures(COLUMNS), {"accounts": sorted(accounts)}).fetchall()
        return sorted(found | set(rows_of(ends)), key=lambda row: (row.position, row.n))

    def _tell(self, cursor: psycopg.Cursor[Any], rules: Sequence[Rule], rows: Sequence[Row]) -> int:
        kinds = {topic for rule in rules for topic in rule.topics}
        told = [row for row in rows if row.kind in kinds]
        run_rules(cursor, rules, self._retelling.facts(cursor, told), self._origin)
        return len(told)


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
            options="-c jit=off",
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


def _texts(cursor: psycopg.Cursor[Any], values: Mapping[str, Any]) -> dict[str, set[str]]:
    """The account's own rows of every table, as PostgreSQL writes them."""
    found: dict[str, set[str]] = {}
    for table, condition in OWN.items():
        query = sql.SQL(_TEXTS + condition).format(table=sql.Identifier(table))
        found[table] = {text for (text,) in cursor.execute(query, values).fetchall()}
    return found


def _rows(cursor: psycopg.Cursor[Any], table: str, texts: set[str], values: Mapping[str, Any]) -> Rows:
    """Those of the account's own rows that are written so, by key."""
    if not texts:
        return {}
    query = sql.SQL(_ROWS + OWN[table]).format(table=sql.Identifier(table))
    key = KEYS[table].split(", ")
    rows = cursor.execute(query, {**values, "texts": sorted(texts)}).fetchall()
    return {tuple(row[column] for column in key): row for (row,) in rows}


def _differences(table: str, live: Rows, worked_out: Rows) -> Iterator[Difference]:
    for key in sorted(live.keys() | worked_out.keys()):
        found = difference_of(table, live.get(key), worked_out.get(key))
        if found is not None:
            yield found


def _write(cursor: psycopg.Cursor[Any], table: str, found: Sequence[Difference]) -> None:
    removed = [d.live for d in found if d.live is not None]
    added = [d.replayed for d in found if d.replayed is not None]
    key = [sql.Identifier(column) for column in KEYS[table].split(", ")]
    named = {
        "table": sql.Identifier(table),
        "same_key": sql.SQL(" AND ").join(sql.SQL("t.{0} = d.{0}").format(column) for column in key),
    }
    if removed:
        cursor.execute(sql.SQL(_REMOVED).format(**named), [msgspec.json.encode(removed).decode()])
    if added:
        cursor.execute(sql.SQL(_ADDED).format(**named), [msgspec.json.encode(added).decode()])


_HOMES: Final = frozenset({"home"})
_BUT_HOMES: Final = frozenset(KEYS) - _HOMES
