"""How often one address may try to log in: fixed windows, counted in this process, in bounded memory."""

import ipaddress
from datetime import datetime, timedelta

from api.errors import TooManyRequests

ATTEMPTS_MAX = 25
WINDOW_S = 300
# Past this many addresses in one window, newcomers share one count: a botnet gets no memory of ours.
ADDRESSES_MAX = 10_000
CROWD = "crowd"


class LogInLimit:
    """`ATTEMPTS_MAX` tries an address and window of `WINDOW_S` seconds; an IPv6 address counts by its /64."""

    def __init__(self) -> None:
        self._window: datetime | None = None
        self._tries: dict[str, int] = {}

    def count(self, address: str, now: datetime) -> None:
        """Counts one try. Raises TooManyRequests once there are too many.

        `address` must be the peer's own: X-Forwarded-For and its like are anyone's to write (A19, O07).
        """
        window = datetime.fromtimestamp(now.timestamp() // WINDOW_S * WINDOW_S, now.tzinfo)
        if window != self._window:
            self._window, self._tries = window, {}
        key = _network(address)
        if key not in self._tries and len(self._tries) >= ADDRESSES_MAX:
            key = CROWD
        self._tries[key] = self._tries.get(key, 0) + 1
        if self._tries[key] > ATTEMPTS_MAX:
            left = window + timedelta(seconds=WINDOW_S) - now
            raise TooManyRequests(max(1, int(left.total_seconds())))


def _network(address: str) -> str:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((int(ip) >> 64 << 64, 64)))
    return str(ip)
