"""`daybook repair`: one account's own rows worked out anew from the facts, with every difference and its events."""

import os
import sys
from time import monotonic
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from adapters.codec import Codec
from adapters.config import Settings, load_settings
from adapters.first_start import attached
from adapters.founded import as_founded
from adapters.master_key import load_master_key
from adapters.postgres.reading_log import LogReader
from adapters.repairing import Repaired, RepairError, repairing
from adapters.retelling import Untold
from domain.events import Refused
from workers.consoles import console_of
from workers.differences_shown import DIFFERENT, MOST, Shown
from workers.preflight import NotReady


def repair(
    account: str,
    *,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    most: int = MOST,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Work out anew what is one account's own, from the facts that concern it, and write what differs.

    Its profile, posts and counters, its follows, home, notifications, likes, bookmarks, blocks and mutes. What is
    other people's stays as it is. The instance may run meanwhile: what is projected waits for it.

    Parameters
    ----------
    account
        Whose: a handle (@bob, @bob@b.test), id or URI.
    dry_run
        Only say what differs, and exit 3 if anything does.
    most
        How many differences of each table to show; all are counted.
    json
        Show the differences as one JSON object a line, the last of which says which tables differ, and all else on
        standard error.
    """
    if most < 0:
        raise Refused(f"--most must not be negative, and {most} is.")
    console = Console(stderr=True, no_color="NO_COLOR" in os.environ) if json else console_of()
    settings = as_founded(attached(load_settings(os.environ)))
    assert settings.database_app_url is not None, "attached"
    reader = LogReader(settings.database_app_url, Codec(load_master_key(settings)))
    try:
        number = _number_of(account, reader, settings)
        began = monotonic()
        with repairing(settings) as run:
            found = run.account(number, dry_run=dry_run)
        took_s = monotonic() - began
        shown = Shown(reader, most=most, as_json=json)
        rows = shown.show(found.differences)
        shown.show_outcome(found.position, (one.table for one in found.differences), rows)
    except (RepairError, Untold) as error:
        raise NotReady(f"{error}{_WAY_OUT if isinstance(error, Untold) else ''}") from error
    finally:
        reader.close()
    console.print(_said(account, found, took_s, dry_run=dry_run), markup=False, highlight=False)
    sys.exit(DIFFERENT if dry_run and found.differences else 0)


_WAY_OUT = ". Only a replay of the whole log can tell what follows without it: `daybook replay`."


def _number_of(account: str, reader: LogReader, settings: Settings) -> int:
    meant = sorted(
        one for one in reader.identities(account.removesuffix(f"@{settings.domain}")) if isinstance(one, int)
    )
    if not meant:
        raise Refused(f"Nobody is known here as {account!r}.")
    if len(meant) > 1:
        raise Refused(f"{account!r} may be any of {', '.join(map(str, meant))}: give one of these ids.")
    return meant[0]


def _said(account: str, found: Repaired, took_s: float, *, dry_run: bool) -> str:
    from_what = f"{found.facts:,} facts up to event {found.position:,}, in {took_s:.2f} s"
    count = len(found.differences)
    if not count:
        return f"Nothing of {account} differs from what the log gives ({from_what})."
    rows = "1 row" if count == 1 else f"{count:,} rows"
    if dry_run:
        return f"{rows} of {account} would be repaired ({from_what}). Nothing was changed."
    return f"{rows} of {account} repaired ({from_what})."
