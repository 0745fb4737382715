"""The guard against being sent into our own network (SSRF): it sits where connections are dialled.

`GuardedTransport` is the only way out for federation. Below every request and every redirect it resolves the name once,
refuses what is no public unicast address, and dials the very addresses that it looked at, so that no second DNS answer
can differ from the first. `canonical_url` is the one reading of a URL; what two parsers read differently is refused.
"""

import asyncio
import contextlib
import ipaddress
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

import httpcore
import httpx
import idna

from adapters.activitypub.names import Names
from adapters.activitypub.urls import origin_of

PORT_HTTP: Final = 80
PORT_HTTPS: Final = 443
PORT_UNPRIVILEGED_MIN: Final = 1024
DIALLED_PER_FAMILY_MAX: Final = 2
CONNECTIONS_MAX: Final = 50
IDLE_CONNECTIONS_MAX: Final = 10
IDLE_S: Final = 15.0

# Written out, not asked of `ipaddress.is_global`, which is wrong about many of these in Python 3.11.
_IPV4_REFUSED: Final = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    )
)
_IPV6_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
_IPV6_REFUSED: Final = tuple(
    ipaddress.IPv6Network(text)
    for text in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to addresses as text, in the order to try them. Raises OSError when the name has none."""

_SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


class UrlRefused(Exception):
    """Text that is no URL which we would fetch; `reason` says why in a sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class AddressRefused(UrlRefused):
    """Where a URL leads is no address that we dial."""


def canonical_url(text: str) -> str:
    """The one spelling of an http(s) URL: host lower-case and IDNA, no default port, path at least `/`.

    Raises UrlRefused for user information, odd hosts or ports, control characters, blanks and backslashes, more than
    2,048 bytes, and whatever our two parsers read differently.
    """
    origin = origin_of(text)
    if origin is None:
        raise UrlRefused("This is not an http(s) URL that everybody reads alike.")
    try:
        url = httpx.URL(text)
        canonical = str(url.copy_with(path="/") if url.path == "/" else url)
        reading = origin_of(str(url))
    except (httpx.InvalidURL, idna.IDNAError, ValueError):
        raise UrlRefused("This URL cannot be read.") from None
    # Quoting can lengthen a URL past its limit, which makes the second reading None.
    if reading != origin or origin_of(canonical) != origin or url.userinfo:
        raise UrlRefused("This URL reads differently to different parsers.")
    return origin + canonical[_end_of_authority(canonical) :]


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    """What may be dialled, and by which scheme.

    `name_map` sends names used in trials to loopback addresses (DAYBOOK_NAME_MAP); for these plain http is fine.
    `loopback` is an instance whose own domain is a loopback name: it reaches loopback addresses, by plain http as well,
    and nothing else. Otherwise https to public unicast addresses, at port 443 or from 1,024 on. Raises ValueError when
    `name_map` leads off this machine.
    """

    name_map: Mapping[str, tuple[str, int]] = field(default_factory=dict[str, tuple[str, int]])
    loopback: bool = False

    def __post_init__(self) -> None:
        for name, (address, _) in self.name_map.items():
            if not ipaddress.ip_address(address).is_loopback:
                raise ValueError(f"{name} is mapped to {address}, which is not a loopback address.")

    def check_url(self, url: str) -> None:
        """Refuse (UrlRefused) the scheme or port of a canonical URL before anything is resolved."""
        parts = httpx.URL(url)
        if parts.raw_host.decode("ascii") in self.name_map:
            return
        port = parts.port or (PORT_HTTPS if parts.scheme == "https" else PORT_HTTP)
        if parts.scheme != "https" and not self.loopback:
            raise UrlRefused("Only https is fetched.")
        self._check_port(port)

    def vet(self, host: str, port: int, resolved: Iterable[str]) -> list[str]:
        """The addresses out of `resolved` to dial, at most two of a family. Raises AddressRefused when none is left."""
        self._check_port(port)
        kept: list[Address] = []
        for text in resolved:
            address = _plain(text)
            if address is None or not (address.is_loopback if self.loopback else is_public(address)):
                continue
            if sum(address.version == other.version for other in kept) < DIALLED_PER_FAMILY_MAX:
                kept.append(address)
        if not kept:
            raise AddressRefused(f"{host} has no address that may be dialled.")
        return [str(address) for address in kept]

    def _check_port(self, port: int) -> None:
        if port < PORT_UNPRIVILEGED_MIN and (port != PORT_HTTPS or self.loopback):
            raise AddressRefused(f"Port {port} is not dialled.")


def is_public(address: Address) -> bool:
    """Whether an address (mapped ones unwrapped before) is public unicast: the IANA special-purpose registries."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _IPV4_REFUSED)
    return address in _IPV6_UNICAST and not any(address in network for network in _IPV6_REFUSED)


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Dials for httpcore: resolves once, vets, and connects to the address; TLS and Host keep the name."""

    def __init__(
        self, policy: GuardPolicy, resolver: Resolver | None = None, dialler: httpcore.AsyncNetworkBackend | None = None
    ) -> None:
        self._policy = policy
        self._resolver = resolver or Names().resolve
        self._dialler = dialler or cast(httpcore.AsyncNetworkBackend, httpcore.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own signature
        local_address: str | None = None,
        socket_options: Iterable[_SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first vetted address that answers.

        `timeout` (seconds) holds for the resolving and for all addresses together, each of which gets its share, so
        that one that swallows packets does not hide the others. Raises AddressRefused, and httpcore's ConnectError and
        ConnectTimeout.
        """
        try:
            async with asyncio.timeout(timeout):
                addresses, port = await self._targets(host, port)
                share_s = None if timeout is None else timeout / len(addresses)
                return await self._first_to_answer(addresses, port, share_s, local_address, socket_options)
        except TimeoutError:
            raise httpcore.ConnectTimeout(f"{host} did not answer in time.") from None

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own signature
        socket_options: Iterable[_SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Never: raises AddressRefused."""
        raise AddressRefused("Sockets of this machine are not dialled.")

    async def sleep(self, seconds: float) -> None:
        """Wait, for httpcore's retries."""
        await asyncio.sleep(seconds)

    async def _targets(self, host: str, port: int) -> tuple[list[str], int]:
        mapped = self._policy.name_map.get(host)
        if mapped is not None:
            return [mapped[0]], mapped[1]
        try:
            resolved = await self._resolver(host, port)
        except OSError as problem:
            raise httpcore.ConnectError(f"{host} cannot be resolved: {problem}") from problem
        return self._policy.vet(host, port, resolved), port

    async def _first_to_answer(
        self,
        addresses: list[str],
        port: int,
        share_s: float | None,
        local_address: str | None,
        socket_options: Iterable[_SocketOption] | None,
    ) -> httpcore.AsyncNetworkStream:
        for address in addresses[:-1]:
            with contextlib.suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return await self._dialler.connect_tcp(address, port, share_s, local_address, socket_options)
        return await self._dialler.connect_tcp(addresses[-1], port, share_s, local_address, socket_options)


class GuardedTransport(httpx.AsyncBaseTransport):
    """An HTTP/1.1 transport whose every connection the guard dials. It knows no proxy, no cookie and no redirect.

    Raises UrlRefused for what the policy forbids and httpx.TransportError for what the network does. `dialler` is given
    nothing but vetted addresses; `tls` is what peers' certificates are checked with (else the bundled authorities).
    """

    def __init__(
        self,
        policy: GuardPolicy,
        *,
        resolver: Resolver | None = None,
        dialler: httpcore.AsyncNetworkBackend | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._policy = policy
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls or httpx.create_ssl_context(trust_env=False),
            max_connections=CONNECTIONS_MAX,
            max_keepalive_connections=IDLE_CONNECTIONS_MAX,
            keepalive_expiry=IDLE_S,
            network_backend=GuardedBackend(policy, resolver, dialler),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and give back its response, whose body is yet to be read and which must be closed."""
        self._policy.check_url(str(request.url))
        target = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        sent = httpcore.Request(
            request.method,
            target,
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _httpx_errors():
            response = await self._pool.handle_async_request(sent)
        return httpx.Response(response.status, headers=response.headers, stream=_Body(response))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()


class GuardedStreams:
    """Bare connections that the guard dials, for deliveries, which speak HTTP/1.1 by themselves (docs/adr/0010).

    `tls`, `resolver` and `dialler` as for GuardedTransport.
    """

    def __init__(
        self,
        policy: GuardPolicy,
        *,
        dialler: httpcore.AsyncNetworkBackend,
        resolver: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._policy = policy
        self._tls = tls or httpx.create_ssl_context(trust_env=False)
        self._backend = GuardedBackend(policy, resolver, dialler)

    async def open(self, url: str, timeout_s: float) -> httpcore.AsyncNetworkStream:
        """A new connection to where a canonical URL leads, over TLS where it says https.

        `timeout_s` holds for connecting, and then for TLS again. Raises UrlRefused for what the policy forbids, and
        httpcore's ConnectError and ConnectTimeout.
        """
        self._policy.check_url(url)
        parts = httpx.URL(url)
        host = parts.raw_host.decode("ascii")
        port = parts.port or (PORT_HTTPS if parts.scheme == "https" else PORT_HTTP)
        stream = await self._backend.connect_tcp(host, port, timeout_s)
        return await stream.start_tls(self._tls, host, timeout_s) if parts.scheme == "https" else stream


class _Body(httpx.AsyncByteStream):
    """A response's body, with the errors of the network in httpx's words."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _httpx_errors():
            async for part in self._response.aiter_stream():
                yield part

    async def aclose(self) -> None:
        with _httpx_errors():
            await self._response.aclose()


@contextlib.contextmanager
def _httpx_errors() -> Generator[None]:
    try:
        yield
    except httpcore.PoolTimeout as problem:
        raise httpx.PoolTimeout("Too many connections are open already.") from problem
    except httpcore.TimeoutException as problem:
        raise httpx.TimeoutException(str(problem) or "The peer took too long.") from problem
    except httpcore.ConnectError as problem:
        raise httpx.ConnectError(str(problem) or "No connection could be made.") from problem
    except httpcore.NetworkError as problem:
        raise httpx.NetworkError(str(problem) or "The connection failed.") from problem
    except (httpcore.ProtocolError, httpcore.UnsupportedProtocol) as problem:
        raise httpx.ProtocolError(str(problem)) from problem


def _plain(text: str) -> Address | None:
    """The address, an IPv4 one out of its IPv6 mapping; None for scope ids and what is no address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        return None if address.scope_id is not None else address.ipv4_mapped or address
    return address


def _end_of_authority(url: str) -> int:
    found = re.match(r"https?://[^/?#]*", url)
    assert found is not None
    return found.end()
