"""What differs between two generations of read models in plain words: what a row is, and where it is missing."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from adapters.differences import Difference
from adapters.postgres.reading_log import Names
from workers.log_words import called, printable

VALUE_MAX: Final = 120
_NOTHING: Final = "nothing"


class Named(NamedTuple):
    """What a row is called: where it stands, and what it is there. Braces name columns."""

    place: str
    thing: str


# What tells rows of a table apart for whoever reads it, and not how they are stored.
NAMED: Final[Mapping[str, Named]] = {
    "facts": Named("the list of facts", "what event {received_at_position} was taken for: {kind}, {verdict}"),
    "known": Named("the list of what URIs name", "{uri}"),
    "tombs": Named("the list of what was deleted before it came", "{uri} by {signer}"),
    "departed": Named("the list of accounts that are gone", "{account}"),
    "relations": Named("the list of how far follows have come", "{follower} to {followee}"),
    "toggles": Named("the list of what stands", "the {kind} of {object} by {actor}"),
    "said": Named("the list of what accounts say of themselves", "{account}"),
    "parked": Named("the list of what waits", "event {received_at_position}: {reason}"),
    "accounts": Named("the list of accounts", "{id}"),
    "account_revisions": Named("the history of {account}'s profile", "what event {position} said"),
    "account_counts": Named("the list of accounts' counters", "{account}"),
    "endpoints": Named("the list of where accounts are reached", "{account}"),
    "follow_turns": Named("the history of {follower} following {followee}", "event {position}: {stage}"),
    "follows": Named("the list of whom {follower} follows", "{followee}, {stage} since event {since}"),
    "follow_wishes": Named("the list of what {follower} wants of whom they follow", "{followee}"),
    "blocks": Named("the list of whom {blocker} blocks", "{blocked} since event {since}"),
    "mutes": Named("the list of whom {muter} mutes", "{muted} since event {since}"),
    "statuses": Named("the list of {account}'s posts", "{id}"),
    "status_revisions": Named("the history of {status}", "what event {position} said"),
    "audience": Named("the list of whom {status} is addressed to", "{account}"),
    "home": Named("{owner}'s home", "{entry}, which came {via} {cause}"),
    "home_turns": Named("the list of since when {owner}'s home is kept", "event {position}: kept is {kept}"),
    "tagged": Named("the list of hashtags of {status}", "#{tag} as of event {position}"),
    "tags": Named("the list of hashtags", "#{name}"),
    "documents": Named("what posts are found by", "the words of {status}"),
    "favourites": Named("the list of what {account} likes", "{status} since event {since}"),
    "bookmarks": Named("the list of {account}'s bookmarks", "{status} since event {since}"),
    "pins": Named("the list of what {account} features", "{status} since event {since}"),
    "conversation_mutes": Named("the list of threads that {account} mutes", "{conversation} since event {since}"),
    "notifications": Named("the list of {owner}'s notifications", "a {kind} by {actor}, about {status}"),
    "notifications_cleared": Named("the list of what was cleared", "what {owner} was told of, up to {up_to}"),
    "notifications_dismissed": Named("the list of notifications that {owner} dismissed", "{id}"),
    "account_words": Named("what {account} is found by", "“{word}” as of event {position}"),
}
_VIA: Final = {"follow": "by following", "boost": "boosted by", "self": "as one's own, being"}
# Ids begin with a time; numbers that are none are small, or stand in these columns.
_NO_ID_UP_TO: Final = 0xFFFF
_PLAIN: Final = frozenset({"position", "since", "until", "n", "received_at_position", "up_to"})


def difference_in_words(difference: Difference, names: Names) -> str:
    """One line, without its end: what differs, from what to what."""
    place, thing = NAMED[difference.table]
    row = _Row(difference.row, names)
    where, what = place.format_map(row), thing.format_map(row).removesuffix(f", about {_NOTHING}")
    if difference.live is None:
        said = f"{where} lacks {what}"
    elif difference.replayed is None:
        said = f"{where} has {what}: the log does not give that"
    else:
        said = f"{where}: of {what}, " + "; ".join(_changes(difference, names))
    return printable(said)


def ids_in(difference: Difference) -> Iterator[int]:
    """What has to be named for it."""
    for row in (difference.live, difference.replayed):
        for column, value in (row or {}).items():
            if _is_id(column, value):
                yield value


class _Row(dict[str, str]):
    """The values of a row as they are called."""

    def __init__(self, row: Mapping[str, Any], names: Names) -> None:
        super().__init__({column: _shown(column, value, names) for column, value in row.items()})


def _changes(difference: Difference, names: Names) -> Iterator[str]:
    assert difference.live is not None and difference.replayed is not None, "it is in both"
    for column in difference.columns:
        live, replayed = (_shown(column, row[column], names) for row in (difference.live, difference.replayed))
        yield f"{column} is {live}, and by the log {replayed}"


def _shown(column: str, value: Any, names: Names) -> str:
    if value is None:
        return _NOTHING
    if column == "via" and value in _VIA:
        return _VIA[value]
    text = called(value, names) if _is_id(column, value) else str(value)
    return text if len(text) <= VALUE_MAX else f"{text[:VALUE_MAX]}…"


def _is_id(column: str, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > _NO_ID_UP_TO and column not in _PLAIN
