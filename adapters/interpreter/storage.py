"""State in PostgreSQL: a fixed number of queries to look up what a batch may need, as many to write what it changed.

All tables but `app.ids` are found by the search path, which is the schema of the generation being built.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final

import msgspec
from psycopg import Cursor

from adapters.interpreter.claims import Claim, brings, names
from adapters.interpreter.ids import Proposal, settle_ids
from adapters.interpreter.state import Known, Pair, Parked, State
from domain.follow import Follow, FollowAccepted, FollowEnded, FollowRejected, FollowRequested, Stage
from domain.post import PostDeleted
from projections.fact import Fact

# What the batch may release, and what that may release in turn. It starts from what the batch may bring and follows
# only what parked rows bring: from what is named it would grow with everything behind one popular unknown post.
_RELEASABLE: Final = """
    WITH RECURSIVE released (received_at_position, brings) AS (
        SELECT received_at_position, brings FROM parked WHERE waits_for = ANY(%b::text[])
        UNION
        SELECT p.received_at_position, p.brings FROM parked p JOIN released r ON p.waits_for = r.brings
    )
    SELECT waits_for, brings, claim, reason FROM parked
    WHERE received_at_position IN (SELECT received_at_position FROM released)
"""
_KNOWN: Final = """
    SELECT uri, kind, id, owner, object, since, delivered, gone, updated FROM known WHERE uri = ANY(%b::text[])
"""
_TOMBS: Final = "SELECT uri, signer FROM tombs NATURAL JOIN unnest(%b::text[], %b::bigint[]) AS asked (uri, signer)"
_RELATIONS: Final = """
    SELECT follower, followee, stage, request
    FROM relations NATURAL JOIN unnest(%b::bigint[], %b::bigint[]) AS asked (follower, followee)
"""
_BRINGING: Final = "SELECT brings, received_at_position FROM parked WHERE brings = ANY(%b::text[])"

_FACTS: Final = """
    COPY facts (position, n, received_at_position, stream, kind, actor, object, because, verdict)
    FROM STDIN (FORMAT BINARY)
"""
_FACT_TYPES: Final = ("int8", "int4", "int8", "text", "text", "int8", "int8", "bytea", "text")
_KNOW: Final = """
    INSERT INTO known (uri, kind, id, owner, object, since, delivered, gone, updated)
    SELECT * FROM unnest(%b::text[], %b::text[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[],
                         %b::boolean[], %b::boolean[], %b::timestamptz[])
    ON CONFLICT (uri) DO UPDATE SET (kind, id, owner, object, since, delivered, gone, updated) =
        (excluded.kind, excluded.id, excluded.owner, excluded.object, excluded.since, excluded.delivered,
         excluded.gone, excluded.updated)
"""
_BURY: Final = "INSERT INTO tombs (uri, signer) SELECT * FROM unnest(%b::text[], %b::bigint[]) ON CONFLICT DO NOTHING"
_RELATE: Final = """
    INSERT INTO relations (follower, followee, stage, request)
    SELECT * FROM unnest(%b::bigint[], %b::bigint[], %b::text[], %b::text[])
    ON CONFLICT (follower, followee) DO UPDATE SET (stage, request) = (excluded.stage, excluded.request)
"""
_UNPARK: Final = "DELETE FROM parked WHERE received_at_position = ANY(%b::bigint[])"
_PARK: Final = """
    INSERT INTO parked (received_at_position, waits_for, brings, claim, reason)
    SELECT * FROM unnest(%b::bigint[], %b::text[], %b::text[], %b::bytea[], %b::text[])
"""
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Claim)
_LOCAL_FOLLOWS: Final = (FollowRequested, FollowAccepted, FollowRejected, FollowEnded)


def look_up(cursor: Cursor[Any], claims: Sequence[Claim], proposed: Sequence[Proposal]) -> State:
    """Everything that settling `claims`, and what they may release, can ask for. Ids are given out here."""
    state = State()
    parked = _releasable(cursor, claims)
    concerned = [*claims, *(row.claim for row in parked)]
    uris = set(chain.from_iterable(map(names, concerned)))
    numbers = [claim.event.post for claim in claims if isinstance(claim.event, PostDeleted) and claim.local]
    ids = settle_ids(cursor, proposed, uris, numbers)
    for number in numbers:
        state.uris[number] = ids.by_id.get(number)
    uris.update(uri for uri in state.uris.values() if uri is not None)
    state.seed(uris)
    state.ids.update((uri, ids.by_uri.get(uri)) for uri in uris)
    for uri, *rest in cursor.execute(_KNOWN, [list(uris)], binary=True):
        state.known[uri] = Known(*rest)
    _look_up_tombs(cursor, concerned, state)
    _look_up_relations(cursor, concerned, state)
    undone = {claim.object for claim in concerned if claim.kind == "follow.ended" and claim.object is not None}
    for uri in undone:
        state.seed_bringing(uri)
    if undone:
        for uri, position in cursor.execute(_BRINGING, [list(undone)], binary=True).fetchall():
            state.seed_bringing(uri, [position])
    for row in parked:
        state.restore(row)
    return state


def write(cursor: Cursor[Any], state: State, facts: Iterable[Fact]) -> None:
    """Add the facts, and store whatever settling changed. Commits nothing."""
    with cursor.copy(_FACTS) as copy:
        copy.set_types(_FACT_TYPES)
        for fact in facts:
            copy.write_row(
                (
                    fact.position,
                    fact.n,
                    fact.received_at_position,
                    fact.stream,
                    fact.kind,
                    fact.actor,
                    fact.object,
                    fact.because,
                    fact.verdict,
                )
            )
    _write(cursor, _KNOW, [(uri, *msgspec.structs.astuple(_known(state, uri))) for uri in sorted(state.changed_known)])
    _write(cursor, _BURY, sorted(state.changed_tombs))
    relations = [(pair, state.relations[pair]) for pair in sorted(state.changed_relations)]
    _write(cursor, _RELATE, [(*pair, follow.stage.value, follow.request) for pair, follow in relations])
    _write(cursor, _UNPARK, [(position,) for position in sorted(state.changed_parked & state.stored_parked)])
    parked = [state.parked[position] for position in sorted(state.changed_parked & state.parked.keys())]
    _write(
        cursor,
        _PARK,
        [(row.claim.position, row.waits_for, row.brings, _ENCODER.encode(row.claim), row.reason) for row in parked],
    )


def _known(state: State, uri: str) -> Known:
    known = state.known[uri]
    assert known is not None, "what is known stays known"
    return known


def _write(cursor: Cursor[Any], statement: Any, rows: Sequence[tuple[Any, ...]]) -> None:
    if rows:
        cursor.execute(statement, [list(column) for column in zip(*rows, strict=True)])


def _releasable(cursor: Cursor[Any], claims: Iterable[Claim]) -> list[Parked]:
    brought = {uri for uri in map(brings, claims) if uri is not None}
    if not brought:
        return []
    rows = cursor.execute(_RELEASABLE, [list(brought)], binary=True).fetchall()
    return [Parked(_DECODER.decode(claim), waits_for, brings, reason) for waits_for, brings, claim, reason in rows]


def _look_up_tombs(cursor: Cursor[Any], claims: Iterable[Claim], state: State) -> None:
    asked: set[tuple[str, int]] = set()
    for claim in claims:
        if claim.kind in {"post.published", "post.deleted"} and claim.object is not None and claim.actor is not None:
            signer = state.ids[claim.actor]
            if signer is not None:
                asked.add((claim.object, signer))
    state.tombs.update((key, False) for key in asked)
    if asked:
        uris, signers = zip(*asked, strict=True)
        state.tombs.update((row, True) for row in cursor.execute(_TOMBS, [list(uris), list(signers)], binary=True))


def _look_up_relations(cursor: Cursor[Any], claims: Iterable[Claim], state: State) -> None:
    pairs = {pair for claim in claims for pair in _pairs(claim, state)}
    for pair in pairs:
        state.seed_pair(pair)
    if not pairs:
        return
    followers, followees = zip(*pairs, strict=True)
    rows = cursor.execute(_RELATIONS, [list(followers), list(followees)], binary=True)
    for follower, followee, stage, request in rows:
        state.relations[follower, followee] = Follow(Stage(stage), request)


def _pairs(claim: Claim, state: State) -> Iterator[Pair]:
    """The pairs whose follow the claim may touch: by whom it names, and by the follow whose id it names."""
    if isinstance(claim.event, _LOCAL_FOLLOWS) and claim.local:
        yield claim.event.follower, claim.event.followee
        return
    match claim.kind:
        case "follow.requested":
            ends = (claim.actor, claim.object)
        case "follow.accepted" | "follow.rejected":
            ends = (claim.inner_actor, claim.actor)
        case "follow.ended":
            ends = (claim.actor, claim.inner_object)
        case _:
            return
    follower, followee = (state.ids[uri] if uri is not None else None for uri in ends)
    if follower is not None and followee is not None:
        yield follower, followee
    named = state.known[claim.object] if claim.object is not None else None
    if named is not None and named.object is not None:
        yield named.owner, named.object
