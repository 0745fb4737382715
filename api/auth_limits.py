"""How often one address may try to log in."""

import ipaddress
from collections.abc import Sequence
from datetime import datetime

from api.limits import Limit

ATTEMPTS_MAX = 25
WINDOW_S = 300

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class LogInLimit:
    """`ATTEMPTS_MAX` tries an address and window of `WINDOW_S` seconds; an IPv6 address counts by its /64.

    `trusted_proxies` are networks (CIDR). Behind a proxy that is not among them everybody shares one count.
    """

    def __init__(self, trusted_proxies: Sequence[str] = ()) -> None:
        self._trusted = [ipaddress.ip_network(network) for network in trusted_proxies]
        self._tries = Limit(ATTEMPTS_MAX, WINDOW_S)

    def count(self, peer: str, now: datetime, forwarded: Sequence[str] = ()) -> None:
        """Counts one try. Raises TooManyRequests once there are too many.

        `peer` must be the address of the connection itself; `forwarded` are the lines of X-Forwarded-For, anyone's to
        write (A19, O07), so that only a trusted proxy's are believed.
        """
        self._tries.count(_network(self._whom(peer, forwarded)), now)

    def _whom(self, peer: str, forwarded: Sequence[str]) -> str:
        ip = _parsed(peer)
        if ip is None or not forwarded or not any(ip in network for network in self._trusted):
            return peer
        # A proxy appends the address that it saw; whatever stands before that the client may have sent itself.
        last = forwarded[-1].rpartition(",")[2].strip()
        return peer if _parsed(last) is None else last


def _network(address: str) -> str:
    ip = _parsed(address)
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(ip) >> 64 << 64, 64)))
    return address if ip is None else str(ip)


def _parsed(address: str) -> Address | None:
    """The address; an IPv4 one that came in IPv6's clothes as what it is, None for what is none."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return None
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return mapped or ip
