"""Migrations run once, in order, and what they make is the schema that is written down beside this test; rights are
given at every start."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from adapters.embedded.postgres import EmbeddedPostgres
from adapters.postgres import generations, migrate
from adapters.postgres.migrate import MigrationError, apply_migrations, migrations
from tests.database import APP_PASSWORD, APP_ROLE, Database, as_role

WRITTEN_DOWN = Path(__file__).with_name("schema.txt")
# Every column, index, constraint and privilege of the application's role, one a line.
SCHEMA = """
    SELECT format('column %s.%s.%s %s%s%s', table_schema, table_name, column_name, data_type,
        CASE is_nullable WHEN 'NO' THEN ' not null' ELSE '' END, coalesce(' default ' || column_default, ''))
    FROM information_schema.columns WHERE table_schema IN ('log', 'keys', 'app')
    UNION ALL SELECT format('index %s', indexdef) FROM pg_indexes WHERE schemaname IN ('log', 'keys', 'app')
    UNION ALL SELECT format('constraint %s %s', conrelid::regclass, pg_get_constraintdef(oid))
    FROM pg_constraint WHERE connamespace::regnamespace::text IN ('log', 'keys', 'app') AND contype <> 'n'
    UNION ALL SELECT format('trigger %s', pg_get_triggerdef(oid)) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT format('grant %s on %s.%s', privilege_type, table_schema, table_name)
    FROM information_schema.role_table_grants WHERE grantee = %(role)s
    UNION ALL SELECT format('grant %s on %s.%s(%s)', privilege_type, table_schema, table_name, column_name)
    FROM information_schema.role_column_grants g WHERE grantee = %(role)s AND NOT EXISTS (
        SELECT FROM information_schema.role_table_grants t
        WHERE (t.grantee, t.table_name, t.privilege_type) = (g.grantee, g.table_name, g.privilege_type))
"""


@pytest.fixture
def empty(postgres_server: EmbeddedPostgres) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_server.dsn("postgres"), autocommit=True) as maintenance:
        maintenance.execute("CREATE DATABASE unmigrated")
        with psycopg.connect(postgres_server.dsn("unmigrated")) as connection:
            yield connection
        maintenance.execute("DROP DATABASE unmigrated WITH (FORCE)")


def test_the_schema_is_the_one_that_is_written_down(database: Database) -> None:
    with psycopg.connect(database.owner) as owner:
        found = sorted(row[0] for row in owner.execute(SCHEMA.replace("%s", "%%s"), {"role": APP_ROLE}))
    assert "\n".join(found) + "\n" == WRITTEN_DOWN.read_text()


def test_each_migration_runs_once_and_a_second_start_runs_none(empty: psycopg.Connection) -> None:
    assert apply_migrations(empty, APP_ROLE, APP_PASSWORD) == list(migrations())
    assert apply_migrations(empty, APP_ROLE, APP_PASSWORD) == []


def test_a_migration_that_changed_after_it_ran_is_refused(
    empty: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply_migrations(empty, APP_ROLE, APP_PASSWORD)
    changed = {name: text + "-- changed" for name, text in migrations().items()}
    monkeypatch.setattr(migrate, "migrations", lambda: changed)
    with pytest.raises(MigrationError, match="not the one that was applied"):
        apply_migrations(empty, APP_ROLE, APP_PASSWORD)


def test_a_database_of_a_newer_daybook_is_left_alone(empty: psycopg.Connection) -> None:
    apply_migrations(empty, APP_ROLE, APP_PASSWORD)
    empty.execute("INSERT INTO public.daybook_migrations VALUES ('9999_later.sql', 'x')")
    with pytest.raises(MigrationError, match="newer Daybook"):
        apply_migrations(empty, APP_ROLE, APP_PASSWORD)


def test_the_processes_role_owns_nothing(database: Database) -> None:
    with psycopg.connect(database.owner) as owner:
        owned = owner.execute(
            "SELECT relname FROM pg_class JOIN pg_roles r ON r.oid = relowner WHERE rolname = %s", [APP_ROLE]
        ).fetchall()
        powers = owner.execute(
            "SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls FROM pg_roles WHERE rolname = %s", [APP_ROLE]
        ).fetchone()
    assert owned == [] and powers == (False, False, False, False)


def test_a_role_that_changed_since_has_every_right_of_the_one_before(database: Database) -> None:
    with psycopg.connect(database.owner, autocommit=True) as owner:
        read_models = generations.create(owner, APP_ROLE)
        assert apply_migrations(owner, "daybook_other_app", APP_PASSWORD) == []
        before, after = (
            sorted(row[0] for row in owner.execute(SCHEMA.replace("%s", "%%s"), {"role": role}))
            for role in (APP_ROLE, "daybook_other_app")
        )
    assert after == before
    with psycopg.connect(as_role(database.owner, "daybook_other_app")) as other:
        other.execute("SELECT FROM log.append('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')")
        assert generations.position_of(other, read_models) == 0
