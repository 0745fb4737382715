"""How often somebody may do something: fixed windows, counted in this process, in bounded memory."""

from datetime import datetime, timedelta
from typing import TypeAlias

from litestar.di import NamedDependency
from litestar.params import SkipValidation

from api.errors import TooManyRequests

# Past this many in one window, newcomers share one count: a botnet gets no memory of ours.
KEYS_MAX = 10_000
CROWD = "crowd"

# Mastodon's own limit of uploads (rack_attack, "throttle_api_media").
UPLOADS_MAX = 30
UPLOADS_WINDOW_S = 1_800


class Limit:
    """`most` times a key and window of `window_s` seconds."""

    def __init__(self, most: int, window_s: int) -> None:
        self._most = most
        self._window_s = window_s
        self._window: datetime | None = None
        self._counts: dict[str, int] = {}

    def count(self, key: str, now: datetime) -> None:
        """Counts once. Raises TooManyRequests once it is too often."""
        window = datetime.fromtimestamp(now.timestamp() // self._window_s * self._window_s, now.tzinfo)
        if window != self._window:
            self._window, self._counts = window, {}
        if key not in self._counts and len(self._counts) >= KEYS_MAX:
            key = CROWD
        self._counts[key] = self._counts.get(key, 0) + 1
        if self._counts[key] > self._most:
            left = window + timedelta(seconds=self._window_s) - now
            raise TooManyRequests(max(1, int(left.total_seconds())))


# How a route that takes uploads asks for what counts them.
UploadLimit: TypeAlias = NamedDependency[SkipValidation[Limit]]
