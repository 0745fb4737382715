"""Migrations: numbered SQL files, applied once each, in order, by the owner of the database; and the rights of the
role that the processes connect as, given at every start, since that role may be another one than before.

Read models are not migrated: a projection whose code changed is built anew in the next generation.
"""

import hashlib
from collections.abc import Mapping
from importlib.resources import files

import psycopg
from psycopg import sql

from adapters.postgres import generations

LOCK = 0x6461_7962_6F6F_6B
_APPLIED = "CREATE TABLE IF NOT EXISTS public.daybook_migrations (name text PRIMARY KEY, checksum text NOT NULL)"


class MigrationError(Exception):
    """A migration that was applied has changed since, or the database belongs to a newer Daybook."""


def migrations() -> dict[str, str]:
    """Name → SQL of every migration there is, in order."""
    folder = files("adapters.postgres") / "migrations"
    named = {entry.name: entry for entry in folder.iterdir() if entry.name.endswith(".sql")}
    return {name: named[name].read_text("utf-8") for name in sorted(named)}


def apply_migrations(owner: psycopg.Connection, app_role: str, app_password: str | None) -> list[str]:
    """Bring the schema up to date and say which migrations ran.

    Creates or re-keys the role that the processes connect as, and gives it its rights. With `app_password` None the
    role is taken as it is (the owner itself, where `CREATE ROLE` is not allowed). Raises MigrationError.
    """
    with owner.transaction():
        owner.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        if app_password is not None:
            _ensure_role(owner, app_role, app_password)
        owner.execute(_APPLIED)
        applied = dict(owner.execute("SELECT name, checksum FROM public.daybook_migrations").fetchall())
        available = migrations()
        _check(applied, available)
        fresh = [name for name in available if name not in applied]
        for name in fresh:
            _apply(owner, name, available[name])
        _grant(owner, app_role)
        return fresh


def lay_out(owner: psycopg.Connection, wanted: Mapping[str, str]) -> None:
    """Give an empty database the schema that it had once these migrations (name to checksum) had run. Never commits.

    Rights and later migrations are left to `apply_migrations`. Raises MigrationError when one of them is not ours.
    """
    available = migrations()
    _check(dict(wanted), available)
    owner.execute(_APPLIED)
    for name in sorted(wanted):
        _apply(owner, name, available[name])


def may_create_roles(owner: psycopg.Connection) -> bool:
    """Whether this login may make the second role."""
    row = owner.execute("SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    return bool(row and row[0])


def _apply(owner: psycopg.Connection, name: str, text: str) -> None:
    owner.execute(text.encode())
    owner.execute(
        "INSERT INTO public.daybook_migrations (name, checksum) VALUES (%s, %s)",
        [name, checksum(text)],
    )


def _ensure_role(owner: psycopg.Connection, role: str, password: str) -> None:
    exists = owner.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    verb = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}" if exists else "CREATE ROLE {} LOGIN PASSWORD {}")
    owner.execute(verb.format(sql.Identifier(role), sql.Literal(password)))


def _grant(owner: psycopg.Connection, role: str) -> None:
    text = (files("adapters.postgres") / "grants.sql").read_text("utf-8")
    owner.execute(text.replace("{{app_role}}", sql.Identifier(role).as_string(owner)).encode())
    # Before the look at what there is, so that none is made or dropped meanwhile.
    owner.execute("LOCK TABLE app.generations IN EXCLUSIVE MODE")
    for generation in generations.all_of_them(owner):
        # Somebody may have thrown it away; a start makes it anew.
        if generations.is_there(owner, generation):
            generations.grant(owner, generation, role)


def _check(applied: dict[str, str], available: dict[str, str]) -> None:
    for name, known in applied.items():
        if name not in available:
            raise MigrationError(f"The database was written by a newer Daybook (it knows {name}): update the program.")
        if known != checksum(available[name]):
            raise MigrationError(f"Migration {name} is not the one that was applied: restore the file.")


def checksum(text: str) -> str:
    """What a migration's text is known by once it was applied."""
    return hashlib.sha256(text.encode()).hexdigest()
