"""Nothing is dialled but public unicast addresses (and loopback, where an instance is for trials)."""

import ast
import re
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import httpcore
import httpx
import pytest

from adapters.activitypub.fetch import FetchLimits
from adapters.activitypub.guard import AddressRefused, GuardedBackend, GuardedTransport, GuardPolicy, UrlRefused
from tests.adapters.activitypub.fetch_peers import PUBLIC, Network, document, fetching, network

pytestmark = pytest.mark.anyio

INSIDE = [
    *(str(IPv4Address(0)), "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.1.2.3", "169.254.169.254"),
    *(
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.31.196.1",
        "192.52.193.1",
        "192.88.99.1",
        "192.168.1.1",
    ),
    *("192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1"),
    *("240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "100::1", "2001::1", "2001:10::1", "2001:20::1", "2001:db8::1"),
    *("2002:7f00:1::", "2620:4f:8000::1", "3fff::1", "fc00::1", "fd00::1", "fe80::1", "fe80::1%eth0"),
    *("2606:4700::1%eth0", "ff02::1", "not an address"),
]
OUTSIDE = ["1.1.1.1", PUBLIC, "100.63.255.255", "172.32.0.1", "2606:4700::1", "2a00:1450::1", "2001:4860::8888"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("address", INSIDE)
def test_n01_an_address_of_our_own_network_is_never_dialled(address: str) -> None:
    with pytest.raises(AddressRefused):
        GuardPolicy().vet("evil.test", 443, [address])


@pytest.mark.parametrize("address", OUTSIDE)
def test_a_public_address_is_dialled(address: str) -> None:
    assert GuardPolicy().vet("good.test", 443, [address]) == [address]


def test_a_mapped_public_address_is_dialled_as_what_it_is() -> None:
    assert GuardPolicy().vet("good.test", 443, ["::ffff:1.1.1.1"]) == ["1.1.1.1"]


@pytest.mark.parametrize("address", [a for a in INSIDE if a != "not an address"])
async def test_n01_a_private_record_opens_no_connection(address: str) -> None:
    net = Network(names={"evil.test": [[address]]})
    with pytest.raises(AddressRefused):
        await GuardedBackend(GuardPolicy(), net.resolve, net).connect_tcp("evil.test", 443)
    assert net.dialled == []


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "localhost", "::ffff:127.0.0.1", "::1"]
)
async def test_n01_the_systems_resolver_sees_through_odd_spellings_before_the_check(host: str) -> None:
    net = Network()
    with pytest.raises((AddressRefused, httpcore.ConnectError)):
        await GuardedBackend(GuardPolicy(), dialler=net).connect_tcp(host, 443)
    assert net.dialled == []


async def test_n02_a_second_answer_of_the_dns_changes_nothing() -> None:
    net = Network(names={"evil.test": [[PUBLIC], ["127.0.0.1"]]}, dead={PUBLIC})
    with pytest.raises(httpcore.ConnectError):
        await GuardedBackend(GuardPolicy(), net.resolve, net).connect_tcp("evil.test", 443)
    assert net.dialled == [(PUBLIC, 443)]


async def test_n03_private_addresses_among_public_ones_are_skipped(tmp_path: Path) -> None:
    async with network(tmp_path) as net, fetching(net) as fetcher:
        net.names["good.test"] = [["10.0.0.1", "2606:4700::1", PUBLIC]]
        net.dead = {"2606:4700::1"}
        net.answers["https://good.test/n"] = document("https://good.test/n")

        assert await fetcher.get_document("https://good.test/n")

        assert net.dialled == [("2606:4700::1", 443), (PUBLIC, 443)]


async def test_at_most_two_addresses_of_a_family_are_tried() -> None:
    many = ["1.1.1.1", "1.1.1.2", "1.1.1.3", "2606:4700::1", "2606:4700::2", "2606:4700::3"]
    net = Network(names={"good.test": [many]}, dead=set(many))
    with pytest.raises(httpcore.ConnectError):
        await GuardedBackend(GuardPolicy(), net.resolve, net).connect_tcp("good.test", 443)
    assert [address for address, _ in net.dialled] == ["1.1.1.1", "1.1.1.2", "2606:4700::1", "2606:4700::2"]


async def test_an_address_that_swallows_packets_does_not_hide_the_next(tmp_path: Path) -> None:
    async with network(tmp_path) as net, fetching(net, limits=FetchLimits(connect_s=0.4)) as fetcher:
        net.names["good.test"] = [["2606:4700::1", PUBLIC]]
        net.swallowing = {"2606:4700::1"}
        net.answers["https://good.test/n"] = document("https://good.test/n")
        assert await fetcher.get_document("https://good.test/n")


async def test_sockets_of_this_machine_are_refused() -> None:
    with pytest.raises(AddressRefused):
        await GuardedBackend(GuardPolicy()).connect_unix_socket("/run/postgresql/.s.PGSQL.5432")


@pytest.mark.parametrize("port", [22, 25, 80, 444, 1023])
def test_n07_privileged_ports_but_443_are_refused(port: int) -> None:
    with pytest.raises(UrlRefused):
        GuardPolicy().check_url(f"https://good.test:{port}/")
    with pytest.raises(AddressRefused):
        GuardPolicy().vet("good.test", port, [PUBLIC])


@pytest.mark.parametrize("port", [443, 1024, 6380, 65_535])
def test_n07_other_ports_pass(port: int) -> None:
    GuardPolicy().check_url(f"https://good.test:{port}/")
    assert GuardPolicy().vet("good.test", port, [PUBLIC])


def test_plain_http_is_refused() -> None:
    with pytest.raises(UrlRefused):
        GuardPolicy().check_url("http://good.test:8080/")


TRIAL = GuardPolicy(name_map={"a.test": ("127.0.0.1", 3001)})


async def test_a_name_for_trials_is_dialled_where_it_is_mapped_to() -> None:
    net = Network(dead={"127.0.0.1"})
    TRIAL.check_url("http://a.test/ap/users/1")
    with pytest.raises(httpcore.ConnectError):
        await GuardedBackend(TRIAL, net.resolve, net).connect_tcp("a.test", 80)
    assert net.dialled == [("127.0.0.1", 3001)]


def test_other_names_stay_guarded_beside_names_for_trials() -> None:
    with pytest.raises(UrlRefused):
        TRIAL.check_url("http://good.test/")
    with pytest.raises(AddressRefused):
        TRIAL.vet("localhost", 3001, ["127.0.0.1"])


def test_names_for_trials_lead_to_loopback_only() -> None:
    with pytest.raises(ValueError, match="loopback"):
        GuardPolicy(name_map={"a.test": ("10.0.0.1", 3001)})


def test_an_instance_on_a_loopback_name_reaches_loopback_and_nothing_else() -> None:
    policy = GuardPolicy(loopback=True)
    policy.check_url("http://localhost:3001/")
    assert policy.vet("localhost", 3001, ["::1", "127.0.0.1", PUBLIC]) == ["::1", "127.0.0.1"]
    for address in (PUBLIC, "10.0.0.1", "169.254.169.254"):
        with pytest.raises(AddressRefused):
            policy.vet("good.test", 3001, [address])
    for url in ("http://localhost/", "https://localhost/"):
        with pytest.raises(UrlRefused):
            policy.check_url(url)


async def test_n22_proxies_of_the_environment_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with network(tmp_path) as net, fetching(net) as fetcher:
        net.answers["https://good.test/n"] = document("https://good.test/n")
        assert await fetcher.get_document("https://good.test/n")
        assert net.dialled == [(PUBLIC, 443)]


async def test_the_transport_refuses_before_it_resolves() -> None:
    net = Network()
    transport = GuardedTransport(GuardPolicy(), resolver=net.resolve, dialler=net)
    with pytest.raises(UrlRefused):
        await transport.handle_async_request(httpx.Request("GET", "http://good.test/"))
    await transport.aclose()


HTTP_LIBRARIES = {"httpx", "httpcore", "aiohttp", "requests", "urllib3", "urllib.request", "http.client"}
MAKERS = re.compile(r"(httpx|httpcore)\.(\w*Client|\w*Transport|\w*Pool|get|post|put|head|request|stream)")


def _nodes() -> Iterator[tuple[str, ast.AST]]:
    root = Path(__file__).parents[3]
    for package in ("domain", "projections", "adapters", "api", "workers"):
        for path in (root / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                yield path.relative_to(root).as_posix(), node


def test_n06_nothing_but_the_guard_makes_an_http_client() -> None:
    """Whatever fetches goes through the transport, so no secondary fetcher can forget the guard (CVE-2026-62857)."""
    importers, makers = set[str](), set[str]()
    for path, node in _nodes():
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if HTTP_LIBRARIES.intersection(names):
            importers.add(path)
        if isinstance(node, ast.Call) and MAKERS.fullmatch(ast.unparse(node.func)):
            makers.add(f"{path}: {ast.unparse(node.func)}")
    # `up` asks nobody but the front page that it has just started itself, and `doctor` nobody but this instance, at its
    # own address and under its own name, when its operator says so: nothing that strangers say leads either elsewhere.
    assert importers <= {
        "adapters/activitypub/guard.py",
        "adapters/activitypub/fetch.py",
        "adapters/condition/web.py",
        "adapters/deliveries/http1.py",
        "adapters/deliveries/posting.py",
        "adapters/deliveries/streams.py",
        "workers/up.py",
    }
    assert makers == {
        "adapters/activitypub/guard.py: httpcore.AsyncConnectionPool",
        "adapters/condition/web.py: httpx.AsyncClient",
    }
