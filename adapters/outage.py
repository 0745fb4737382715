"""Something we depend on is away: said once when it goes, once when it is back, and not asked for ever meanwhile."""

import logging
import threading
import time
from typing import Final

LOOK_AGAIN_S: Final = 2.0
# What a record of the log has where it says that something answers, or that it does not.
ANSWERS: Final = "answers"


class Outage:
    """Whether `what` is away; `meanwhile` says what that means. Safe to share between threads."""

    def __init__(self, what: str, meanwhile: str) -> None:
        self._log = logging.getLogger(f"daybook.{what.lower()}")
        self._what = what
        self._meanwhile = meanwhile
        self._lock = threading.Lock()
        self._since: float | None = None
        self._look_at = 0.0

    def worth_asking(self) -> bool:
        """Whether to ask it: while it is away, one look every two seconds, so that nobody else waits for nothing."""
        with self._lock:
            now = time.monotonic()
            if self._since is None:
                return True
            if now < self._look_at:
                return False
            self._look_at = now + LOOK_AGAIN_S
            return True

    def failed(self, why: object) -> None:
        """It did not answer."""
        with self._lock:
            now = time.monotonic()
            begins = self._since is None
            if self._since is None:
                self._since = now
            self._look_at = now + LOOK_AGAIN_S
        if begins:
            said = self._what, " ".join(str(why).split()), self._meanwhile
            self._log.warning("%s does not answer (%s): %s", *said, extra={ANSWERS: False})

    def answered(self) -> None:
        """It did."""
        with self._lock:
            since, self._since = self._since, None
        if since is not None:
            away_s = time.monotonic() - since
            self._log.warning("%s answers again, after %.0f s", self._what, away_s, extra={ANSWERS: True})
