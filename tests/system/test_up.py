"""`daybook up` as an operator meets it: one command, one Ctrl-C, and nothing left behind whatever happens."""

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from adapters.embedded.postgres import EmbeddedPostgres, attached_dsn
from adapters.embedded.valkey import EmbeddedValkey
from tests.system.instance import Instance, Watch, free_port

LINGER_MAX_S = 5.0
PARTS = ("postgres -D", "valkey-server", "workers.cli serve", "workers.cli behind")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that the lives of this module share, as an operator's do."""
    return tmp_path_factory.mktemp("instance") / "data"


@pytest.fixture(scope="module")
def port() -> int:
    """The port of those lives: it is in the address of everything, so it never changes."""
    return free_port()


@contextlib.contextmanager
def running(data: Path, port: int) -> Iterator[Instance]:
    """An instance that answers; ended by Ctrl-C unless the test ended it."""
    instance = Instance(data, port)
    try:
        yield instance.ready()
    finally:
        instance.end()


def test_one_command_gives_an_address_that_answers_and_ctrl_c_leaves_nothing(data: Path, port: int) -> None:
    with running(data, port) as instance:
        assert instance.status() == 200
        family = instance.family()
        for part in PARTS:
            assert any(part in line for line in family.values()), part
        watch = Watch(family)
        assert instance.end(signal.SIGINT) == 0
        assert watch.left_after(LINGER_MAX_S) == []


def test_a_second_start_keeps_the_data_and_tells_no_password_again(data: Path, port: int) -> None:
    with running(data, port):
        owner = attached_dsn(data)
        assert owner is not None
        with psycopg.connect(owner, autocommit=True) as connection:
            connection.execute("CREATE TABLE public.kept AS SELECT 7 AS n")
    with running(data, port) as instance:
        with psycopg.connect(owner) as connection:
            assert connection.execute("SELECT n FROM public.kept").fetchone() == (7,)
        assert "the one shown at the first start" in instance.wait_for("Password")


def test_the_processes_never_learn_the_owners_database(data: Path, port: int) -> None:
    with running(data, port) as instance:
        for part in PARTS[2:]:
            environ = Path(f"/proc/{instance.member(part)}/environ").read_bytes().split(b"\0")
            named = dict(entry.partition(b"=")[::2] for entry in environ)
            assert b"DATABASE_URL" not in named
            assert named[b"DAYBOOK_DATABASE_APP_URL"].startswith(b"postgresql://daybook_app:")


def test_nothing_outlives_a_killed_supervisor_and_it_starts_again_at_once(data: Path, port: int) -> None:
    instance = Instance(data, port).ready()
    watch = Watch(instance.family())
    instance.process.kill()
    again = Instance(data, port)
    try:
        assert watch.left_after(LINGER_MAX_S) == []
        assert again.ready().status() == 200
    finally:
        again.end()
        instance.end()


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_killed_is_started_again(data: Path, port: int, part: str) -> None:
    with running(data, port) as instance:
        os.kill(instance.member(part), signal.SIGKILL)
        instance.wait_for("is started again")
        assert any(part in line for line in instance.family().values())


def test_a_second_instance_on_the_same_data_is_told_of_the_first(data: Path, port: int) -> None:
    with running(data, port):
        assert "Another `daybook up`" in Instance(data, free_port()).refused()


def test_a_taken_port_is_told_with_the_way_out_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        assert "DAYBOOK_PORT=" in Instance(tmp_path, taken.getsockname()[1]).refused()
    assert not (tmp_path / "postgres").exists()


def test_a_misspelt_setting_is_told_with_the_nearest_name(tmp_path: Path) -> None:
    instance = Instance(tmp_path, free_port(), DAYBOOK_DOMIAN="social.example")
    assert "DAYBOOK_DOMAIN" in instance.refused()


def test_an_address_that_changed_is_told_rather_than_taken(data: Path, port: int) -> None:
    with running(data, port):
        pass
    assert f"DAYBOOK_DOMAIN=localhost:{port}" in Instance(data, free_port()).refused()


def test_a_lost_master_key_is_told_rather_than_replaced(data: Path, port: int) -> None:
    with running(data, port):
        pass
    key = data / "master.key"
    kept = key.rename(data / "copy.key")
    try:
        assert "put it back from your copy" in Instance(data, free_port()).refused()
        assert not key.exists()
    finally:
        kept.rename(key)


def test_servers_that_the_environment_names_are_used_and_none_of_our_own_started(
    postgres_server: EmbeddedPostgres, valkey_server: EmbeddedValkey, tmp_path: Path
) -> None:
    with psycopg.connect(postgres_server.dsn("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE named_by_environment")
    database = postgres_server.dsn("named_by_environment")
    instance = Instance(tmp_path, free_port(), DATABASE_URL=database, REDIS_URL=valkey_server.url)
    try:
        assert instance.ready().status() == 200
        assert not any(part in line for line in instance.family().values() for part in PARTS[:2])
        assert not (tmp_path / "postgres").exists()
    finally:
        instance.end()


def test_a_redis_that_does_not_answer_is_told_and_done_without(data: Path, port: int) -> None:
    instance = Instance(data, port, REDIS_URL="redis://127.0.0.1:1/0")
    try:
        assert "reads may wait" in instance.wait_for("The server that REDIS_URL names does not answer")
        assert instance.ready().status() == 200
    finally:
        instance.end()


def test_a_database_that_does_not_answer_is_told_in_a_sentence(tmp_path: Path) -> None:
    instance = Instance(tmp_path, free_port(), DATABASE_URL=f"postgresql://x@/x?host={tmp_path}")
    assert instance.process.wait(30) == 1
    instance.end()
    assert "DATABASE_URL names can't be used" in "".join(instance.said)
