"""A part of the read models made again beside the live ones: the chosen tables of the facts, all others copied.

All of it is one transaction, in a snapshot of what is live: killed in the middle it leaves empty tables. What is made
so rests on what was copied, so it is marked, and no later replay goes on with it.
"""

from collections.abc import Callable

import psycopg
from psycopg import sql

from adapters.codec import Codec
from adapters.config import Settings
from adapters.interpreter.interpret import Interpreter
from adapters.master_key import load_master_key
from adapters.postgres import generations
from adapters.postgres.generations import Generation
from adapters.postgres.reading_ahead import Reader, ReadingAhead
from adapters.remaking import remake
from adapters.retelling import Retelling
from projections import parts
from projections.catalogue import KEYS

_COPY = "INSERT INTO {made} SELECT * FROM {live}"
_REACHED = "UPDATE checkpoint SET notification_id = %s WHERE application_name = %s"


def make_part(
    connection: psycopg.Connection,
    settings: Settings,
    live: Generation,
    made: Generation,
    tables: frozenset[str],
    progress: Callable[[int, int], None],
) -> None:
    """Fill the empty tables of `made`: these from the facts, the others as they are live; commits.

    `progress` is told (position come to, position to come to). Raises Untold when an event can't be read any more.
    """
    assert settings.database_url is not None, "only an owner makes generations"
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    codec, interpreter = Codec(load_master_key(settings)), Interpreter(settings.origin)
    ahead = ReadingAhead(Reader(settings.database_url, codec, interpreter.translate))
    try:
        with connection.transaction(), connection.cursor() as cursor:
            position = generations.position_of(connection, live)
            progress(0, position)
            for table in KEYS.keys() - tables:
                copied = {"made": sql.Identifier(made.schema, table), "live": sql.Identifier(live.schema, table)}
                cursor.execute(sql.SQL(_COPY).format(**copied))
            cursor.execute(sql.SQL("SET LOCAL search_path = {}").format(sql.Identifier(made.schema)))
            # Else the rules would be planned as if nothing were there.
            for table in KEYS.keys() - tables:
                cursor.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table)))
            retelling = Retelling(settings.origin, ahead.at)
            remake(cursor, parts.rules_of(tables), retelling, settings.origin, position, progress)
            cursor.execute(_REACHED, [position, generations.APPLICATION])
            generations.mark_part(connection, made)
    finally:
        ahead.close()
