"""`daybook log`: what happened, event by event, for people and for programs."""

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

from cyclopts import App, Parameter

from adapters.codec import Codec
from adapters.config import Settings, load_settings
from adapters.first_start import attached
from adapters.founded import as_founded
from adapters.master_key import load_master_key
from adapters.postgres.reading_log import Entry, LogReader, Names
from adapters.postgres.tailing import DatabaseAway
from domain.catalogue import BY_TOPIC
from domain.events import Refused
from workers.log_json import json_line
from workers.log_parties import Identity, Wanted, parties_of
from workers.log_words import sentence
from workers.preflight import NotReady

SHOWN_BEFORE_TAIL = 10
LAST_POSITION = 2**63 - 1

app = App(name="log", help="Show what happened, event by event.")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which events, and how they are shown."""

    json: Annotated[bool, Parameter(negative=())] = False
    "One JSON object a line instead of a sentence."
    actor: str | None = None
    "Only what this account did: its handle (@bob@b.test), id or URI."
    object: str | None = None
    "Only what was done to this: an account, a post or an activity, by id or URI."
    host: str | None = None
    "Only what somebody of this host did or had done to them."
    topic: str | None = None
    "Only this kind of event, such as post.published."


@app.command
def show(
    choice: Choice | None = None,
    *,
    from_: Annotated[int, Parameter(name="--from")] = 1,
    to: int = LAST_POSITION,
    limit: int | None = None,
) -> None:
    """Show the log, oldest first.

    Parameters
    ----------
    from_
        The first position to look at.
    to
        The last position to look at.
    limit
        How many events to show at most.
    """
    if limit is not None and limit < 1:
        raise Refused(f"--limit must be at least 1, not {limit}.")
    if from_ > to:
        raise Refused(f"--from must not be behind --to, and {from_} is behind {to}.")
    choice = choice or Choice()
    with _Shown(choice) as shown:
        if not shown.show(max(from_, 1) - 1, min(to, LAST_POSITION), limit):
            sys.stderr.write("no events\n")


@app.command
def tail(choice: Choice | None = None, *, last: int = SHOWN_BEFORE_TAIL) -> None:
    """Show the log's end, and what is appended from now on, until Ctrl-C.

    Parameters
    ----------
    last
        How many positions back to begin.
    """
    choice = choice or Choice()
    with _Shown(choice) as shown:
        reader = shown.reader
        reader.listen()
        reached = max(0, reader.head() - max(0, last))
        while True:
            head = reader.wait_beyond(reached)
            shown.show(reached, head, None)
            reached = head


class _Shown:
    """Prints chosen events over a connection of its own, which it opens and closes."""

    def __init__(self, choice: Choice) -> None:
        if choice.topic is not None and choice.topic not in BY_TOPIC:
            raise Refused(
                f"There is no kind of event called {choice.topic!r}; there are {', '.join(sorted(BY_TOPIC))}."
            )
        self._choice = choice
        settings = as_founded(attached(load_settings(os.environ)))
        assert settings.database_app_url is not None, "attached"
        self._settings = settings
        self._url = settings.database_app_url

    def __enter__(self) -> "_Shown":
        self.reader = LogReader(self._url, Codec(load_master_key(self._settings)))
        self._wanted = _wanted(self._choice, self.reader, self._settings)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        self.reader.close()
        if isinstance(error, DatabaseAway):
            raise NotReady(f"The database went away: {str(error).strip()}") from error
        if isinstance(error, BrokenPipeError):
            # Whoever read us has seen enough; the interpreter must not try to flush once more.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return True
        return isinstance(error, KeyboardInterrupt)

    def show(self, after: int, to: int, limit: int | None) -> int:
        """Print the chosen events behind `after` up to `to`, at most `limit`; gives how many there were."""
        shown = 0
        for entries in self.reader.batches(after, to, self._choice.topic):
            for line in self._lines(entries):
                if shown == limit:
                    return shown
                sys.stdout.write(f"{line}\n")
                shown += 1
            sys.stdout.flush()
        return shown

    def _lines(self, entries: Iterable[Entry]) -> Iterator[str]:
        sided = [(entry, parties_of(entry)) for entry in entries]
        named = {one for _, parties in sided for one in parties.actors | parties.objects}
        names = self._names(named)
        for entry, parties in sided:
            if self._wanted.matches(parties, names.uris):
                yield json_line(entry, names) if self._choice.json else sentence(entry, names)

    def _names(self, named: Iterable[Identity]) -> Names:
        ids: list[int] = []
        uris: list[str] = []
        for one in named:
            if isinstance(one, int):
                ids.append(one)
            elif "\0" not in one:
                uris.append(one)
        return self.reader.names(ids, uris)


def _wanted(choice: Choice, reader: LogReader, settings: Settings) -> Wanted:
    def meant(text: str | None, unknown: str) -> frozenset[Identity] | None:
        if text is None:
            return None
        found = reader.identities(text.removesuffix(f"@{settings.domain}"))
        if not found:
            raise Refused(f"{unknown} is known here as {text!r}.")
        return found

    host = choice.host.lower() if choice.host is not None else None
    return Wanted(meant(choice.actor, "Nobody"), meant(choice.object, "Nothing"), host)
