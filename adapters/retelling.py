"""Facts told again: from their rows and the log alone, without settling anything anew.

A row of `facts` says what an event came to, and the event what it holds; what is in neither (whose request was
answered, which boost was undone, whether a fetch had brought a post before) is found among the facts before it. So any
part of the read models can be worked out again from the facts that concern it.

Two fields stay empty that no table depends on: `in_reply_to` of a remote post, which tables find by its URI, and
`activity` of an Undo.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any, Final, NamedTuple

from psycopg import Cursor

from adapters.activitypub.incoming import Translator
from adapters.interpreter.claims import Claim, UnreadableEvent
from adapters.interpreter.interpret import completed
from adapters.interpreter.outcome import Outcome
from domain.account import AccountDeleted, AccountMoved
from domain.block import AccountBlocked, AccountUnblocked
from domain.boost import PostBoosted, PostUnboosted
from domain.events import Event
from domain.favourite import PostFavourited, PostUnfavourited
from domain.follow import FollowAccepted, FollowEnded, FollowRejected, FollowRequested
from domain.pin import PostPinned, PostUnpinned
from domain.ports import Recorded
from domain.post import PostDeleted, PostPublished, Visibility
from projections.fact import APPLIED, Fact

_WITH_BODY: Final = frozenset({"account.registered", "account.profile_changed", "post.published", "post.edited"})
_ANSWERED_BY_FOLLOWEE: Final = frozenset({"follow.accepted", "follow.rejected"})
_STOOD_BEFORE: Final = {"follow.ended": "follow.requested", "post.unboosted": "post.boosted"}

# The request that stood, and the boost that did, just before a fact: the last of its kind between the same two.
_STOOD: Final = """
    SELECT asked.place, s.received_at_position
    FROM unnest(%b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::int[], %b::text[])
        AS asked (place, actor, object, position, n, kind)
    CROSS JOIN LATERAL (
        SELECT f.received_at_position FROM facts f
        WHERE f.actor = asked.actor AND f.object = asked.object AND f.position <= asked.position
            AND (f.position, f.n) < (asked.position, asked.n) AND f.kind = asked.kind AND f.verdict = 'applied'
        ORDER BY f.position DESC, f.n DESC LIMIT 1) s
"""
_BEFORE: Final = """
    SELECT asked.place FROM unnest(%b::bigint[], %b::bigint[], %b::bigint[], %b::int[], %b::text[])
        AS asked (place, object, position, n, uri)
    WHERE (SELECT k.since < asked.position FROM known k WHERE k.uri = asked.uri)
        OR EXISTS (SELECT FROM facts f WHERE f.position = asked.position AND f.n < asked.n
            AND f.object = asked.object AND f.kind = 'post.published' AND f.verdict = 'applied')
"""
_IDS: Final = "SELECT uri, id FROM app.ids WHERE uri = ANY(%b::text[])"

# What is posted or boosted without what it says, from the statuses that it made.
_OUTLINES: Final = """
    SELECT asked.place, s.id, s.visibility, s.posted_on, s.delivered IS NOT DISTINCT FROM asked.position
        -- What a fetch brought may have come free together with its delivery, which is the last of them.
        AND (asked.received = asked.position OR NOT EXISTS (
            SELECT FROM facts f WHERE f.position = asked.position AND f.n > asked.n AND f.object = asked.object
                AND f.kind = 'post.published' AND asked.kind = f.kind AND f.verdict = 'applied'))
    FROM unnest(%b::bigint[], %b::bigint[], %b::int[], %b::bigint[], %b::bigint[], %b::bigint[], %b::text[])
        AS asked (place, position, n, received, actor, object, kind)
    CROSS JOIN LATERAL (
        SELECT p.* FROM statuses p WHERE asked.kind = 'post.published' AND p.id = asked.object AND p.reblog_of IS NULL
        UNION ALL
        SELECT b.* FROM statuses b WHERE asked.kind = 'post.boosted' AND b.reblog_of = asked.object
            AND b.account = asked.actor AND b.published = asked.position AND b.revision_n = asked.n) s
"""

Claims = Mapping[int, Claim]
"""By the position of its event."""
ReadBack = Callable[[Sequence[int]], Iterable[Recorded]]


class Row(NamedTuple):
    """A row of `facts` whose verdict is "applied", without it."""

    position: int
    n: int
    received_at_position: int
    stream: str | None
    kind: str
    actor: int | None
    object: int | None
    because: bytes | None


class Untold(Exception):
    """An event behind a fact can't be read any more: what it was taken for can't be told again without it."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(f"event {position} can't be read: {reason}")
        self.position = position


class Retelling:
    """Tells facts for the instance at `origin`, within the generation that the cursors' search path names.

    `read_back` gives the events at some positions of the log.
    """

    def __init__(self, origin: str, read_back: ReadBack) -> None:
        self._translator = Translator(origin)
        self._read_back = read_back

    def read(self, rows: Sequence[Row]) -> Claims:
        """What the events behind these rows claim. It asks no cursor, so it may run in a thread. Raises Untold."""
        return self._claims({row.received_at_position for row in rows})

    def facts(self, cursor: Cursor[Any], rows: Sequence[Row], claims: Claims | None = None) -> list[Fact]:
        """The facts of these rows, in their order, of what `read` gave. Raises Untold for one that can't be opened."""
        claims = self.read(rows) if claims is None else claims
        told = [_Told(row, claims[row.received_at_position]) for row in rows]
        remote = [(place, one) for place, one in enumerate(told) if not one.claim.local]
        stood = self._stood(cursor, list(_asked_what_stood(remote)))
        again = {place for (place,) in _all(cursor, _BEFORE, _asked_before(remote))}
        ids = self._ids(cursor, [*(one for _, one in remote), *(_Told(None, claim) for claim in stood.values())])
        return [
            one.fact(
                one.claim.event if one.claim.local else _event(one, stood.get(place), ids),
                again=place in again,
            )
            for place, one in enumerate(told)
        ]

    def outlines(self, cursor: Cursor[Any], rows: Sequence[Row]) -> list[Fact]:
        """The same of posts and boosts, for rules that look at no content: no event is opened where a status stands.

        Only ids, visibility and whether it was delivered are true of their events. Raises Untold.
        """
        asked = [
            (place, row.position, row.n, row.received_at_position, row.actor, row.object, row.kind)
            for place, row in enumerate(rows)
        ]
        told: dict[int, Fact] = {}
        for place, status, visibility, posted_on, delivered in _all(cursor, _OUTLINES, asked):
            row: Row = rows[int(place)]
            told[place] = _outline(row, status, visibility, posted_on, delivered=delivered)
        lacking = [place for place in range(len(rows)) if place not in told]
        if lacking:
            whole = self.facts(cursor, [rows[place] for place in lacking])
            told.update(zip(lacking, whole, strict=True))
        return [told[place] for place in range(len(rows))]

    def _claims(self, positions: Iterable[int]) -> Claims:
        return {recorded.position: self._claim(recorded) for recorded in self._read_back(sorted(positions))}

    def _claim(self, recorded: Recorded) -> Claim:
        if isinstance(recorded.event, UnreadableEvent):
            raise Untold(recorded.position, recorded.event.reason)
        return self._translator.translate(recorded)

    def _stood(self, cursor: Cursor[Any], asked: Sequence[tuple[Any, ...]]) -> Claims:
        """By place, the claim of what stood before it."""
        found: dict[int, int] = dict(_all(cursor, _STOOD, asked))
        claims: Claims = self._claims(set(found.values())) if found else {}
        return {place: claims[position] for place, position in found.items()}

    def _ids(self, cursor: Cursor[Any], told: Iterable["_Told"]) -> dict[str, int]:
        uris = {one.claim.activity for one in told if one.claim.kind == "post.boosted" and one.claim.activity}
        if not uris:
            return {}
        return dict(cursor.execute(_IDS, [sorted(uris)]).fetchall())


def _outline(row: Row, status: int, visibility: Visibility, posted_on: date, *, delivered: bool) -> Fact:
    actor, about = row.actor, row.object
    assert actor is not None and about is not None, "an applied fact of a post has both ends"
    at = datetime.combine(posted_on, time(), UTC)
    if row.kind == "post.boosted":
        event: Event = PostBoosted(
            boost=status, account=actor, post=about, uri="", visibility=visibility, boosted_at=at
        )
    else:
        event = PostPublished(post=status, author=actor, uri="", url="", visibility=visibility, published_at=at)
    return Fact(**row._asdict(), verdict=APPLIED, event=event, delivered=delivered)


class _Told(NamedTuple):
    row: Row | None
    claim: Claim

    @property
    def fact_row(self) -> Row:
        assert self.row is not None, "of a fact"
        return self.row

    def fact(self, event: Event | None, *, again: bool) -> Fact:
        row = self.fact_row
        if event is None:
            raise Untold(row.received_at_position, f"it is no {row.kind} by what it says today")
        return Fact(**row._asdict(), verdict=APPLIED, event=event, delivered=self.claim.delivered, again=again)


def _asked_what_stood(remote: Sequence[tuple[int, _Told]]) -> Iterator[tuple[Any, ...]]:
    for place, one in remote:
        row = one.fact_row
        if row.kind in _ANSWERED_BY_FOLLOWEE:
            yield place, row.object, row.actor, row.position, row.n, "follow.requested"
        elif row.kind in _STOOD_BEFORE:
            yield place, row.actor, row.object, row.position, row.n, _STOOD_BEFORE[row.kind]


def _asked_before(remote: Sequence[tuple[int, _Told]]) -> list[tuple[Any, ...]]:
    return [
        (place, one.fact_row.object, one.fact_row.position, one.fact_row.n, one.claim.object)
        for place, one in remote
        if one.fact_row.kind == "post.published" and one.claim.delivered
    ]


def _all(cursor: Cursor[Any], query: Any, asked: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    if not asked:
        return []
    return cursor.execute(query, [list(column) for column in zip(*asked, strict=True)]).fetchall()


def _event(one: _Told, stood: Claim | None, ids: Mapping[str, int]) -> Event | None:
    """The event of a remote fact; None where the claim is of another kind now."""
    row, claim = one.fact_row, one.claim
    actor, about = row.actor, row.object
    assert actor is not None and about is not None, "an applied remote fact has both ends"
    if row.kind in _WITH_BODY:
        outcome = Outcome(APPLIED, row.kind, actor, about, delivered=claim.delivered)
        return completed(claim.event, claim, outcome)
    if row.kind == "post.boosted":
        return _boosted(claim, actor, about, ids)
    if row.kind == "post.unboosted":
        number = None if stood is None else _boost_of(stood, ids)
        return (
            None
            if number is None
            else PostUnboosted(boost=number, account=actor, post=about, uri="", unboosted_at=claim.at)
        )
    return _between(row.kind, claim, actor, about, _request_of(claim if row.kind == "follow.requested" else stood))


def _between(kind: str, claim: Claim, actor: int, about: int, request: str) -> Event | None:
    """The event of what one account does to another, or to a post, and holds nothing but ids and times."""
    at, activity = claim.at, claim.activity or ""
    make: Mapping[str, Callable[[], Event]] = {
        "post.deleted": lambda: PostDeleted(post=about, author=actor, deleted_at=at),
        "account.deleted": lambda: AccountDeleted(account=actor, deleted_at=at),
        "account.moved": lambda: AccountMoved(account=actor, target=about, moved_at=at),
        "post.favourited": lambda: PostFavourited(account=actor, post=about, activity=activity, favourited_at=at),
        "post.unfavourited": lambda: PostUnfavourited(account=actor, post=about, activity="", unfavourited_at=at),
        "account.blocked": lambda: AccountBlocked(blocker=actor, blocked=about, activity=activity, blocked_at=at),
        "account.unblocked": lambda: AccountUnblocked(blocker=actor, blocked=about, activity="", unblocked_at=at),
        "post.pinned": lambda: PostPinned(account=actor, post=about, pinned_at=at),
        "post.unpinned": lambda: PostUnpinned(account=actor, post=about, unpinned_at=at),
        "follow.requested": lambda: FollowRequested(follower=actor, followee=about, request=request, requested_at=at),
        "follow.accepted": lambda: FollowAccepted(follower=about, followee=actor, request=request, accepted_at=at),
        "follow.rejected": lambda: FollowRejected(follower=about, followee=actor, request=request, rejected_at=at),
        "follow.ended": lambda: FollowEnded(follower=actor, followee=about, request=request, ended_at=at),
    }
    return make[kind]() if kind in make else None


def _boosted(claim: Claim, actor: int, about: int, ids: Mapping[str, int]) -> Event | None:
    number = _boost_of(claim, ids)
    if number is None or claim.activity is None or claim.visibility is None or claim.at is None:
        return None
    return PostBoosted(
        boost=number, account=actor, post=about, uri=claim.activity, visibility=claim.visibility, boosted_at=claim.at
    )


def _boost_of(claim: Claim, ids: Mapping[str, int]) -> int | None:
    if isinstance(claim.event, PostBoosted):
        return claim.event.boost
    return ids.get(claim.activity or "")


def _request_of(claim: Claim | None) -> str:
    if claim is None:
        return ""
    return claim.event.request if isinstance(claim.event, FollowRequested) else claim.activity or ""


def rows_of(found: Iterable[tuple[Any, ...]]) -> Iterator[Row]:
    """What a query of COLUMNS gives."""
    return (Row(*one) for one in found)


COLUMNS: Final = "f.position, f.n, f.received_at_position, f.stream, f.kind, f.actor, f.object, f.because"
"""Of a Row, from `facts f`."""
