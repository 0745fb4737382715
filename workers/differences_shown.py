"""Differences shown to an operator: some of each table with the events behind them, and all of them counted.

As text, or as one JSON object a line: first each difference, then the counts, and last what came of it all.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final, TextIO

import msgspec

from adapters.differences import Cause, Decision, Difference
from adapters.postgres.reading_log import Entry, LogReader, Names
from workers.differences_words import difference_in_words, ids_in
from workers.log_json import for_terminals, plain
from workers.log_parties import parties_of
from workers.log_words import sentence

MOST: Final = 10
DIFFERENT: Final = 3
"""What a command exits with that found differences and left them."""
NOT_LOOKED_UP: Final = "events not looked up"


class Shown:
    """Prints at most `most` of each table and counts the rest; `out` gets JSON, or else text."""

    def __init__(self, reader: LogReader, *, most: int, as_json: bool, out: TextIO | None = None) -> None:
        self._reader = reader
        self._most = most
        self._json = as_json
        self._out = sys.stdout if out is None else out

    def show(self, found: Iterable[Difference]) -> int:
        """Print them as they come, then how many there were by table and cause; gives how many in all."""
        counts: Counter[tuple[str, str, tuple[str, ...], str]] = Counter()
        shown: Counter[str] = Counter()
        for difference in found:
            counts[difference.table, difference.how, difference.columns, _kinds(difference)] += 1
            if shown[difference.table] < self._most:
                shown[difference.table] += 1
                self._print(difference)
        self._print_counts(counts)
        return counts.total()

    def show_decisions(self, found: Iterable[Decision]) -> int:
        """Print what was decided here on facts that are others now, at most `most`; gives how many in all."""
        count = 0
        for decision in found:
            count += 1
            if count <= self._most:
                self._print_decision(decision)
        if count and not self._json:
            self._line(f"{count:,} decisions made here leant on what is taken for something else now; they stand.")
        return count

    def show_outcome(self, position: int, different: Iterable[str], rows: int) -> None:
        """For programs: as of which position was compared, which tables differ, and in how many rows; also for none."""
        if self._json:
            self._object({"as_of": position, "different": sorted(set(different)), "rows": rows})

    def _print(self, difference: Difference) -> None:
        entries = {entry.position: entry for entry in self._reader.at([cause.position for cause in difference.causes])}
        names = self._names(difference, entries.values())
        said = difference_in_words(difference, names)
        if not self._json:
            self._line(said)
            for cause in difference.causes:
                self._line(f"    {_cause_in_words(cause, entries, names)}")
            return
        self._object(
            {
                "table": difference.table,
                "difference": difference.how,
                "columns": difference.columns,
                "live": difference.live,
                "replayed": difference.replayed,
                "said": said,
                "causes": [_cause(cause, entries, names) for cause in difference.causes],
            }
        )

    def _print_decision(self, decision: Decision) -> None:
        entries = {entry.position: entry for entry in self._reader.at([decision.premise, decision.position])}
        names = self._names(None, entries.values())
        premise, decided = (sentence(entries[one], names) for one in (decision.premise, decision.position))
        if self._json:
            self._object({"decision": decision.position, "premise": decision.premise, "said": decided})
        else:
            self._line(f"decided here: {decided}")
            self._line(f"    leaning on {premise}")

    def _print_counts(self, counts: Counter[tuple[str, str, tuple[str, ...], str]]) -> None:
        for (table, how, columns, kinds), rows in counts.items():
            if self._json:
                self._object({"table": table, "difference": how, "columns": columns, "cause": kinds, "rows": rows})
            else:
                in_what = f" in {', '.join(columns)}" if columns else ""
                self._line(f"{table}: {rows:,} {how}{in_what}, by {kinds}")

    def _names(self, difference: Difference | None, entries: Iterable[Entry]) -> Names:
        named = {one for entry in entries for side in _sides(entry) for one in side}
        ids = {one for one in named if isinstance(one, int)} | set(ids_in(difference) if difference else ())
        uris = [one for one in named if isinstance(one, str) and "\0" not in one]
        return self._reader.names(sorted(ids), uris)

    def _line(self, text: str) -> None:
        self._out.write(f"{text}\n")

    def _object(self, shown: dict[str, Any]) -> None:
        self._line(for_terminals(msgspec.json.encode(plain(shown)).decode()))


def _sides(entry: Entry) -> Iterator[frozenset[int | str]]:
    parties = parties_of(entry)
    yield from (parties.actors, parties.objects)


def _kinds(difference: Difference) -> str:
    return ", ".join(sorted({cause.kind for cause in difference.causes})) or NOT_LOOKED_UP


def _cause_in_words(cause: Cause, entries: dict[int, Entry], names: Names) -> str:
    entry = entries.get(cause.position)
    return f"event {cause.position} is not in the log" if entry is None else sentence(entry, names)


def _cause(cause: Cause, entries: dict[int, Entry], names: Names) -> dict[str, Any]:
    entry = entries.get(cause.position)
    found = {"event": cause.position, "as_of": cause.as_of, "kind": cause.kind}
    if entry is None:
        return found
    fact = next((one for one in entry.facts if one.kind == cause.kind), None)
    return {
        **found,
        "topic": entry.topic,
        "stream": entry.stream,
        "actor": None if fact is None or fact.actor is None else str(fact.actor),
        "object": None if fact is None or fact.object is None else str(fact.object),
        "said": sentence(entry, names),
    }
