"""Migrating as the owner, and where the processes connect afterwards."""

import os
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from adapters.config import APP_ROLE, Settings, SettingsError
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.first_start import attached, migrate
from adapters.master_key import load_master_key


def fresh_database(server: EmbeddedPostgres, name: str, owner: str | None = None) -> str:
    """An empty database of some role's; gives its URL for the server's owner."""
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
        if owner is not None:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'x'").format(sql.Identifier(owner)))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        if owner is not None:
            alter = sql.SQL("ALTER DATABASE {} OWNER TO {}")
            connection.execute(alter.format(sql.Identifier(name), sql.Identifier(owner)))
    return server.dsn(name)


def connected_as(url: str | None) -> str:
    """Who somebody is that connects by a URL."""
    assert url is not None
    with psycopg.connect(url) as connection:
        return connection.info.user


def test_the_processes_get_a_role_of_their_own_that_works_at_every_start(
    postgres_server: EmbeddedPostgres, tmp_path: Path
) -> None:
    settings = Settings(data=tmp_path, database_url=fresh_database(postgres_server, "two_roles"))
    first, second = migrate(settings), migrate(settings)
    assert first == second
    assert connected_as(second.database_app_url) == APP_ROLE


def test_an_owner_who_may_make_no_roles_is_used_for_both(postgres_server: EmbeddedPostgres, tmp_path: Path) -> None:
    owner_url = fresh_database(postgres_server, "one_role", owner="humble")
    humble_url = owner_url.replace(owner_url.partition("@")[0], "postgresql://humble:x")
    settings = migrate(Settings(data=tmp_path, database_url=humble_url))
    assert connected_as(settings.database_app_url) == "humble"


def test_a_database_that_does_not_answer_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL names can't be used"):
        migrate(Settings(data=tmp_path, database_url=f"postgresql://x@/x?host={tmp_path}"))


def test_a_command_beside_a_running_instance_finds_its_database_by_its_data(
    postgres_server: EmbeddedPostgres,
) -> None:
    found = attached(Settings(data=postgres_server.data))
    assert connected_as(found.database_url) == "daybook"
    assert found.redis_url is not None


def test_a_process_that_was_given_its_database_looks_for_no_owner(tmp_path: Path) -> None:
    given = Settings(data=tmp_path, database_app_url="postgresql://daybook_app@db/x", redis_url="redis://r")
    assert attached(given) == given


def test_a_command_without_any_database_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="run `daybook up`, or set DATABASE_URL"):
        attached(Settings(data=tmp_path))


def test_another_users_data_are_told_of_in_a_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0)
    us, somebody = os.geteuid(), 65_534
    if us == 0:
        os.seteuid(somebody)
    try:
        for command in (attached, load_master_key):
            with pytest.raises(SettingsError, match="run this as the user whose instance it is"):
                command(Settings(data=tmp_path))
    finally:
        os.seteuid(us)
        tmp_path.chmod(0o700)
