"""The disk is full: what can't be written is refused for now, nothing that was taken is lost, and it ends by itself.

The disk is a small one in memory, in a mount namespace of the instance's own: no test fills the machine's.
"""

import contextlib
import errno
import shutil
import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import BinaryIO

import httpx
import psycopg
import pytest

from tests.federation.peer import Peer, running_peer
from tests.pictures import jpeg
from tests.system.faults import Traffic, live_rows, owner_of, posts_of, told_of, traffic, waited_for
from tests.system.instance import UP, Instance
from tests.system.sites import Person, Site, running_sites

SIZE_MB = 320
PARTS = ("postgres", "valkey", "media", "log")
# Everything but sockets and secrets is moved to the small disk.
MOVE = """
    set -e; data=$1; disk=$2; shift 2
    mount -t tmpfs -o size={size}M,mode=700 tmpfs "$disk"
    for part in {parts}; do
        mkdir -p "$data/$part"; cp -a "$data/$part" "$disk/$part"; mount --bind "$disk/$part" "$data/$part"
    done
    exec "$@"
"""
UNSHARE = ("unshare", "--user", "--map-root-user", "--mount")
IN_NAMESPACE = (
    shutil.which("unshare")
    and not subprocess.run(
        [*UNSHARE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False
    ).returncode
)

pytestmark = pytest.mark.skipif(not IN_NAMESPACE, reason="this machine lets nobody mount within a namespace of theirs")


def had_room(file: BinaryIO, size: int) -> bool:
    """Write so many bytes; whether there was room for any of them. Raises OSError for whatever else is wrong."""
    try:
        return file.write(b"\0" * size) > 0
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return False


class Disk:
    """What the instance's data are on."""

    def __init__(self, instance: Instance, folder: Path) -> None:
        self._filler = Path(f"/proc/{instance.process.pid}/root{folder}/filler")

    def fill(self) -> None:
        """Until there is no room for a single byte."""
        with self._filler.open("ab", buffering=0) as filler:
            for size in (1_048_576, 4_096):
                while had_room(filler, size):
                    pass

    def free(self) -> None:
        self._filler.unlink(missing_ok=True)


@contextlib.contextmanager
def full(disk: Disk) -> Generator[None]:
    """A full disk until the block ends."""
    disk.fill()
    try:
        yield
    finally:
        disk.free()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_sites(tmp_path_factory.mktemp("disk"), "localhost", people=4) as (site,):
        site.instance.end()
        (site.data / "disk").mkdir()
        script = MOVE.format(size=SIZE_MB, parts=" ".join(PARTS))
        within = [*UNSHARE, "sh", "-c", script, "sh", str(site.data), str(site.data / "disk")]
        site.instance = Instance(site.data, site.port, command=[*within, *UP]).ready()
        yield site


@pytest.fixture
def disk(site: Site) -> Disk:
    return Disk(site.instance, site.data / "disk")


@pytest.fixture
def peer() -> Iterator[Peer]:
    with running_peer() as made:
        yield made


def run_out_of_log(site: Site) -> None:
    """Use up what PostgreSQL has in store for its own log, until it can do nothing but stop."""
    with pytest.raises(psycopg.OperationalError), owner_of(site) as owner:
        while True:
            owner.execute("SELECT pg_logical_emit_message(false, 'daybook test', 'x'), pg_switch_wal()")


def uploaded(person: Person) -> httpx.Response:
    return person.client.post("/api/v2/media", files={"file": jpeg()})


def test_on_a_full_disk_writes_are_refused_for_now_and_reads_go_on(site: Site, disk: Disk, peer: Peer) -> None:
    person, another = site.person(), site.person()
    inbox = f"http://{site.name}/inbox"
    assert peer.post(inbox, peer.note("Before")).status == 202
    assert uploaded(person).status_code == 200
    said_before = len(site.instance.said)
    with traffic(person) as busy:
        busy.wait_for("writers", 200, more=10)
        # Otherwise there might be room for one more on a page that it has.
        with owner_of(site) as owner:
            owner.execute("TRUNCATE app.visits")
        with full(disk):
            busy.wait_for("writers", 503, more=5)
            disk.fill()
            waited_for(lambda: peer.post(inbox, peer.note("More")).status == 503, "the inbox takes what it can't keep")
            refused = uploaded(person)
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "60"), refused.text
            busy.wait_for("readers", 200, more=10)
            disk.fill()
            assert another.get("/api/v1/timelines/home") == []
            site.instance.wait_for("who is here can't be noted", since=said_before)
        busy.wait_for("writers", 200, more=20)
    assert peer.post(inbox, peer.note("Afterwards")).status == 202
    assert uploaded(person).status_code == 200
    assert {status for _, status in busy.told} == {200, 503} and busy.bare == []
    nothing_is_lost(site, person, busy)
    said = told_of(site, said_before)
    assert any("No space left on device" in line for line in said), "".join(said)
    assert len(said) < 40, "".join(said)


def test_a_postgresql_that_stopped_because_the_disk_is_full_comes_back_with_the_room(site: Site, disk: Disk) -> None:
    person = site.person()
    said_before = len(site.instance.said)
    with traffic(person) as busy:
        busy.wait_for("writers", 200, more=10)
        with full(disk):
            run_out_of_log(site)
            disk.fill()
            site.instance.wait_for("PostgreSQL did not start", since=said_before)
            busy.wait_for("readers", 503, more=2)
        busy.wait_for("writers", 200, more=10)
    assert {status for _, status in busy.told} <= {200, 503}
    nothing_is_lost(site, person, busy)


def nothing_is_lost(site: Site, person: Person, busy: Traffic) -> None:
    """What was answered with 200 is there, once, and nothing was set aside."""
    posts = posts_of(person, busy.posts.values())
    assert len(posts) == len(set(posts)) and set(posts) == set(busy.posts.values())
    assert live_rows(site, "SELECT count(*) FROM parked") == [(0,)]
