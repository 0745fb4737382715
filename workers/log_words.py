"""An event of the log in plain words: one sentence, fit for a terminal whatever a stranger wrote."""

from collections.abc import Mapping
from datetime import datetime

from adapters.postgres.reading_log import Entry, Finding, Names
from domain.account import AccountRegistered, KeyAdded, ProfileChanged
from domain.activity import ActivityReceived, ActivityReceivedAgain, DocumentFetched
from domain.events import Event
from domain.follow import FollowAccepted, FollowEnded, FollowRejected, FollowRequested
from domain.instance import InstanceFounded
from domain.post import PostDeleted, PostEdited, PostPublished
from domain.waiting import WaitingExpired
from workers.log_deeds import DEEDS
from workers.log_parties import activity_of

WORD_MAX = 300
# What events call their time. A post that was edited before it came also has the time of that.
_TIMES = (
    "received_at",
    "registered_at",
    "published_at",
    "fetched_at",
    "founded_at",
    "edited_at",
    "deleted_at",
    "requested_at",
    "accepted_at",
    "rejected_at",
    "ended_at",
    "changed_at",
    "added_at",
    "moved_at",
    "adjusted_at",
    *(f"{prefix}{done}_at" for done in ("blocked", "muted", "favourited", "boosted") for prefix in ("", "un")),
    *("bookmarked_at", "unbookmarked_at", "pinned_at", "unpinned_at", "cleared_at", "dismissed_at", "expired_at"),
    *("dropped_at", "restored_at"),
)


def sentence(entry: Entry, names: Names) -> str:
    """One line, without its end."""
    if entry.event is None:
        said = f"a {entry.topic} that can't be read: {entry.unreadable}"
        when = None
    else:
        said, when = _Words(names).of(entry.event), time_of(entry.event)
    dated = f", {when.isoformat(sep=' ', timespec='seconds').removesuffix('+00:00')}" if when else ""
    return printable(f"event {entry.position}{dated}: {said}; {_outcome(entry)}")


def printable(text: str) -> str:
    """Without what a terminal would obey: control characters are shown by their number."""
    return "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in text)


def called(one: int | str, names: Names) -> str:
    """What an account or a thing is called: its handle, else its URI, else its number."""
    return _Words(names).who(one)


class _Words:
    def __init__(self, names: Names) -> None:
        self._names = names

    def of(self, event: Event) -> str:
        said = type(event).__name__
        match event:
            case InstanceFounded():
                said = f"the instance was founded at {event.origin}"
            case AccountRegistered():
                said = f"@{event.username} was registered"
            case ProfileChanged():
                said = f"{self.who(event.account)} changed their profile"
            case KeyAdded():
                said = f"{self.who(event.account)} signs with {event.key_id} from now on"
            case PostPublished() | PostEdited() | PostDeleted():
                said = self._post(event)
            case FollowRequested() | FollowAccepted() | FollowRejected() | FollowEnded():
                said = self._follow(event)
            case ActivityReceived():
                said = self._activity(event)
            case ActivityReceivedAgain():
                said = f"the same of {self.who(event.signer)} arrived again, by {event.inbox}"
            case DocumentFetched():
                said = f"{event.uri} was fetched as it is now"
            case WaitingExpired():
                said = f"what still waited of {len(event.positions)} events was given up"
            case _ if (deed := DEEDS.get(type(event))) is not None:
                actor, about = getattr(event, deed.actor), getattr(event, deed.object)
                said = deed.words.format(actor=self.who(actor), object=self.who(about))
            case _:
                pass
        return said

    def _post(self, event: PostPublished | PostEdited | PostDeleted) -> str:
        match event:
            case PostPublished():
                return f"{self.who(event.author)} published {event.uri} ({event.visibility})"
            case PostEdited():
                return f"{self.who(event.author)} edited {self._what(event.post)}"
            case PostDeleted():
                return f"{self.who(event.author)} deleted {self._what(event.post)}"

    def _follow(self, event: FollowRequested | FollowAccepted | FollowRejected | FollowEnded) -> str:
        follower, followee = self.who(event.follower), self.who(event.followee)
        match event:
            case FollowRequested():
                return f"{follower} asked to follow {followee} by {event.request}"
            case FollowAccepted():
                return f"{followee} accepted {follower}, who had asked by {event.request}"
            case FollowRejected():
                return f"{followee} rejected {follower}, who had asked by {event.request}"
            case FollowEnded():
                return f"{follower} no longer follows {followee}"

    def _activity(self, event: ActivityReceived) -> str:
        activity = activity_of(event.raw)
        if activity is None:
            return f"something of {self.who(event.signer)} that is no JSON object arrived by {event.inbox}"
        kind = activity.get("type")
        word = kind if isinstance(kind, str) else "activity without a type"
        about = self._about(activity.get("object"))
        return f"{self.who(event.signer)}'s {_short(word)}{f' of {about}' if about else ''} arrived by {event.inbox}"

    def _about(self, thing: object) -> str | None:
        if isinstance(thing, Mapping):
            found: object = thing.get("id")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - JSON
            return self.who(found) if isinstance(found, str) else None
        return self.who(thing) if isinstance(thing, str) else None

    def who(self, one: int | str) -> str:
        """Handle, else URI, else number."""
        handle = self._names.handles.get(one)
        return f"@{handle}" if handle is not None else self._what(one)

    def _what(self, one: int | str) -> str:
        return _short(one if isinstance(one, str) else self._names.uris.get(one, str(one)))


def _short(text: str) -> str:
    return text if len(text) <= WORD_MAX else f"{text[:WORD_MAX]}…"


def time_of(event: Event) -> datetime | None:
    """When it happened, where the event says so."""
    times = (getattr(event, name, None) for name in _TIMES)
    return next((time for time in times if time is not None), None)


def _outcome(entry: Entry) -> str:
    if entry.parked is not None:
        waiting = entry.parked.waits_for
        return f"waits for {_short(waiting)}" if waiting is not None else f"set aside: {entry.parked.reason}"
    if not entry.facts:
        return "not interpreted yet"
    return "verdict: " + ", ".join(_verdict(fact, entry.position) for fact in entry.facts)


def _verdict(fact: Finding, received_at: int) -> str:
    return fact.verdict if fact.position == received_at else f"{fact.verdict} as of event {fact.position}"
