"""Databases for tests: one migrated template a session, one copy a test."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from adapters.postgres.migrate import apply_migrations

APP_ROLE = "daybook_test_app"
APP_PASSWORD = "only-in-tests"
MASTER_KEY = bytes(range(32))
_numbers = count(1)


@dataclass(frozen=True)
class Database:
    """Where a test's database is, for its owner and for the role that processes connect as."""

    name: str
    owner: str
    app: str
    maintenance: str

    def drop(self) -> None:
        """Remove it, with whoever is still connected."""
        with psycopg.connect(self.maintenance, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{self.name}" WITH (FORCE)')


def make_template(dsn: Callable[[str], str]) -> str:
    """Create and migrate the template; gives its name."""
    name = "daybook_template"
    with psycopg.connect(dsn("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    with psycopg.connect(dsn(name)) as connection:
        apply_migrations(connection, APP_ROLE, APP_PASSWORD)
    return name


def clone(dsn: Callable[[str], str], template: str) -> Database:
    """Copy the template."""
    name = f"daybook_{next(_numbers)}"
    with psycopg.connect(dsn("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    return Database(name, dsn(name), as_role(dsn(name)), dsn("postgres"))


def as_role(url: str, role: str = APP_ROLE) -> str:
    """The same database for the application's role, or another of the same password."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role}:{APP_PASSWORD}@{host}"))


def read_only(database: Database, how: Literal["on", "off"]) -> None:
    """Let the processes only read ("on") or write again ("off") as of their next connections: these are cut."""
    with psycopg.connect(database.owner, autocommit=True) as owner:
        name = sql.Identifier(database.name)
        setting = sql.SQL("ALTER ROLE {} IN DATABASE {} SET default_transaction_read_only = {}")
        owner.execute(setting.format(sql.Identifier(APP_ROLE), name, sql.SQL(how)))
        owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [APP_ROLE])
