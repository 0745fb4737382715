"""The embedded services: durable, private, found again, and never left behind."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest
import redis

from adapters.config import SettingsError
from adapters.embedded import postgres
from adapters.embedded.memory import memory_bytes
from adapters.embedded.places import SOCKET_DIRECTORY_BYTES_MAX, read_or_make_secret, socket_directory
from adapters.embedded.postgres import EmbeddedPostgres, find_binaries, settings_for
from adapters.embedded.processes import EmbeddedError, wait_until_left, working_in
from adapters.embedded.valkey import EmbeddedValkey, find_binary
from adapters.redis_silence import why_silent

PARENT = """
import sys
from pathlib import Path
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.embedded.valkey import EmbeddedValkey
for service in (EmbeddedPostgres(Path(sys.argv[1])), EmbeddedValkey(Path(sys.argv[1]))):
    service.start()
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that the tests of this module start services in, one after the other."""
    return tmp_path_factory.mktemp("data")


def test_a_cluster_of_the_default_settings_is_durable_checked_and_speaks_utf_8(data: Path) -> None:
    server = EmbeddedPostgres(data)
    server.start()
    try:
        with psycopg.connect(server.dsn()) as connection:
            for setting, value in {
                "fsync": "on",
                "synchronous_commit": "on",
                "full_page_writes": "on",
                "data_checksums": "on",
                "server_encoding": "UTF8",
                "listen_addresses": "",
                "TimeZone": "UTC",
            }.items():
                assert connection.execute(f"SHOW {setting}").fetchone() == (value,), setting
    finally:
        server.stop()


def test_what_was_committed_is_there_after_a_restart(data: Path) -> None:
    server = EmbeddedPostgres(data)
    server.start()
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    server.stop()
    server.start()
    try:
        with psycopg.connect(server.dsn()) as connection:
            assert connection.execute("SELECT n FROM kept").fetchone() == (7,)
    finally:
        server.stop()


def test_a_wrong_password_is_refused_even_over_the_socket(postgres_server: EmbeddedPostgres) -> None:
    secret = read_or_make_secret(postgres_server.data / "postgres.password")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres_server.dsn().replace(secret, "guess"))


def test_valkey_answers_and_keeps_what_it_was_told(data: Path) -> None:
    server = EmbeddedValkey(data)
    for n in (1, 2):
        server.start()
        with redis.Redis.from_url(server.url) as client:
            assert client.incr("starts") == n
        server.stop()


def test_a_named_server_is_known_to_answer_or_why_it_does_not(valkey_server: EmbeddedValkey, tmp_path: Path) -> None:
    assert why_silent(valkey_server.url) is None
    assert "No such file" in (why_silent(f"unix://{tmp_path}/none.sock") or "")
    with pytest.raises(SettingsError, match="REDIS_URL can't be understood") as caught:
        why_silent("redis://localhost:secret/0")
    assert "secret" not in str(caught.value)


def test_nothing_survives_a_parent_that_was_killed_and_all_starts_again_at_once(data: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(data)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        assert working_in(data / "postgres", "postgres")
        assert working_in(data / "valkey", find_binary().name)
        parent.kill()
    wait_until_left(data / "postgres", "postgres", timeout_s=5)
    wait_until_left(data / "valkey", find_binary().name, timeout_s=5)
    for service in (EmbeddedPostgres(data), EmbeddedValkey(data)):
        service.start()
        service.stop()


def test_a_killed_server_is_started_again_though_its_pid_file_now_names_another_process(data: Path) -> None:
    server = EmbeddedPostgres(data)
    server.start()
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()
    pid_file = data / "postgres" / "postmaster.pid"
    pid_file.write_text(pid_file.read_text().replace(str(server.process.pid), str(os.getpid()), 1))
    server.start()
    server.stop()


def test_a_server_that_still_recovers_is_waited_for_however_long_it_takes_and_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(postgres, "TELL_AFTER_S", 0.0)
    server = EmbeddedPostgres(tmp_path, settings={"hot_standby": "off"}, start_timeout_s=1.0)
    server.start()
    server.stop()
    # As a standby it recovers until it is told that there is no more to come.
    (server.cluster / "standby.signal").touch()
    enough = threading.Timer(3 * server.start_timeout_s, _promote, [server])
    enough.start()
    try:
        server.start()
        assert enough.finished.is_set()
        assert [line.message for line in caplog.records].count(postgres.RECOVERING) == 1
    finally:
        enough.cancel()
        server.stop()


def _promote(server: EmbeddedPostgres) -> None:
    assert server.process is not None
    (server.cluster / "promote").touch()
    os.kill(server.process.pid, signal.SIGUSR1)


@pytest.mark.parametrize(
    ("gigabytes", "buffers", "wal"), [(0.5, "128MB", "1024MB"), (4, "512MB", "1024MB"), (64, "2048MB", "4096MB")]
)
def test_a_larger_machine_keeps_more_in_memory(gigabytes: float, buffers: str, wal: str) -> None:
    settings = settings_for(int(gigabytes * 1024**3))
    assert (settings["shared_buffers"], settings["max_wal_size"]) == (buffers, wal)


def test_what_a_container_may_have_counts_and_not_what_the_machine_has(tmp_path: Path) -> None:
    own, groups = tmp_path / "own", tmp_path / "groups"
    unit = groups / "system.slice" / "daybook.service"
    unit.mkdir(parents=True)
    own.write_text("1:name=systemd:/x\n0::/system.slice/daybook.service\n")
    whole = memory_bytes(groups, own)
    (unit / "memory.max").write_text("max\n")
    assert memory_bytes(groups, own) == whole
    (unit.parent / "memory.max").write_text("300000000\n")
    assert memory_bytes(groups, own) == 300_000_000
    (unit / "memory.max").write_text("200000000\n")
    assert memory_bytes(groups, own) == 200_000_000


def test_so_does_that_of_a_container_under_the_first_version_which_shows_its_hosts_path(tmp_path: Path) -> None:
    own, groups = tmp_path / "own", tmp_path / "groups"
    (groups / "memory").mkdir(parents=True)
    own.write_text("9:cpu,cpuacct:/docker/1\n4:memory:/docker/1\n")
    whole = memory_bytes(groups, own)
    limit = groups / "memory" / "memory.limit_in_bytes"
    limit.write_text("9223372036854771712\n")
    assert memory_bytes(groups, own) == whole
    limit.write_text("536870912\n")
    assert memory_bytes(groups, own) == 536_870_912


def test_two_servers_never_share_a_cluster(postgres_server: EmbeddedPostgres) -> None:
    with pytest.raises(EmbeddedError, match="still runs in"):
        EmbeddedPostgres(postgres_server.data, predecessor_timeout_s=0.1).start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives up its powers")
def test_root_is_told_when_the_way_lies_through_another_users_private_folder(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    os.chown(private, 1234, 1234)
    with pytest.raises(EmbeddedError, match="private is another user's private folder"):
        EmbeddedPostgres(private / "data").start()


def test_a_cluster_whose_making_was_cut_off_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "postgres.new").mkdir()
    (tmp_path / "postgres.new" / "PG_VERSION").write_text("18\n")
    server = EmbeddedPostgres(tmp_path)
    server.start()
    server.stop()
    assert not (tmp_path / "postgres.new").exists()


def test_a_cluster_of_another_major_version_asks_for_its_own_binaries(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("9\n")
    with pytest.raises(EmbeddedError, match=r"PostgreSQL 9, .* PG_BINDIR"):
        find_binaries(tmp_path)


def test_pg_bindir_goes_before_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "postgres").touch()
    monkeypatch.setenv("PG_BINDIR", str(tmp_path))
    assert find_binaries(tmp_path / "no cluster yet") == tmp_path


def test_sockets_of_a_deep_data_directory_go_to_a_short_one_that_every_process_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * SOCKET_DIRECTORY_BYTES_MAX)
    place = socket_directory(deep)
    try:
        assert len(str(place)) <= SOCKET_DIRECTORY_BYTES_MAX
        assert place.stat().st_mode & 0o777 == 0o700
        monkeypatch.setenv("XDG_RUNTIME_DIR", "/dev/shm")
        assert socket_directory(deep) == place
    finally:
        place.rmdir()


def test_a_short_directory_whose_place_is_gone_is_made_elsewhere(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * SOCKET_DIRECTORY_BYTES_MAX)
    deep.mkdir()
    (deep / "run").symlink_to("/nowhere/at/all")
    place = socket_directory(deep)
    assert (deep / "run").readlink() == place
    place.rmdir()


def test_a_secret_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    made = read_or_make_secret(path)
    assert len(bytes.fromhex(made)) == 32
    assert read_or_make_secret(path) == made
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
