"""State in PostgreSQL: a fixed number of queries to look up what a batch may need, as many to write what it changed.

All tables but `app.ids` are found by the search path, which is the schema of the generation being built.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import chain
from typing import Any, Final

import msgspec
from psycopg import Cursor

from adapters.interpreter import keys
from adapters.interpreter.claims import Claim, brings, names
from adapters.interpreter.ids import Proposal, settle_ids
from adapters.interpreter.state import OFF, WAITING_MAX, Known, Parked, Said, State, Toggle
from adapters.postgres.arrays import arrays_for
from domain.follow import INITIAL, Follow, Stage
from domain.post import PostDeleted, PostEdited
from domain.waiting import WaitingExpired
from projections.fact import Fact

# What the batch may release or give up, and what that may release in turn. It starts from what the batch may bring and
# follows only what parked rows bring: from what is named it would grow with everything behind one popular unknown post.
_RELEASABLE: Final = """
    WITH RECURSIVE released (received_at_position, brings) AS (
        SELECT received_at_position, brings FROM parked WHERE waits_for = ANY(%b::text[])
        UNION
        SELECT received_at_position, brings FROM parked WHERE received_at_position = ANY(%b::bigint[])
        UNION
        SELECT p.received_at_position, p.brings FROM parked p JOIN released r ON p.waits_for = r.brings
    )
    SELECT waits_for, brings, claim, reason FROM parked
    WHERE received_at_position IN (SELECT received_at_position FROM released)
"""
_KNOWN: Final = """
    SELECT uri, kind, id, owner, object, since, delivered, gone, updated, visibility, audience
    FROM known WHERE uri = ANY(%b::text[])
"""
_TOMBS: Final = "SELECT uri, signer FROM tombs NATURAL JOIN unnest(%b::text[], %b::bigint[]) AS asked (uri, signer)"
_DEPARTED: Final = "SELECT account FROM departed WHERE account = ANY(%b::bigint[])"
_RELATIONS: Final = """
    SELECT follower, followee, stage, request
    FROM relations NATURAL JOIN unnest(%b::bigint[], %b::bigint[]) AS asked (follower, followee)
"""
_TOGGLES: Final = """
    SELECT kind, actor, object, activity, id
    FROM toggles NATURAL JOIN unnest(%b::text[], %b::bigint[], %b::bigint[]) AS asked (kind, actor, object)
"""
_SAID: Final = "SELECT account, featured, aliases FROM said WHERE account = ANY(%b::bigint[])"
# No more than may wait for each, however many name it.
_CROWDS: Final = "SELECT waits_for, count(*) FROM parked WHERE waits_for = ANY(%b::text[]) GROUP BY waits_for"
_BRINGING: Final = "SELECT brings, received_at_position FROM parked WHERE brings = ANY(%b::text[])"

_FACTS: Final = """
    COPY facts (position, n, received_at_position, stream, kind, actor, object, because, verdict)
    FROM STDIN (FORMAT BINARY)
"""
_FACT_TYPES: Final = ("int8", "int4", "int8", "text", "text", "int8", "int8", "bytea", "text")
# Those addressed are URIs, in which there is no blank; neither is there in aliases.
_KNOW: Final = """
    INSERT INTO known (uri, kind, id, owner, object, since, delivered, gone, updated, visibility, audience)
    SELECT uri, kind, id, owner, object, since, delivered, gone, updated, visibility, string_to_array(audience, ' ')
    FROM unnest(%b::text[], %b::text[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[],
                %b::boolean[], %b::boolean[], %b::timestamptz[], %b::text[], %b::text[])
        AS now (uri, kind, id, owner, object, since, delivered, gone, updated, visibility, audience)
"""
_KNOW_BETTER: Final = f"""{_KNOW}
    ON CONFLICT (uri) DO UPDATE SET (kind, id, owner, object, since, delivered, gone, updated, visibility, audience) =
        (excluded.kind, excluded.id, excluded.owner, excluded.object, excluded.since, excluded.delivered,
         excluded.gone, excluded.updated, excluded.visibility, excluded.audience)
"""
_BURY: Final = "INSERT INTO tombs (uri, signer) SELECT * FROM unnest(%b::text[], %b::bigint[]) ON CONFLICT DO NOTHING"
_DEPART: Final = "INSERT INTO departed (account) SELECT * FROM unnest(%b::bigint[]) ON CONFLICT DO NOTHING"
_RELATE: Final = """
    INSERT INTO relations (follower, followee, stage, request)
    SELECT * FROM unnest(%b::bigint[], %b::bigint[], %b::text[], %b::text[])
    ON CONFLICT (follower, followee) DO UPDATE SET (stage, request) = (excluded.stage, excluded.request)
"""
_TURN: Final = """
    INSERT INTO toggles (kind, actor, object, activity, id)
    SELECT * FROM unnest(%b::text[], %b::bigint[], %b::bigint[], %b::text[], %b::bigint[])
    ON CONFLICT (object, actor, kind) DO UPDATE SET (activity, id) = (excluded.activity, excluded.id)
"""
_SAY: Final = """
    INSERT INTO said (account, featured, aliases)
    SELECT account, featured, string_to_array(aliases, ' ')
    FROM unnest(%b::bigint[], %b::text[], %b::text[]) AS now (account, featured, aliases)
    ON CONFLICT (account) DO UPDATE SET (featured, aliases) = (excluded.featured, excluded.aliases)
"""
_UNPARK: Final = "DELETE FROM parked WHERE received_at_position = ANY(%b::bigint[])"
_PARK: Final = """
    INSERT INTO parked (received_at_position, waits_for, brings, claim, reason, since)
    SELECT * FROM unnest(%b::bigint[], %b::text[], %b::text[], %b::bytea[], %b::text[], %b::timestamptz[])
"""
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Claim)


def look_up(
    cursor: Cursor[Any], claims: Sequence[Claim], proposed: Sequence[Proposal], waiting_max: int = WAITING_MAX
) -> State:
    """Everything that settling `claims`, and what they may release, can ask for. Ids are given out here."""
    state = State(waiting_max)
    parked = _releasable(cursor, claims)
    concerned = [*claims, *(row.claim for row in parked)]
    uris = set(chain.from_iterable(map(names, concerned)))
    numbers = [
        claim.event.post for claim in claims if claim.local and isinstance(claim.event, PostDeleted | PostEdited)
    ]
    ids = settle_ids(cursor, proposed, uris, numbers)
    for number in numbers:
        state.uris[number] = ids.by_id.get(number)
    uris.update(uri for uri in state.uris.values() if uri is not None)
    state.seed(uris)
    state.ids.update((uri, ids.by_uri.get(uri)) for uri in uris)
    for uri, *most, audience in cursor.execute(_KNOWN, arrays_for(_KNOWN, [list(uris)]), binary=True):
        state.recall(uri, Known(*most, audience=tuple(audience)))
    state.crowds.update(_asked(cursor, _CROWDS, [(uri,) for uri in uris]))
    for uri, position in _asked(cursor, _BRINGING, _seeded_undone(concerned, state)):
        state.seed_bringing(uri, [position])
    _look_up_keyed(cursor, concerned, state)
    for row in parked:
        state.restore(row)
    return state


def _look_up_keyed(cursor: Cursor[Any], concerned: Sequence[Claim], state: State) -> None:
    """What is kept under ids rather than URIs; what nothing in the batch can ask for costs no query."""
    tombs = keys.tombs(concerned, state)
    state.tombs.update(dict.fromkeys(tombs, False))
    state.tombs.update(((uri, signer), True) for uri, signer in _asked(cursor, _TOMBS, tombs))
    accounts = keys.accounts(concerned, state)
    state.departed.update(dict.fromkeys(accounts, False))
    state.departed.update((account, True) for (account,) in _asked(cursor, _DEPARTED, [(one,) for one in accounts]))
    pairs = keys.pairs(concerned, state)
    state.relations.update(dict.fromkeys(pairs, INITIAL))
    for follower, followee, stage, request in _asked(cursor, _RELATIONS, pairs):
        state.relations[follower, followee] = Follow(Stage(stage), request)
    ends = keys.ends(concerned, state)
    state.toggles.update(dict.fromkeys(ends, OFF))
    for kind, actor, about, activity, number in _asked(cursor, _TOGGLES, ends):
        state.toggles[kind, actor, about] = Toggle(activity, number)
    sayings = keys.sayings(concerned, state)
    state.said.update(dict.fromkeys(sayings, Said()))
    for account, featured, aliases in _asked(cursor, _SAID, [(one,) for one in sayings]):
        state.said[account] = Said(featured, tuple(aliases))


def _seeded_undone(concerned: Sequence[Claim], state: State) -> list[tuple[str]]:
    undone = keys.undone(concerned)
    for uri in undone:
        state.seed_bringing(uri)
    return [(uri,) for uri in undone]


def _asked(cursor: Cursor[Any], query: Any, wanted: Collection[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The rows that a query over arrays finds for these keys; no keys, no query."""
    if not wanted:
        return []
    return cursor.execute(query, arrays_for(query, zip(*wanted, strict=True)), binary=True).fetchall()


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
    _write(cursor, _KNOW, [_known(state, uri) for uri in sorted(state.changed_known - state.stored_known)])
    _write(cursor, _KNOW_BETTER, [_known(state, uri) for uri in sorted(state.changed_known & state.stored_known)])
    _write(cursor, _BURY, sorted(state.changed_tombs))
    _write(cursor, _DEPART, [(account,) for account in sorted(state.changed_departed)])
    relations = [(pair, state.relations[pair]) for pair in sorted(state.changed_relations)]
    _write(cursor, _RELATE, [(*pair, follow.stage.value, follow.request) for pair, follow in relations])
    toggles = [(ends, state.toggles[ends]) for ends in sorted(state.changed_toggles)]
    _write(cursor, _TURN, [(*ends, toggle.activity, toggle.id) for ends, toggle in toggles])
    said = [(account, state.said[account]) for account in sorted(state.changed_said)]
    _write(cursor, _SAY, [(account, now.featured, " ".join(now.aliases)) for account, now in said])
    _write(cursor, _UNPARK, [(position,) for position in sorted(state.changed_parked & state.stored_parked)])
    parked = [state.parked[position] for position in sorted(state.changed_parked & state.parked.keys())]
    _write(cursor, _PARK, [_parked(row) for row in parked])


def _parked(row: Parked) -> tuple[Any, ...]:
    return row.claim.position, row.waits_for, row.brings, _ENCODER.encode(row.claim), row.reason, row.claim.at


def _known(state: State, uri: str) -> tuple[Any, ...]:
    known = state.known[uri]
    assert known is not None, "what is known stays known"
    *most, audience = msgspec.structs.astuple(known)
    return uri, *most, " ".join(audience)


def _write(cursor: Cursor[Any], statement: Any, rows: Sequence[tuple[Any, ...]]) -> None:
    if rows:
        cursor.execute(statement, arrays_for(statement, zip(*rows, strict=True)))


def _releasable(cursor: Cursor[Any], claims: Iterable[Claim]) -> list[Parked]:
    brought: set[str] = set()
    given_up: set[int] = set()
    for claim in claims:
        uri = brings(claim)
        if uri is not None:
            brought.add(uri)
        if isinstance(claim.event, WaitingExpired):
            given_up.update(claim.event.positions)
    if not brought and not given_up:
        return []
    rows = cursor.execute(_RELEASABLE, arrays_for(_RELEASABLE, [list(brought), list(given_up)]), binary=True).fetchall()
    return [Parked(_DECODER.decode(claim), waits_for, brings, reason) for waits_for, brings, claim, reason in rows]
