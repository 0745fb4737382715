"""`daybook deliver`: sends what stands in the outbox, for as long as it takes."""

import logging
import threading
import time

from adapters.config import Settings
from adapters.postgres.tailing import DatabaseTrouble
from adapters.wiring_deliveries import run_deliverer

RETRY_FIRST_S = 0.1
RETRY_MAX_S = 5.0
_log = logging.getLogger("daybook.deliver")


def deliver(settings: Settings, stopping: threading.Event) -> None:
    """Deliver until `stopping` is set. A database that does not answer is waited for; nothing is lost because of it.

    Any number of these may run at once, also on several machines. Raises SettingsError when the database was never set
    up or the master key is another's.
    """
    pause_s = RETRY_FIRST_S
    while not stopping.is_set():
        begun = time.monotonic()
        try:
            run_deliverer(settings, stopping)
        except DatabaseTrouble as error:
            _log.warning("the database does not go along (%s); what was on its way is sent again", str(error).strip())
        # What ran for a while was well: only failing at once, again and again, is waited for longer and longer.
        pause_s = RETRY_FIRST_S if time.monotonic() - begun > RETRY_MAX_S else min(2 * pause_s, RETRY_MAX_S)
        stopping.wait(pause_s)
