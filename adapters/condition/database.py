"""The database's condition: version, migrations, rights of our role, durability, clock, connections, archiving."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from psycopg import AsyncConnection, errors
from psycopg.rows import TupleRow, class_row

from adapters.condition.finding import Finding, ok, span, warning, wrong
from adapters.postgres.migrate import checksum, migrations

VERSION_MIN: Final = 15
CLOCK_S_MAX: Final = 5.0
CLOCK_S_WRONG: Final = 60.0
CONNECTIONS_SHARE_MAX: Final = 0.85
BACKUP_S_MAX: Final = 2 * 86_400.0
RESTORE: Final = "`daybook restore` puts its backup back, before anything is started here (docs/backup.md)."
DURABLE: Final = ("fsync", "synchronous_commit", "full_page_writes")

_SERVER: Final = """
    SELECT current_setting('server_version_num')::int / 10000 AS major, current_setting('server_version') AS version,
        current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS synchronous_commit,
        current_setting('full_page_writes') AS full_page_writes,
        current_setting('max_connections')::int AS connections_max,
        (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
        clock_timestamp() AS now, pg_is_in_recovery() AS replica,
        current_setting('archive_mode') AS archive_mode, a.last_archived_time, a.last_failed_time,
        (SELECT count(*)::int FROM pg_stat_replication) AS replicas
    FROM pg_stat_archiver a
"""
_RIGHTS: Final = """
    SELECT current_user AS role, r.rolsuper AS superuser, pg_has_role(current_user, c.relowner, 'USAGE') AS owner,
        has_table_privilege(c.oid, 'UPDATE') OR has_table_privilege(c.oid, 'DELETE')
            OR has_table_privilege(c.oid, 'TRUNCATE') AS may_change,
        coalesce((SELECT t.tgenabled IN ('O', 'A') FROM pg_trigger t
            WHERE t.tgrelid = c.oid AND t.tgname = 'append_only'), false) AS guarded
    FROM pg_class c, pg_roles r WHERE c.oid = 'log.events'::regclass AND r.rolname = current_user
"""
_MIGRATED: Final = "SELECT name, checksum FROM public.daybook_migrations"


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """What the server says of itself."""

    major: int
    version: str
    fsync: str
    synchronous_commit: str
    full_page_writes: str
    connections_max: int
    connections: int
    now: datetime
    replica: bool
    archive_mode: str
    last_archived_time: datetime | None
    last_failed_time: datetime | None
    replicas: int


class Rights(msgspec.Struct, frozen=True, kw_only=True):
    """What the role that we connect as may do to the log, and whether the trigger stands in its way."""

    role: str
    superuser: bool
    owner: bool
    may_change: bool
    guarded: bool


async def database(connection: AsyncConnection[TupleRow]) -> Database:
    """Ask the server. Raises psycopg.Error."""
    return await _one(connection, Database, _SERVER)


async def rights(connection: AsyncConnection[TupleRow]) -> Rights:
    """Ask what our role may. Raises psycopg.Error; UndefinedTable or InvalidSchemaName where there is no log."""
    return await _one(connection, Rights, _RIGHTS)


async def migrated(connection: AsyncConnection[TupleRow]) -> dict[str, str] | None:
    """Migrations that were applied, with their checksums; None where that can't be told. Raises psycopg.Error."""
    try:
        return dict(await (await connection.execute(_MIGRATED)).fetchall())
    except errors.UndefinedTable:
        return {}
    except errors.InsufficientPrivilege:
        return None


def judge_version(found: Database) -> Finding:
    """Whether the server is one that we know."""
    if found.major < VERSION_MIN:
        what = f"PostgreSQL {found.version} answers, which is too old."
        return wrong("database", what, f"Move to PostgreSQL {VERSION_MIN} or newer (pg_upgrade, or dump and restore).")
    if found.replica:
        return wrong("database", "The database is a read-only replica.", "Name the primary in DATABASE_URL.")
    if found.connections > CONNECTIONS_SHARE_MAX * found.connections_max:
        what = (
            f"PostgreSQL {found.version} answers; {found.connections} of {found.connections_max} connections are used."
        )
        return warning("database", what, "Raise max_connections, or see who else holds them in pg_stat_activity.")
    return ok("database", f"PostgreSQL {found.version} answers.")


def judge_durability(found: Database) -> Finding:
    """Whether what was acknowledged survives a crash."""
    off = [name for name in DURABLE if getattr(found, name) == "off"]
    if off:
        what = f"{', '.join(off)} {'is' if len(off) == 1 else 'are'} off: a crash can lose what was acknowledged."
        return wrong("durability", what, "Set them on (ALTER SYSTEM SET … = on, then SELECT pg_reload_conf()).")
    return ok("durability", f"{', '.join(DURABLE)} are on.")


def judge_clock(found: Database, now: datetime) -> Finding:
    """Whether our clock and the database's agree."""
    apart_s = abs((now - found.now).total_seconds())
    todo = "Let NTP (chrony, systemd-timesyncd) set the clocks of both machines."
    if apart_s > CLOCK_S_WRONG:
        what = f"The clocks of this machine and of PostgreSQL are {span(apart_s)} apart: signatures will be refused."
        return wrong("clock", what, todo)
    if apart_s > CLOCK_S_MAX:
        what = f"The clocks of this machine and of PostgreSQL are {apart_s:.0f} s apart."
        return warning("clock", what, todo)
    return ok("clock", f"It is {now:%Y-%m-%d %H:%M:%S} UTC, here and in PostgreSQL.")


def judge_rights(found: Rights) -> Finding:
    """Whether the processes could change the log."""
    check = "rights"
    if not found.guarded:
        what = "The trigger that refuses changes of the log is gone or disabled."
        todo = "Find out who did it; then, as the owner: ALTER TABLE log.events ENABLE TRIGGER append_only."
        return wrong(check, what, todo)
    if found.owner or found.superuser:
        what = (
            f"Processes run as the owner behind the trigger ({found.role}): whoever takes them over can change the log."
        )
        todo = (
            "Let DATABASE_URL's role create roles (ALTER ROLE … CREATEROLE) and start anew, or make a role of your own "
            "and name it in DAYBOOK_DATABASE_APP_URL."
        )
        return warning(check, what, todo)
    if found.may_change:
        what = f"{found.role} may change or empty log.events."
        return wrong(check, what, f"As the owner: REVOKE UPDATE, DELETE, TRUNCATE ON log.events FROM {found.role}.")
    return ok(check, f"{found.role} owns nothing and can only append to the log.")


def judge_migrations(applied: Mapping[str, str] | None) -> Finding:
    """Whether the schema is this code's."""
    check = "migrations"
    if applied is None:
        what = "This role may not read which migrations were applied."
        return warning(check, what, "Run `daybook migrate` (or `daybook up`), which grants it.")
    available = migrations()
    if newer := sorted(applied.keys() - available.keys()):
        return wrong(
            check, f"The database was written by a newer Daybook (it knows {newer[-1]}).", "Update the program."
        )
    if not applied:
        todo = f"Run `daybook migrate` (or `daybook up`) for a new instance. If there was one in it: {RESTORE}"
        return wrong(check, "This database is empty: no migration was ever applied.", todo)
    if lacking := [name for name in available if name not in applied]:
        what = f"{len(lacking)} of {len(available)} migrations are not applied: {', '.join(lacking)}."
        return wrong(check, what, "Run `daybook migrate` (or `daybook up`) with the owner's DATABASE_URL.")
    if changed := [name for name, text in available.items() if applied[name] != checksum(text)]:
        return wrong(check, f"Migration {changed[0]} is not the one that was applied.", "Restore the program's files.")
    return ok(check, f"All {len(available)} migrations are applied.")


def judge_backups(found: Database, backup_ago_s: float | None) -> Finding:
    """What is known of backups: the last `daybook backup`, archived segments of PostgreSQL's log, replicas."""
    check, todo = "backups", "Run `daybook backup` every day and `daybook backup verify` every week (docs/backup.md)."
    replicas = f" {found.replicas} replicas are connected." if found.replicas else ""
    if backup_ago_s is not None and backup_ago_s <= BACKUP_S_MAX:
        return ok(check, f"The last backup was made {span(backup_ago_s)} ago.{replicas}")
    made = (
        "None was made by `daybook backup`" if backup_ago_s is None else f"The last was made {span(backup_ago_s)} ago"
    )
    if found.archive_mode == "off":
        what = f"{made}, and PostgreSQL archives nothing; whatever else copies it is not known here.{replicas}"
        return warning(check, what, todo)
    failed, archived = found.last_failed_time, found.last_archived_time
    if archived is None or (failed is not None and failed > archived):
        since = f" since {failed:%Y-%m-%d %H:%M}" if failed is not None else ""
        return wrong(check, f"PostgreSQL fails to archive its log{since}.", "Look at PostgreSQL's log.")
    ago = span((found.now - archived).total_seconds())
    return ok(check, f"PostgreSQL archived a segment of its log {ago} ago.{replicas}")


async def _one(connection: AsyncConnection[TupleRow], kind: Any, query: str) -> Any:
    async with connection.cursor(row_factory=class_row(kind)) as cursor:
        found = await (await cursor.execute(query.encode())).fetchone()
    assert found is not None, "it always answers"
    return found
